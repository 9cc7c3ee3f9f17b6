"""Whether what a branch points at is news for an environment, or was released, judged or refused there before. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

_SERVED = frozenset({"deployed", "stable", "unchanged"})
_ENDED_BY_PEOPLE = frozenset({"rejected", "expired"})
_ENDED_BY_DATA = frozenset({"refused", "failed"})


@dataclass(frozen=True, slots=True)
class PollBase:
    """What an environment is at: its generation's number (0: none) and its release's id."""

    generation: int
    release: str


@dataclass(frozen=True, slots=True)
class PollAttempt:
    """What became of a commit in an environment. `state` is a promotion's, `base` what it started from.

    `decided` says that a yes or no was given that no run has heard yet. A try that broke before there was a promotion
    is `failed`.
    """

    commit: str
    state: str
    base: PollBase
    message: str = ""
    decided: bool = False


CHECKED_FOR = timedelta(days=7)
"""A branch whose last commit is older is checked by nobody any more, and what was found of it is kept for as long."""


@dataclass(frozen=True, slots=True)
class BranchHead:
    """A branch, and the commit that it points at, committed `at` (UTC)."""

    branch: str
    commit: str
    at: datetime


def next_to_check(
    heads: Sequence[BranchHead], patterns: Sequence[str], done: Collection[str], now: datetime
) -> BranchHead | None:
    """Return the newest head of a branch that matches, and that is not among the commits that were checked; None for none.
    What a branch pointed at before is superseded, and left out; so is what is older than `CHECKED_FOR`."""
    wanted = [
        head
        for head in heads
        if head.commit not in done
        and head.at > now - CHECKED_FOR
        and any(fnmatchcase(head.branch, pattern) for pattern in patterns)
    ]
    return max(wanted, key=lambda head: head.at, default=None)


def why_not_new(commit: str, tries: Sequence[PollAttempt], now: PollBase) -> str:
    """Return why a commit is nothing new for an environment that is at `now`, or "" if it is to be released.

    `tries` are the environment's, newest first. What served there once is not served again by itself. What the gates refused,
    or what broke, is tried again on another generation; what a person refused, on another release.
    """
    of_commit = [attempt for attempt in tries if attempt.commit == commit]
    if any(attempt.state in _SERVED for attempt in of_commit):
        return f"{commit[:7]} was released here before"
    return next((why for attempt in of_commit[:2] if (why := _still(attempt, now))), "")


def _still(tried: PollAttempt, now: PollBase) -> str:
    short, message = tried.commit[:7], f": {tried.message}" if tried.message else ""
    if tried.state == "staged" and not tried.decided and tried.base == now:
        return f"{short} waits for an approval"
    if tried.state in _ENDED_BY_PEOPLE and tried.base.release == now.release:
        return f"{short} was {tried.state}{message}"
    if tried.state in _ENDED_BY_DATA and tried.base.generation == now.generation:
        return f"{short} was tried and {tried.state}{message}"
    return ""
