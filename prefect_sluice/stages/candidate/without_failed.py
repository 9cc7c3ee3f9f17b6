"""A refresh of which a part failed: what may be published without it, if the environment allows that."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from prefect_sluice.config import GateSettings
from prefect_sluice.domain.node import Node, descendants
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.domain.verdict import Finding, GateReport
from prefect_sluice.planning.make_plan import PlanInputs, make_plan
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.reasons import Held, HeldBy, some
from prefect_sluice.promotions.records import fenced, still_ours
from prefect_sluice.promotions.stored_plan import stored_held
from prefect_sluice.runtime import process
from prefect_sluice.stages.select_nodes import moved, renewed
from prefect_sluice.workspace.workspace import Workspace


def reduced(
    asked: PlanInputs, plan: Plan, reports: Sequence[GateReport], gates: Mapping[str, GateSettings]
) -> Plan | str:
    """Return the plan without what failed and all that reads it; or why nothing may be published without it. Pure.

    `asked` is the question that `plan` answers.
    """
    why = _why(asked.nodes, moved(plan), reports, gates)
    bad = why.keys() | (descendants(asked.nodes, why) & moved(plan))
    rest = moved(plan) - bad
    if not why:
        return "a finding speaks of no single relation"
    if not rest:
        return "all that was to be refreshed failed, or reads what failed"
    if new := bad - asked.live.by_node().keys():
        return f"{_names(asked, new)} failed or is held back, and serves nothing yet that could stay"
    found = renewed(asked, plan, rest)
    mixed = (found.missing | found.torn | found.renewed) & bad or found.missing or found.torn
    if mixed:
        return f"{_names(asked, mixed)} would read new and old data"
    held = {uid: why.get(uid) or _reads(asked.nodes, uid, why) for uid in asked.nodes if uid in bad}
    less = replace(asked, held={**plan.held, **held}, instead=plan.instead or plan.digest)
    return make_plan(less)


def _names(asked: PlanInputs, uids: Collection[str]) -> str:
    return some(sorted(asked.nodes[uid].short for uid in uids), 3)


def _why(
    nodes: Mapping[str, Node],
    changed: Collection[str],
    reports: Sequence[GateReport],
    gates: Mapping[str, GateSettings],
) -> Mapping[str, Held]:
    """Return what failed, by unique id, with the finding that says so; nothing if something failed that is no relation."""
    bad = [item for report in reports if _blocks(report, gates) for item in _bad(report)]
    why: dict[str, Held] = {}
    # First what failed itself: what was left out for it, or could not be tested, says nothing of its own.
    for finding in sorted(bad, key=lambda item: -item.verdict):
        about = set(finding.subjects) & set(changed)
        if not about:
            return {}
        if not about & (why.keys() | descendants(nodes, why)):
            why |= dict.fromkeys(about, Held(HeldBy.FAILED, f"{finding.check}: {finding.summary}"))
    return why


def _blocks(report: GateReport, gates: Mapping[str, GateSettings]) -> bool:
    return not report.not_applicable and gates.get(report.gate, GateSettings()).on == "block"


def _bad(report: GateReport) -> list[Finding]:
    if not report.findings:
        return [Finding(report.gate, report.gate, report.verdict, "found nothing")]
    return [item for item in report.findings if not item.verdict.lets_through]


def _reads(nodes: Mapping[str, Node], uid: str, why: Collection[str]) -> Held:
    below = next(bad for bad in sorted(why) if uid in descendants(nodes, [bad]))
    return Held(HeldBy.READS, nodes[below].short)


def record(workspace: Workspace, promotion: Promotion, plan: Plan, actor: str) -> Promotion:
    """Have the promotion go on with the reduced plan, and say so in the ledger, in one transaction. Repeatable."""
    digest = workspace.bundles.put_document(plan.document())
    now = process.now()
    less = replace(promotion, plan=digest, updated_at=now, message=held_line(plan.held))
    facts = {
        "promotion": less.id,
        "release": less.release,
        "plan": digest,
        "instead": plan.instead,
        "held": {uid: str(why) for uid, why in plan.held.items()},
    }
    with fenced(workspace, promotion.environment) as transaction:
        still_ours(transaction, promotion)
        transaction.put_promotion(less)
        transaction.append(
            "promotion.reduced", environment=less.environment, actor=actor, facts=facts, at=now
        )
    return less


def held_back(workspace: Workspace, promotion: Promotion) -> Mapping[str, Held]:
    """Return what a refresh left as it was because a part failed, by unique id, with why; nothing if it was whole."""
    if not promotion.cause.renews or not promotion.plan:
        return {}
    document = cast(Mapping[str, Any], workspace.bundles.get_document(promotion.plan))
    return stored_held(document) if document.get("instead") else {}


def held_line(held: Mapping[str, Held]) -> str:
    """Return in a line what keeps what was live, and the first reason."""
    failed = sorted(uid for uid, why in held.items() if why.kind is HeldBy.FAILED) or sorted(held)
    names = [".".join(uid.split(".")[2:]) for uid in failed]
    more = f" and {len(held) - 1} more" if len(held) > 1 else ""
    return f"{names[0]}{more} left as it was ({held[failed[0]]})"
