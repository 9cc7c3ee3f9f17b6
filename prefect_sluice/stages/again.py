"""Why a promotion asks for a yes again: the environment moved since the release was planned there before."""

from __future__ import annotations

from prefect_sluice.promotion import Decision, Promotion, State
from prefect_sluice.stages.candidates import same_request
from prefect_sluice.workshop import Workshop

_LOOK_BACK = 20


def planned_again(workshop: Workshop, promotion: Promotion) -> str:
    """Return what an approver has to know of the attempt before, in a few words; "" if there was none on another base."""
    wanted = same_request(workshop, promotion.release)
    superseded = workshop.store.promotions(
        environment=promotion.environment, states=(State.SUPERSEDED,), limit=_LOOK_BACK
    )
    for old in superseded:
        if old.base != promotion.base and old.evidence and same_request(workshop, old.release) == wanted:
            moved = (
                f"{promotion.environment} moved from generation {old.base} to {promotion.base} since {old.id}"
            )
            return f"planned again, because {moved}{_said(workshop, old)}"
    return ""


def _said(workshop: Workshop, old: Promotion) -> str:
    names = [item.by for item in workshop.store.approvals(old.id) if item.decision is Decision.APPROVE]
    return f"; the yes of {names[-1]} was for that one" if names else ""
