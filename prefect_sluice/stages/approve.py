"""Approve: asks the environment's policy. Automatic, or a yes to this exact promotion, used once."""

from __future__ import annotations

import uuid
from dataclasses import replace

from prefect_sluice import surroundings
from prefect_sluice.approving import rule
from prefect_sluice.errors import BadInput, Refused
from prefect_sluice.faults import Point, reach
from prefect_sluice.generation import Cause
from prefect_sluice.promotion import Approval, Decision, Promotion, State
from prefect_sluice.stages.again import planned_again
from prefect_sluice.stages.records import SERVED, advance, opened, promotion_of
from prefect_sluice.stages.work import Status, Work
from prefect_sluice.workshop import Place, Workshop

_PAST = frozenset({State.APPROVED, State.DEPLOYING})


def approve(work: Work) -> Work:
    """Return the work, approved; ended if it waits for a yes or got a no."""
    workshop, place = opened(work)
    promotion = promotion_of(work)
    must = needed(place, promotion)
    if promotion.state in SERVED or (
        promotion.state in _PAST and (not must or is_approved(workshop, promotion))
    ):
        return work
    if not must:
        return replace(
            work,
            promotion=advance(
                workshop, promotion, State.APPROVED, actor="policy", facts={"policy": "automatic"}
            ),
        )
    ruling = rule(promotion, workshop.store.approvals(promotion.id), surroundings.now())
    if ruling.by is None:
        why = ruling.ignored[-1] if ruling.ignored else planned_again(workshop, promotion)
        why = f" ({why})" if why else ""
        return work.ends(
            Status.WAITING,
            f"promotion {promotion.id} waits for an approval{why}",
            f"sluice approve {promotion.id}",
        )
    return _decided(workshop, work, promotion, ruling.by)


def is_approved(workshop: Workshop, promotion: Promotion) -> bool:
    """Say whether somebody's yes was used for exactly this promotion: Deploy asks again, whatever the state says."""
    return any(
        item.decision is Decision.APPROVE and item.used_at is not None and item.binding == promotion.binding
        for item in workshop.store.approvals(promotion.id)
    )


def needed(place: Place, promotion: Promotion) -> int:
    """Return how many approvals this promotion needs."""
    return place.policy.refresh_approvals if promotion.cause is Cause.REFRESH else place.approvals


def _decided(workshop: Workshop, work: Work, promotion: Promotion, approval: Approval) -> Work:
    facts = {
        "approval": approval.id,
        "by": approval.by,
        "binding": approval.binding,
        "comment": approval.comment,
    }
    if approval.decision is Decision.REJECT:
        message = (
            f"rejected by {approval.by}: {approval.comment}"
            if approval.comment
            else f"rejected by {approval.by}"
        )
        ended = advance(workshop, promotion, State.REJECTED, actor=approval.by, facts=facts, message=message)
        return replace(work, promotion=ended).ends(Status.REJECTED, message)
    now = surroundings.now()
    approved = advance(
        workshop,
        promotion,
        State.APPROVED,
        actor=approval.by,
        facts=facts,
        message=f"approved by {approval.by}",
        also=lambda transaction: transaction.use_approval(approval.id, now),
    )
    reach(Point.APPROVE_USED)
    return replace(work, promotion=approved)


def record(
    workshop: Workshop, promotion: Promotion, decision: Decision, *, by: str, comment: str = ""
) -> Approval:
    """Record a yes or no to a promotion, with its ledger entry. Raises Refused if it waits for none, BadInput without a name."""
    if not by.strip():
        raise BadInput("an approval needs a name", fix="say who you are: --as NAME")
    if promotion.state not in {State.STAGED, *_PAST}:
        why = f" ({promotion.message})" if promotion.state is State.SUPERSEDED and promotion.message else ""
        raise Refused(
            f"promotion {promotion.id} is {promotion.state.value}, it waits for no approval{why}",
            "see what does: sluice status",
        )
    place = workshop.place(promotion.environment)
    now = surroundings.now()
    approval = Approval(
        uuid.uuid4().hex[:10],
        promotion.id,
        promotion.binding,
        decision,
        by.strip(),
        comment,
        now,
        now + place.policy.approval_expires,
    )
    with workshop.store.transaction() as transaction:
        transaction.put_approval(approval)
        facts = {
            "promotion": promotion.id,
            "decision": decision.value,
            "binding": approval.binding,
            "comment": comment,
            "expires": approval.expires_at.isoformat(),
        }
        transaction.append(
            "approval.given", environment=promotion.environment, actor=approval.by, facts=facts, at=now
        )
    return approval
