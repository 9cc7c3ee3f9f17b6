"""The reason why a promotion asks for a yes again: the environment, or its sources, moved since it was planned."""

from __future__ import annotations

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Decision, Promotion, State
from prefect_sluice.promotions.candidate_files import same_request
from prefect_sluice.workspace.workspace import Workspace

_LOOK_BACK = 20


def planned_again(workspace: Workspace, promotion: Promotion) -> str:
    """Return what an approver has to know of the attempt before, in a few words; "" if there was none."""
    wanted = same_request(workspace, promotion.release)
    tried = workspace.store.promotions(environment=promotion.environment, limit=_LOOK_BACK, but=Cause.CHECK)
    before = [
        old for old in tried if old.id != promotion.id and same_request(workspace, old.release) == wanted
    ]
    if not before or before[0].state is not State.SUPERSEDED or not before[0].evidence:
        return ""
    old = before[0]
    return f"planned again, because {_moved(promotion, old)} since {old.id}{_describe_last_approval(workspace, old)}"


def _moved(promotion: Promotion, old: Promotion) -> str:
    if old.base == promotion.base:
        return "what it is built from changed"
    return f"{promotion.environment} moved from generation {old.base} to {promotion.base}"


def _describe_last_approval(workspace: Workspace, old: Promotion) -> str:
    names = [
        approval.who
        for approval in workspace.store.approvals(old.id)
        if approval.decision is Decision.APPROVE
    ]
    return f"; the yes of {names[-1]} was for that one" if names else ""
