"""Waiting for another one's lease, told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from prefect_sluice.domain.errors import LeaseHeld
from prefect_sluice.domain.lease_holder import holder_text
from prefect_sluice.promotions.work import tell


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who is waited for, for how long already, and how long it may take at most."""

    environment: str
    holder: str
    since: str
    waited: timedelta
    wait: timedelta

    @property
    def line(self) -> str:
        """One line that says it all: who, on which host, since when, how long."""
        passed = f"waited {_short(self.waited)} of {_short(self.wait)}"
        return f"waiting for {holder_text(self.holder)}, at work on {self.environment} since {self.since}; {passed}"


def _short(time: timedelta) -> str:
    whole = int(time.total_seconds())
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


OnWaiting = Callable[[Waiting], None]
"""Hears, some times a second, how the waiting goes."""

_hearers: ContextVar[tuple[OnWaiting, ...]] = ContextVar("hearers", default=())


@contextmanager
def watching_waits(hearer: OnWaiting) -> Generator[None]:
    """Have `hearer` hear of waiting, in this thread, while the block runs."""
    token = _hearers.set((*_hearers.get(), hearer))
    try:
        yield
    finally:
        _hearers.reset(token)


def wait_teller(environment: str, wait: timedelta) -> Callable[[LeaseHeld, timedelta], None]:
    """Return what `state.lease.hold_lease` is to call.

    Who listens to stages is told once per holder, who watches waits each time.
    """
    heard: set[str] = set()

    def told_all(held: LeaseHeld, waited: timedelta) -> None:
        waiting = Waiting(environment, held.holder, held.since, waited, wait)
        if held.holder not in heard:
            heard.add(held.holder)
            tell(waiting.line)
        for hearer in _hearers.get():
            hearer(waiting)

    return told_all
