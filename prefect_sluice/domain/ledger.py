"""The append-only history: entries chained by their digests, and the present as a fold over them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict, cast

from prefect_sluice.domain.digests import Json, canonical, digest
from prefect_sluice.domain.errors import LedgerBroken

FIRST = "0" * 64
"""What the first entry names as the one before it."""

GENERATION_WRITTEN = "generation.written"
"""The event that changes what an environment serves. Its facts: generation, release, promotion, cause."""

LEFT = "environment.left"
"""The event after which an environment serves plain relations, and nothing of ours. Its facts: generation, release."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One thing that happened. `number` counts from 1, `at` is UTC, `before` is the last entry's digest."""

    number: int
    at: datetime
    event: str
    environment: str
    actor: str
    facts: Mapping[str, Json]
    before: str

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical JSON of all fields, 64 hexadecimal digits."""
        return digest(
            {
                "number": self.number,
                "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
                "event": self.event,
                "environment": self.environment,
                "actor": self.actor,
                "facts": self.facts,
                "before": self.before,
            }
        )


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """A place in the ledger: the number of an entry and its digest."""

    number: int
    digest: str


START = LedgerHead(0, FIRST)
"""The place before the first entry."""


class ServedNow(TypedDict):
    """What an environment serves: a generation, by number, and the release and promotion behind it, by id."""

    generation: int
    release: str
    promotion: str


def chain(
    previous: LedgerEntry | None,
    *,
    event: str,
    actor: str,
    at: datetime,
    environment: str = "",
    facts: Mapping[str, Json] | None = None,
) -> LedgerEntry:
    """Return the entry that follows `previous` (None: the first one).

    `at` is any time with a zone; the facts are copied, as plain JSON. Raises ValueError for a time without
    a zone and for NaN or infinity in the facts, TypeError for what JSON has no word for.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone")
    return LedgerEntry(
        number=previous.number + 1 if previous else 1,
        at=at.astimezone(UTC),
        event=event,
        environment=environment,
        actor=actor,
        # A copy through JSON: what is read back later is then equal to what was written now.
        facts=cast("dict[str, Json]", json.loads(canonical(facts or {}))),
        before=previous.digest if previous else FIRST,
    )


def verify(entries: Iterable[LedgerEntry], *, after: LedgerHead = START, head: str = "") -> LedgerHead:
    """Check that `entries`, the whole ledger in order, follow from one another; return the last one's place. Raises LedgerBroken.

    With `after`, they are those that follow a place which was verified before.

    Entries cut off at the end, a change of the very last entry, and a ledger written anew from the first
    changed entry on cannot be seen from the entries alone: for these give `head`, the digest of the last
    entry as it was noted elsewhere (a checkpoint). It must be the digest of the last entry given.
    """
    before, number = after.digest, after.number
    for number, entry in enumerate(entries, start=after.number + 1):
        if entry.number != number:
            raise LedgerBroken(number, f"entry {entry.number} stands in its place")
        if entry.before != before:
            raise LedgerBroken(
                number, f"it follows {entry.before[:12]}, the entry before it is {before[:12]}"
            )
        before = entry.digest
    if head and head != before:
        raise LedgerBroken(number, f"its digest is {before[:12]}, the checkpoint says {head[:12]}")
    return LedgerHead(number, before)


def fold(entries: Iterable[LedgerEntry]) -> dict[str, ServedNow]:
    """Return what each environment serves after `entries`; one that never had a generation is left out.

    Raises LedgerBroken when an entry says that a generation was written, but not which.
    """
    present: dict[str, ServedNow] = {}
    for entry in entries:
        if entry.event == GENERATION_WRITTEN:
            present[entry.environment] = _written(entry)
        elif entry.event == LEFT:
            present.pop(entry.environment, None)
    return present


def _written(entry: LedgerEntry) -> ServedNow:
    match entry.facts:
        case {"generation": int(generation), "release": str(release), "promotion": str(promotion)}:
            return ServedNow(generation=generation, release=release, promotion=promotion)
        case _:
            raise LedgerBroken(entry.number, "it does not say which generation was written")
