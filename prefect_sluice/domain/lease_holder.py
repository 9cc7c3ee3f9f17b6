"""Who holds a lease: a run in a process on a machine, written as one line and read back."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HOLDER = re.compile(
    r"(?P<user>.*)@(?P<host>[^@\s]+) pid (?P<pid>\d+)(?: start (?P<start>\d+))?(?: run (?P<run>[0-9a-f]+))?"
)


_CHECKS = "a check of "


def check_lease(environment: str) -> str:
    """Return the name of the lease that the checks of an environment take turns by. What publishes there has another one, the
    environment's own: the two work beside each other. Pure."""
    return f"{_CHECKS}{environment}"


def leased_text(name: str) -> str:
    """Return what is at work under a lease, as people read it. Pure."""
    return (
        f"{name} is at work:" if name.startswith(_CHECKS) else f"environment {name!r} is being worked on by"
    )


@dataclass(frozen=True, slots=True)
class Holder:
    """A run of a user in a process on a host.

    `start` is when the process began, in clock ticks since boot ("" where nobody knows), so that a later process of
    the same number is not taken for it; `run` tells two runs in one process apart ("": an older version wrote it).
    """

    user: str
    host: str
    pid: int
    start: str = ""
    run: str = ""

    def __str__(self) -> str:
        start = f" start {self.start}" if self.start else ""
        return f"{self.user}@{self.host} pid {self.pid}{start}" + (f" run {self.run}" if self.run else "")

    @property
    def told(self) -> str:
        """As people read it: `ada on host build-7 (pid 4242)`."""
        return f"{self.user} on host {self.host} (pid {self.pid})"


def read(text: str) -> Holder | None:
    """Return the holder written as `text`, None when it is none of ours."""
    match = _HOLDER.fullmatch(text)
    if match is None:
        return None
    return Holder(match["user"], match["host"], int(match["pid"]), match["start"] or "", match["run"] or "")


def holder_text(text: str) -> str:
    """Return a holder as people read it; what is none of ours as it is."""
    holder = read(text)
    return holder.told if holder else text
