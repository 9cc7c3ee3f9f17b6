"""Keeps a yes over a refresh: one that was given to an earlier attempt at the same change counts for the present one, if nothing
in it is new or worse."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_sluice.approvals import approval_policy
from prefect_sluice.approvals.attempts import earlier_attempts
from prefect_sluice.approvals.compare_attempts import compare_attempts
from prefect_sluice.approvals.decide import policy_of, recorded_answers
from prefect_sluice.audit.attestation import APPROVAL_KEPT, is_attested, kept_as
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.promotion import Approval, Decision, Promotion
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class EarlierYes:
    """A yes to an earlier attempt, that attempt, and why it is none to the present one, a line each (() where it is)."""

    approval: Approval
    attempt: Promotion
    differs: tuple[str, ...]


def earlier_yes(workspace: Workspace, promotion: Promotion) -> EarlierYes | None:
    """Return the newest yes that somebody gave to an earlier attempt at the request of a promotion, and that still counts
    but for which attempt it was given to: of several the newest that is one to the present attempt, where any is. None if
    there is none, or if somebody said no since. Changes nothing."""
    newest: EarlierYes | None = None
    for old in earlier_attempts(workspace, promotion):
        if was_rejected(workspace, old):
            break
        given = _standing(workspace, old)
        if given is None:
            continue
        yes = EarlierYes(given, old, compare_attempts(workspace, old, promotion))
        if not yes.differs:
            return yes
        newest = newest or yes
    return newest


def was_rejected(workspace: Workspace, old: Promotion) -> bool:
    """Say whether somebody said no to an attempt that was overtaken before a run could hear it: that weighs more than any yes."""
    return any(
        approval.decision is Decision.REJECT and approval.binding == old.binding
        for approval in workspace.store.approvals(old.id)
    )


def _standing(workspace: Workspace, old: Promotion) -> Approval | None:
    """Return the newest yes that was given to an attempt itself, and is neither expired nor of somebody who may not say it by
    now."""
    now = process.now()
    given = [
        approval
        for approval in workspace.store.approvals(old.id)
        if approval.decision is Decision.APPROVE
        and approval.binding == old.binding
        and approval.expires_at > now
    ]
    if not old.evidence or not given:
        return None  # without a look at its policy: once no yes to it counts, the collector may take that
    policy, entries = policy_of(workspace, old), recorded_answers(workspace, old)
    standing = (
        approval
        for approval in reversed(given)
        if is_attested(approval, entries)
        and kept_as(approval, entries) is None
        and approval_policy.objection(policy, approval.decision, approval.by) is None
    )
    return next(standing, None)


def keep(workspace: Workspace, promotion: Promotion, yes: EarlierYes) -> Approval:
    """Record that a yes to an earlier attempt counts for a promotion as it is, with its ledger entry. Repeatable.

    It expires when it would have, and is by whom it was: nobody said anything more.
    """
    old, now = yes.approval, process.now()
    name = digest({"approval": old.id, "binding": promotion.binding})[:10]
    recorded = [approval for approval in workspace.store.approvals(promotion.id) if approval.id == name]
    if recorded:
        return recorded[0]
    kept = Approval(
        name, promotion.id, promotion.binding, Decision.APPROVE, old.by, old.comment, now, old.expires_at,
        signature=old.signature,
    )  # fmt: skip
    facts: dict[str, Json] = {
        "promotion": promotion.id,
        "decision": Decision.APPROVE.value,
        "binding": kept.binding,
        "comment": kept.comment,
        "expires": kept.expires_at.isoformat(),
        "by": kept.by,
        "authenticated": kept.authenticated,
        "of": old.id,
        "from_promotion": yes.attempt.id,
        "from_binding": yes.attempt.binding,
    }
    with workspace.store.transaction() as transaction:
        transaction.put_approval(kept)
        transaction.append(
            APPROVAL_KEPT, environment=promotion.environment, actor="policy", facts=facts, at=now
        )
    reach(FaultPoint.APPROVE_KEPT)
    return kept
