"""Rows that go from what keeps history: only a commit that says so lets them. No setting of a gate changes that."""

from __future__ import annotations

from prefect_sluice import gates
from prefect_sluice.diff.relation import RelationDiff
from prefect_sluice.domain import adoption
from prefect_sluice.domain.counting import count, noun
from prefect_sluice.domain.declarations import Declarations
from prefect_sluice.domain.errors import BadInput, QueryFailed
from prefect_sluice.domain.node import Node, NodeKind
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict, WayPast
from prefect_sluice.gates.base import CandidateView, DeclarationsView, ReleaseView, Subject, ToolsView
from prefect_sluice.gates.diff.comparison import ComparisonSettings, above, compared, expect_name, names
from prefect_sluice.planning.expectations import ExpectedChange
from prefect_sluice.planning.plan import Action, Step
from prefect_sluice.planning.reasons import Noted

STAGE = "stage"
CHECK = "history"


def report(subject: Subject, how: ComparisonSettings) -> tuple[GateReport, ...]:
    """Return each relation that would lose rows which only the past has, as a report that nothing in sluice.yml weakens; none
    if none would. Repeatable.

    `how` says how rows are told apart. What the gate `diff` compared already is not compared again.
    """
    release, candidate, declarations = subject.release, subject.candidate, subject.declarations
    found = [
        _check_losses(candidate, declarations, subject.tools, node, how)
        for node in _in_danger(release, candidate, declarations)
    ]
    found += [_dropped(candidate, declarations, node) for node in _not_there(release, candidate)]
    findings = tuple(finding for finding in found if finding is not None)
    return (gates.redact_report(GateReport(STAGE, findings)),) if findings else ()


def _in_danger(release: ReleaseView, candidate: CandidateView, declarations: DeclarationsView) -> list[Node]:
    """Return the nodes that may lose history: another relation takes its place, or other code goes on with it.

    What the same code takes out of its own history (`delete+insert`, microbatch, a hook that deletes what is old), it takes
    out with dbt alone, too.
    """
    steps = {step.node: step for step in release.plan.steps} if release.plan else {}
    beside = _other_hooks(declarations.now, declarations.before)
    compared_with = candidate.live.keys() & candidate.relations.keys()
    return [
        release.nodes[uid]
        for uid in release.changed
        if uid in compared_with and uid in steps and _may_lose(candidate, steps[uid], beside=beside)
    ]


def _may_lose(candidate: CandidateView, step: Step, *, beside: bool) -> bool:
    if step.action is not Action.CARRY or step.pointer is None:
        served = candidate.served.get(step.node)
        return step.loses_history or (served is not None and served.kind.keeps_history)
    if adoption.is_adopted(step.pointer):
        return False  # nobody knows by which code it was built
    if step.kind is NodeKind.SNAPSHOT:
        return beside or step.pointer.fingerprint != step.fingerprint
    return beside or (step.note is not None and step.note.kind in {Noted.FORWARD_ONLY, Noted.NEVER_IN_FULL})


def _other_hooks(now: Declarations, before: Declarations | None) -> bool:
    """Say whether anything runs beside the nodes' own queries that did not before: a hook may write to any of them."""
    known = {item.text for item in before.code} if before else set[str]()
    return any(item.runs == "beside" and item.text not in known for item in now.code)


def _not_there(release: ReleaseView, candidate: CandidateView) -> list[Node]:
    """Return the nodes that would begin with nothing, since somebody dropped the history that serves."""
    return [
        release.nodes[uid]
        for uid in release.changed
        if uid in candidate.relations and uid not in candidate.live
        if uid in candidate.served and candidate.served[uid].kind.keeps_history
    ]


def _dropped(candidate: CandidateView, declarations: DeclarationsView, node: Node) -> Finding | None:
    meant = [item for item in declarations.expected().expected if item.is_of(names(node))]
    word = next((item for item in meant if item.is_rows and item.up_to >= 1), None)
    address = candidate.served[node.unique_id].address
    told = f"{node.short}: {address}, which keeps its history, was dropped: all of its rows go"
    fix = (
        "put it back from a backup of the warehouse, or serve a generation that has it: sluice rollback; "
        f"if they are to go, say so in a commit message: Expect: {expect_name(node.short)} rows"
    )
    return Finding(
        STAGE,
        CHECK,
        Verdict.WARNED if word else Verdict.FAILED,
        f"{told}, as {word.where} declares" if word else f"{told}, and no commit says so",
        (node.unique_id,),
        observed=1.0,
        limit=word.up_to if word else 0.0,
        location=word.where if word else node.path,
        fix="" if word else fix,
        way_past=WayPast.UNSAID if word else WayPast.NAMED,
    )


def _check_losses(
    candidate: CandidateView,
    declarations: DeclarationsView,
    tools: ToolsView,
    node: Node,
    how: ComparisonSettings,
) -> Finding | None:
    uid = node.unique_id
    try:
        diff = candidate.compared.get(uid) or compared(
            candidate, tools, node, candidate.live[uid], candidate.relations[uid], how
        )
    except (QueryFailed, BadInput) as error:
        told = f"{node.short}: whether rows go from its history cannot be told: {error}"
        return Finding(STAGE, CHECK, Verdict.ERRORED, told, (uid,), fix="see by hand why: sluice diff")
    meant = [item for item in declarations.expected().expected if item.is_of(names(node))]
    gone = _gone(diff, meant)
    return _loss_finding(node, diff, gone, meant) if gone else None


def _gone(diff: RelationDiff, meant: list[ExpectedChange]) -> int:
    gone = diff.rows_removed
    if diff.rows_changed is None and any(not item.is_rows for item in meant):
        gone -= min(gone, diff.rows_added)  # without a key a changed row is one that went and one that came
    return gone


def _loss_finding(node: Node, diff: RelationDiff, gone: int, meant: list[ExpectedChange]) -> Finding:
    share = diff.share(gone)
    word = next((item for item in meant if item.is_rows and share <= item.up_to), None)
    went = f"{node.short}: {gone} of {count(diff.rows_before, 'row')} {noun(gone, 'goes', 'go')} from what keeps history"
    keep = "forward_only" if node.kind is NodeKind.INCREMENTAL else "leave its kind"
    fix = (
        f"to keep them: {keep}, and delete nothing; if they are to go, say so in a commit message: "
        f"Expect: {expect_name(node.short)} rows up to {above(share)}%"
    )
    return Finding(
        STAGE,
        CHECK,
        Verdict.WARNED if word else Verdict.FAILED,
        f"{went}, as {word.where} declares" if word else f"{went}, and no commit says so",
        (node.unique_id,),
        observed=share,
        limit=word.up_to if word else 0.0,
        location=word.where if word else node.path,
        evidence=diff.removed,
        fix="" if word else fix,
        way_past=WayPast.UNSAID if word else WayPast.NAMED,
    )
