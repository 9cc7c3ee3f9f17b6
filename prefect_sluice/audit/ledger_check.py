"""What has to hold of the ledger before anything is published: it goes on from where the last publish left it, unbroken."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.ledger import START, Entry, Head, verify
from prefect_sluice.workspace.workspace import Place, Workshop


@dataclass(frozen=True, slots=True)
class Proof:
    """Entries of the ledger that were verified, from the last publish in an environment on, and the place of the last one."""

    head: Head
    entries: tuple[Entry, ...]


def proven(workshop: Workshop, place: Place) -> Proof:
    """Verify the ledger since the last publish that this state store knows of, whose generation names its head then.

    What is before that place was verified by that publish. Repeatable. Raises LedgerBroken, and Refused for a ledger that
    does not have that entry: one that was set back, or is another one.
    """
    last = _published(workshop, place)
    if last is None or last.head is None:
        return since(workshop, START, "nothing")
    return since(workshop, last.head, f"generation {last.number} of {place.name}")


def since(workshop: Workshop, head: Head, whose: str) -> Proof:
    """Verify the entries after `head`, which is where `whose` publish found the ledger. Raises LedgerBroken, Refused."""
    if head == START:
        entries = workshop.store.entries()
        return Proof(verify(entries), entries)
    entries = workshop.store.entries(after=head.number - 1)
    if not entries or (entries[0].number, entries[0].digest) != (head.number, head.digest):
        raise Refused(
            f"the ledger does not have entry {head.number} ({head.digest[:12]}), after which {whose} was published: it was"
            " set back, or is another one",
            "restore the state store from a newer backup, or put the right one back; sluice doctor says what else is missing",
        )
    return Proof(verify(entries[1:], after=head), entries[1:])


def _published(workshop: Workshop, place: Place) -> Generation | None:
    """Return the newest generation that this state store knows: after an older backup was restored there are newer ones."""
    history = workshop.warehouse(place).history(place.name)
    return next((item for item in history if workshop.store.promotion(item.promotion) is not None), None)
