"""What is said of a publish, before it and afterwards: which way it goes, and for how long it locks readers out. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class PublishMode(StrEnum):
    """IN_PLACE: readers are locked out while it lasts. COPY: nobody waits; readers see it when they connect again."""

    IN_PLACE = "in_place"
    COPY = "copy"

    @property
    def words(self) -> str:
        """The way, as a sentence has it."""
        return "in place" if self is PublishMode.IN_PLACE else "by a copy"


@dataclass(frozen=True, slots=True)
class PublishRule:
    """What sluice.yml says: `way` None chooses by itself, and takes a copy where readers would wait longer than `lock`."""

    way: PublishMode | None = None
    lock: timedelta = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Which way a publish will go and why, what it locks readers out for and takes in all, and what it needs on disk.

    `brings` is what comes into the file, `needs` and `free` are bytes where it lies (a clone may need less), all estimates.
    """

    way: PublishMode
    why: str
    lock: timedelta
    takes: timedelta
    brings: int
    needs: int
    free: int

    def facts(self) -> dict[str, str | int | float]:
        """Return it for --json, times in milliseconds."""
        return {
            "way": self.way.value,
            "why": self.why,
            "lock_ms": _milliseconds(self.lock),
            "takes_ms": _milliseconds(self.takes),
            "brings_bytes": self.brings,
            "needs_bytes": self.needs,
            "free_bytes": self.free,
        }


@dataclass(frozen=True, slots=True)
class Published:
    """How a publish went. `locked`: for how long no reader could open the file; `writers`: no other writer."""

    way: PublishMode
    why: str
    locked: timedelta
    writers: timedelta

    def facts(self) -> dict[str, str | float]:
        """Return it for the ledger and for --json, times in milliseconds."""
        return {
            "way": self.way.value,
            "why": self.why,
            "lock_ms": _milliseconds(self.locked),
            "writers_ms": _milliseconds(self.writers),
        }


Told = Callable[[Published], object]
"""Hears how a publish went, once it is done."""


def _milliseconds(time: timedelta) -> float:
    return round(time.total_seconds() * 1000, 1)
