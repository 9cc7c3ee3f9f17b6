"""The attempts at one request: those before a promotion, and since when it waits over all of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache, partial

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.promotions.candidate_files import same_request
from prefect_sluice.workspace.workspace import Workspace

_LOOK_BACK = 400
"""So many attempts are looked at: what waits is planned again by each refresh that publishes, be it each hour of a week."""
_READ = 20
_OF_CODE = tuple(cause for cause in Cause if cause.takes_new_code)
_EARLIER = frozenset({State.SUPERSEDED, State.REFUSED})
"""How an attempt may have ended that is followed by another one at the same change."""


def attempts(workspace: Workspace, environment: str) -> tuple[Promotion, ...]:
    """Return the last attempts to release or promote something into an environment, newest first."""
    return workspace.store.promotions(environment=environment, limit=_LOOK_BACK, causes=_OF_CODE)


def earlier_attempts(workspace: Workspace, promotion: Promotion) -> tuple[Promotion, ...]:
    """Return the attempts at the request of a promotion before it, newest first, that were superseded or that a gate refused:
    up to the first that ended otherwise, such as by somebody's no."""
    request = cache(partial(same_request, workspace))
    is_part = request(promotion.release) != (promotion.release, "")
    earlier: list[Promotion] = []
    for place, old in enumerate(attempts(workspace, promotion.environment)):
        if old.created_at > promotion.created_at or old.id == promotion.id:
            continue
        # A part is another release on another base. To know it for the same one, the release is read: of the last ones only.
        same = old.release == promotion.release
        if not (same or (is_part and place < _READ and request(old.release) == request(promotion.release))):
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
