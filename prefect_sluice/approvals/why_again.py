"""The reason why a promotion asks for a yes again: the environment, or its sources, moved since it was planned."""

from __future__ import annotations

from prefect_sluice.approvals.attempts import earlier_attempts
from prefect_sluice.approvals.keep_yes import EarlierYes
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.workspace.workspace import Workspace

_MOST = 3
"""So many differences are said; the rest is in the report."""


def planned_again(workspace: Workspace, promotion: Promotion, yes: EarlierYes | None) -> str:
    """Return what an approver has to know of the attempt before, in a few words; "" if there was none. `yes` is the one that
    somebody gave to an earlier attempt, and that does not count for this one."""
    before = next((old for old in earlier_attempts(workspace, promotion) if old.evidence), None)
    if before is None:
        return ""
    again = f"planned again, because {_moved(promotion, before)} since {before.id}"
    if yes is None:
        return again
    differs = "; ".join(yes.differs[:_MOST])
    more = len(yes.differs) - _MOST
    return f"{again}; the yes of {yes.approval.who} was for {yes.attempt.id}: {differs}" + (
        f" and {more} more" if more > 0 else ""
    )


def _moved(promotion: Promotion, old: Promotion) -> str:
    if old.base == promotion.base and old.policy != promotion.policy:
        return "the policy that judges it changed"
    if old.base == promotion.base:
        same = old.plan == promotion.plan
        return "its candidate was not there any more" if same else "what it is built from changed"
    return f"{promotion.environment} moved from generation {old.base} to {promotion.base}"
