"""Whether a yes to one attempt is a yes to a later one: what lies between the two, and how they were judged."""

from __future__ import annotations

from collections.abc import Mapping

from prefect_sluice.approvals.published_since import number_of, other_than_refreshes, published
from prefect_sluice.approvals.what_differs import JudgedAttempt, differences
from prefect_sluice.domain.controls import ControlKind
from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.planning.plan import Action
from prefect_sluice.promotions.evidence import judged_reports
from prefect_sluice.promotions.stored_plan import stored_plan
from prefect_sluice.workspace.policy_in_force import rules_of
from prefect_sluice.workspace.workspace import Workspace


def compare_attempts(workspace: Workspace, then: Promotion, now: Promotion) -> tuple[str, ...]:
    """Return why a yes to `then` is none to `now`, a line each; () where it is. Changes nothing.

    Only refreshes of what served may lie between them: no other release, no rollback, no block. Both plans and both judgements
    are read from documents that the two promotions name by digest. Raises BundleDamaged, and BadInput when one is missing.
    """
    written = published(workspace, now.environment, min(then.base, now.base))
    stopped = _between(workspace, then, now, written)
    if stopped:
        return (stopped,)
    attempts = [_judged_attempt(workspace, promotion) for promotion in (then, now)]
    if None in attempts:
        return ("what its gates found then is not recorded any more",)
    before, after = (attempt for attempt in attempts if attempt is not None)
    return differences(before, after, _served_code(workspace, now, written))


def binds_data(workspace: Workspace, promotion: Promotion) -> bool:
    """Say whether a yes is to the very rows: then it is to one attempt, and never to a later one."""
    return rules_of(workspace, promotion).own.approval_binds == "data"


def _judged_attempt(workspace: Workspace, promotion: Promotion) -> JudgedAttempt | None:
    reports = judged_reports(workspace, promotion)
    return (
        None if reports is None else JudgedAttempt(promotion, stored_plan(workspace, promotion.plan), reports)
    )


def _served_code(
    workspace: Workspace, promotion: Promotion, written: tuple[LedgerEntry, ...]
) -> Mapping[Name, str]:
    """Return the fingerprints of what serves where a promotion goes on from, by folded public name. From the plan by which that
    was published: no warehouse is opened, since whoever shows what waits asks this, too."""
    by = next((entry.facts["promotion"] for entry in written if number_of(entry) == promotion.base), None)
    serving = workspace.store.promotion(str(by)) if by is not None else None
    if serving is None or not serving.plan:
        return {}
    steps = stored_plan(workspace, serving.plan).steps
    return {step.name.folded: step.fingerprint for step in steps if step.action is not Action.REMOVE}


def _between(workspace: Workspace, then: Promotion, now: Promotion, written: tuple[LedgerEntry, ...]) -> str:
    if binds_data(workspace, now) or binds_data(workspace, then):
        return "an approval binds the very data here (approval_binds: data)"
    if not now.cause.takes_new_code:
        return f"a {now.cause.value} brings no change that anybody judged"
    if then.base > now.base or then.generation is not None:
        return "it was published meanwhile"
    other = other_than_refreshes(written, then.base, now.base)
    if other:
        return other
    blocked = [
        control
        for control in workspace.store.controls(lifted=True)
        if control.kind is ControlKind.BLOCK
        and control.target == now.release
        and control.at >= then.created_at
    ]
    return f"its release was blocked meanwhile, by {blocked[0].by}" if blocked else ""
