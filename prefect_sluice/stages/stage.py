"""Stage: builds what changed off to the side, links it, and has the gates judge the very bytes that would be served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from prefect_sluice import gates
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.promotion import Candidate, Promotion, State
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.planning.make_plan import make_plan
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions import verify_reused
from prefect_sluice.promotions.candidate_files import candidate_is_whole, share, tidy
from prefect_sluice.promotions.evidence import evidence_document
from prefect_sluice.promotions.load_project import load
from prefect_sluice.promotions.records import (
    SERVED,
    OutOfOrder,
    advance,
    fenced,
    keep_reports,
    opened,
    promotion_of,
    recorded,
    refuse,
    replaced,
    still_ours,
    waiting_attempts,
)
from prefect_sluice.promotions.work import Work, tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.events import JUDGED, NODES, GateJudged
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.stages.candidate import (
    conditions,
    isolation_tier,
    make,
    outcomes,
    servable,
    without_failed,
)
from prefect_sluice.stages.candidate.judge import judge
from prefect_sluice.stages.checks import checked
from prefect_sluice.stages.plan_release import question
from prefect_sluice.workspace.workspace import Workspace

if TYPE_CHECKING:
    from prefect_sluice.state.store import Transaction

STAGE = "stage"
_ANSWERED = frozenset({State.APPROVED, State.DEPLOYING})


def stage(work: Work) -> Work:
    """Return the work with its candidate and the findings on it; ended if the gates do not let it through."""
    workspace, place = opened(work)
    promotion, plan, release = promotion_of(work), work.plan, work.release
    if plan is None or release is None:
        raise OutOfOrder()
    if promotion.state in SERVED:
        return work
    if promotion.evidence and candidate_is_whole(workspace, promotion):
        return replace(work, reports=(*work.reports, *recorded(workspace, promotion, STAGE)), resumed=True)
    made = make.make(workspace, place, release, plan, promotion)
    reach(FaultPoint.STAGE_BUILT)
    NODES.tell(outcomes.nodes_done(made.results, made.rows, process.now()))
    loaded = load(workspace, place, release)
    with JUDGED.heard_by(lambda judged: _tell_tests(judged, made.tests)):
        reports = (
            *judge(workspace, place, release, plan, made),
            *verify_reused.report(made.looked),
        )
        beside = isolation_tier.report(loaded.dbt.protection)
        if _lets_through(workspace, reports, beside):
            reports = (*reports, *servable.report(workspace.warehouse(place), place.name, made))
    reach(FaultPoint.STAGE_JUDGED)
    conditions.remember(workspace, place, loaded, promotion)
    why_not = ""
    if not _lets_through(workspace, reports, beside):
        less = _without_what_failed(work, workspace, plan, reports)
        if isinstance(less, Work):
            return stage(less)
        why_not = less
    all_reports = (*reports, *beside)
    keep_reports(workspace, promotion, STAGE, all_reports)
    if not _lets_through(workspace, reports, beside):
        return refuse(work, workspace, all_reports, STAGE, why_not)
    share(workspace, promotion.id, made.place, made.contents.file)
    staged = _record(workspace, work, promotion, made, all_reports)
    reach(FaultPoint.STAGE_RECORDED)
    judged = replace(work, promotion=staged, reports=(*work.reports, *all_reports))
    return judged if work.request.cause.publishes else checked(judged, workspace, place)


def _lets_through(workspace: Workspace, reports: Sequence[GateReport], beside: Sequence[GateReport]) -> bool:
    """Say whether some gate looked at what was made and none said no, nor Stage itself (`beside`): where no gate looks, with
    which rights the code ran does not stand for one. Pure."""
    own = workspace.settings.gates
    return gates.judge(reports, own).lets_through and (not beside or gates.judge(beside, own).lets_through)


def _tell_tests(judged: GateJudged, tests: tuple[DataTest, ...]) -> None:
    if judged.report.gate == "data_tests":
        NODES.tell(outcomes.answered_tests(judged, tests))


def _without_what_failed(
    work: Work, workspace: Workspace, plan: Plan, reports: tuple[GateReport, ...]
) -> Work | str:
    """Return the work with the plan that leaves out what failed; where nothing may be published then, why ("": nobody asked).

    It is built and judged again: what the gates saw beside the failed relations is not what would be served.
    """
    place, promotion = workspace.environment(plan.environment), promotion_of(work)
    if not plan.cause.renews or place.policy.partial == "deny" or work.release is None:
        return ""
    asked = question(workspace, place, work.release, plan.cause)
    asked = replace(
        asked, versions=plan.notes.versions, select=plan.select, held=plan.held, instead=plan.instead
    )
    if make_plan(asked).digest != plan.digest:
        return "what it was planned from changed meanwhile"
    less = without_failed.reduced(asked, plan, reports, workspace.settings.gates)
    if isinstance(less, str):
        return less
    keep_reports(workspace, promotion, f"{STAGE} of all" if not plan.instead else f"{STAGE} of less", reports)
    moved = without_failed.record(workspace, promotion, less, work.request.actor)
    reach(FaultPoint.STAGE_REDUCED)
    tell(f"again without what failed: {moved.message}")
    return replace(work, plan=less, promotion=moved)


def _record(
    workspace: Workspace,
    work: Work,
    promotion: Promotion,
    made: make.MadeCandidate,
    reports: tuple[GateReport, ...],
) -> Promotion:
    contents = workspace.bundles.put_document(made.contents.document())
    evidence = workspace.bundles.put_document(evidence_document(contents, (*work.reports, *reports)))
    candidate = Candidate(
        promotion.id,
        made.place.at if made.place else "",
        made.contents.file,
        process.now(),
    )

    if promotion.state in _ANSWERED and evidence == promotion.evidence:
        return _put_back(workspace, promotion, candidate, made)
    earlier = waiting_attempts(workspace, promotion) if promotion.cause.publishes else ()

    def also(transaction: Transaction) -> None:
        transaction.put_candidate(candidate)
        transaction.put_relations(made.relations)
        replaced(transaction, earlier, promotion, actor=work.request.actor, now=process.now())

    staged = advance(
        workspace,
        promotion,
        State.STAGED if promotion.cause.publishes else State.CHECKED,
        actor=work.request.actor,
        evidence=evidence,
        facts={"built": len(made.relations)},
        also=also,
    )
    for old in earlier:
        tidy(workspace, replace(old, state=State.SUPERSEDED))
    return staged


def _put_back(
    workspace: Workspace, promotion: Promotion, candidate: Candidate, made: make.MadeCandidate
) -> Promotion:
    """Record a candidate that was lost after its yes, and that was built again byte for byte and judged alike: the yes was to
    just that, so the promotion stays as far as it was. Repeatable."""
    with fenced(workspace, promotion.lease_name) as transaction:
        still_ours(transaction, promotion)
        transaction.put_candidate(candidate)
        transaction.put_relations(made.relations)
    tell("its candidate was not there any more; it is again, byte for byte what was approved")
    return promotion
