"""When a refresh that was due needs no doing any more: the last attempt at one, and the rule. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

SKIPPED = "skipped"
"""How an attempt ended that a hold, a freeze, a block or another one at work kept from beginning."""
FAILED = "failed"
"""How an attempt ended that broke; any other status is one of `stages.work.Status`."""


@dataclass(frozen=True, slots=True)
class RefreshAttempt:
    """The last attempt to refresh all of an environment. Times are UTC.

    `ended` is None while it is at work, and for ever if its process died. `by` is the Prefect flow run that made it ("": none).
    """

    at: datetime
    ended: datetime | None = None
    status: str = ""
    message: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class ScheduledTime:
    """What a Prefect flow run was started for: when it was due (UTC), and the run's id."""

    due: datetime
    by: str


def answered(occasion: ScheduledTime | None, last: RefreshAttempt | None) -> str:
    """Return what took the place of a refresh that was due, or "" if it is to be done.

    An attempt that began when it was due already, and came to an end, whatever end, answers for it. One that died does not.
    """
    if occasion is None or last is None or last.ended is None:
        return ""
    if last.by == occasion.by or last.at < occasion.due:
        return ""
    done = f"skipped with the one of {moment(last.at)}" if last.status == SKIPPED else "caught up"
    by = "" if last.status == SKIPPED else f" by the refresh of {moment(last.at)}"
    return f"the refresh that was due at {moment(occasion.due)} was {done}{by}: {last.message or last.status}"


def moment(at: datetime) -> str:
    """Return a time as people read it, in UTC, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
