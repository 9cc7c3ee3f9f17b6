"""The attempts at one request: those before a promotion, and since when it waits over all of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.promotions.candidate_files import same_request
from prefect_sluice.workspace.workspace import Workspace

_LOOK_BACK = 50
_EARLIER = frozenset({State.SUPERSEDED, State.REFUSED})
"""How an attempt may have ended that is followed by another one at the same change."""


def earlier_attempts(workspace: Workspace, promotion: Promotion) -> tuple[Promotion, ...]:
    """Return the attempts at the request of a promotion before it, newest first, that were superseded or that a gate refused:
    up to the first that ended otherwise, such as by somebody's no."""
    wanted = same_request(workspace, promotion.release)
    tried = workspace.store.promotions(environment=promotion.environment, limit=_LOOK_BACK, but=Cause.CHECK)
    earlier: list[Promotion] = []
    for old in tried:
        if old.created_at > promotion.created_at or old.id == promotion.id or old.cause.renews:
            continue
        if same_request(workspace, old.release) != wanted:
            continue
        if old.state not in _EARLIER:
            break
        earlier.append(old)
    return tuple(earlier)


def waits_since(workspace: Workspace, promotion: Promotion, waits: timedelta) -> datetime:
    """Return since when a promotion waits, UTC: planned again within the time that it may wait, it goes on waiting, and after
    that its waiting begins anew. `waits` is how long it may."""
    since = promotion.updated_at
    began: datetime | None = None
    for attempt in reversed((promotion, *earlier_attempts(workspace, promotion))):
        if began is None or attempt.created_at >= began + waits:
            began = attempt.created_at
            since = promotion.updated_at if attempt is promotion else began
    return since
