"""The record of a promotion for its report, gathered from the state store, the bundle store and the warehouse."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from prefect_sluice.approvals.ended_by_publish import ends_of
from prefect_sluice.domain.controls import in_force, of_release
from prefect_sluice.domain.declarations import Declarations
from prefect_sluice.domain.displaced_names import Displaced
from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.domain.promotion import ENDED, Promotion, State
from prefect_sluice.domain.release import CommitRange, Release
from prefect_sluice.planning.against_base import AgainstBase
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions import publish_forecast
from prefect_sluice.promotions.stored_plan import stored_plan
from prefect_sluice.promotions.work import Work
from prefect_sluice.reporting.gather_reach import reach_of
from prefect_sluice.reporting.report.model import ReleaseRecord
from prefect_sluice.reporting.web_addresses import way_of
from prefect_sluice.reporting.write_pages import web
from prefect_sluice.runtime import process
from prefect_sluice.stages.candidate import pace
from prefect_sluice.state.exported import imported_here
from prefect_sluice.state.store import StateStore
from prefect_sluice.warehouse.publishing import Forecast
from prefect_sluice.workspace.policy_in_force import recorded
from prefect_sluice.workspace.workspace import Environment, Workspace

_OF_RELEASE = ("release.packed", "release.composed", "block.placed", "block.lifted")


def dossier(
    workspace: Workspace, promotion: Promotion | None, release: Release | None = None
) -> ReleaseRecord:
    """Return all that is recorded of a promotion, or of a release that was never promoted. Changes nothing.

    What only the warehouse knows is left out while another process holds it. Raises BundleDamaged.
    """
    store = workspace.store
    identifier = promotion.release if promotion else release.id if release else ""
    release = release or store.release(identifier)
    blocks = of_release(in_force(store.controls(), process.now()), identifier)
    if promotion is None:
        return ReleaseRecord(release, entries=_entries(store, identifier, None), blocks=blocks)
    environment = workspace.environments.get(promotion.environment)
    plan, policy = _plan(workspace, promotion), recorded(workspace, promotion)
    entries = _entries(store, identifier, promotion)
    staged = store.reports(promotion.id)
    reports = tuple(report for _, report in staged)
    declared = store.declared(promotion.environment, identifier) or Declarations()
    present = store.serves(promotion.environment)
    serves = present["generation"] if present else 0
    return ReleaseRecord(
        release=release,
        promotion=promotion,
        plan=plan,
        reports=reports,
        approvals=store.approvals(promotion.id),
        generations=_generations(workspace, environment, promotion),
        others=tuple(other for other in store.promotions(releases=[identifier]) if other.id != promotion.id),
        entries=entries,
        blocks=blocks,
        former=store.release(promotion.base_release) if promotion.base_release else None,
        stages=tuple(stage for stage, _ in staged),
        serves=serves,
        approvals_needed=policy.counting.approvals(promotion.cause),
        policy=policy,
        warns=frozenset(name for name, own in policy.counting.gates.items() if own.on == "warn"),
        consumers=tuple(declared.consumers.values()),
        described={uid: description.description for uid, description in declared.described.items()},
        runs=store.timings(promotion.id),
        expected=_expected(workspace, environment, promotion, plan),
        costs=pace.expected(store, plan) if plan and promotion.state is State.STARTED else None,
        commits=_commits(entries),
        base=_base(entries),
        displaced=_displaced(workspace, environment, promotion, serves),
        reach=reach_of(workspace, promotion, plan, reports),
        copy=imported_here(store, promotion.environment),
        ends=tuple(str(other) for other in ends_of(workspace, promotion)),
        way=way_of(workspace, promotion),
        web=web(workspace),
        at=process.now(),
    )


def _plan(workspace: Workspace, promotion: Promotion) -> Plan | None:
    own = promotion.plan and not promotion.cause.goes_back
    return stored_plan(workspace, promotion.plan) if own else None


def _commits(entries: tuple[LedgerEntry, ...]) -> CommitRange | None:
    """Return the commits that come and go as they were when the promotion was begun: git may know no more of them today."""
    document = _started_with(entries, "commits")
    return CommitRange.read(document) if document is not None else None


def of_work(work: Work) -> ReleaseRecord:
    """Return the record of what a run came to, with what its own base told: another run may have answered for it."""
    recorded = dossier(work.workspace, work.promotion, work.release)
    return replace(recorded, base=work.base or recorded.base)


def _base(entries: tuple[LedgerEntry, ...]) -> AgainstBase | None:
    """Return what of the plan is of its branch, as it was when the check was begun."""
    document = _started_with(entries, "against_base")
    return AgainstBase.read(document) if document is not None else None


def _started_with(entries: tuple[LedgerEntry, ...], fact: str) -> Any:
    """Return a fact of the promotion's beginning; None where it has none such."""
    started = f"promotion.{State.STARTED.value}"
    facts = (entry.facts for entry in entries if entry.event == started)
    return next((own[fact] for own in facts if fact in own), None)


def _generations(
    workspace: Workspace, environment: Environment | None, promotion: Promotion
) -> tuple[Generation, ...]:
    if environment is None or promotion.generation is None or not environment.database.exists():
        return ()
    with suppress(SluiceError):  # another process may hold it for good
        history = workspace.warehouse(environment).history(environment.name)
        return tuple(generation for generation in history if generation.promotion == promotion.id)
    return ()


def _entries(store: StateStore, release: str, promotion: Promotion | None) -> tuple[LedgerEntry, ...]:
    """Return the ledger's entries about a promotion, and those about its release that are no promotion's: what packed it, and
    what blocked it."""
    own = store.entries(promotion=promotion.id) if promotion is not None else ()
    entries = {entry.number: entry for entry in (*store.entries(events=_OF_RELEASE, release=release), *own)}
    return tuple(entries[number] for number in sorted(entries))


def _displaced(
    workspace: Workspace, environment: Environment | None, promotion: Promotion, serves: int
) -> tuple[Displaced, ...]:
    """Return the names that do not show what a promotion serves; none where it does not serve, or the warehouse is busy."""
    if (
        environment is None
        or not serves
        or promotion.generation != serves
        or not environment.database.exists()
    ):
        return ()
    with suppress(SluiceError):
        return workspace.warehouse(environment).displaced(environment.name)
    return ()


def _expected(
    workspace: Workspace, environment: Environment | None, promotion: Promotion, plan: Plan | None
) -> Forecast | None:
    """Return how its publish is expected to go; None where it went or will not, or nobody can tell."""
    over = promotion.state in ENDED or promotion.state is State.DEPLOYED
    if environment is None or plan is None or over or plan.changes_nothing:
        return None
    with suppress(SluiceError):
        return publish_forecast.forecast(workspace, environment, plan)
    return None
