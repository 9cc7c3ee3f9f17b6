"""Check of the ledger before a publish: it goes on, unbroken, from where the last publish left it."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.ledger import START, LedgerEntry, LedgerHead, verify
from prefect_sluice.workspace.workspace import Environment, Workspace


@dataclass(frozen=True, slots=True)
class VerifiedEntries:
    """Entries of the ledger that were verified, from the last publish in an environment on, and the place of the last one."""

    head: LedgerHead
    entries: tuple[LedgerEntry, ...]


def proven(workspace: Workspace, environment: Environment) -> VerifiedEntries:
    """Verify the ledger since the last publish that this state store knows of, whose generation names its head then.

    What is older was verified by that publish. Repeatable. Raises LedgerBroken, and Refused for a ledger that
    does not have that entry: one that was set back, or is another one.
    """
    last = _published(workspace, environment)
    if last is None or last.head is None:
        return since(workspace, START, "nothing")
    return since(workspace, last.head, f"generation {last.number} of {environment.name}")


def since(workspace: Workspace, head: LedgerHead, whose: str) -> VerifiedEntries:
    """Verify the entries after `head`, which is where `whose` publish found the ledger. Raises LedgerBroken, Refused."""
    if head == START:
        entries = workspace.store.entries()
        return VerifiedEntries(verify(entries), entries)
    entries = workspace.store.entries(after=head.number - 1)
    if not entries or (entries[0].number, entries[0].digest) != (head.number, head.digest):
        raise Refused(
            f"the ledger does not have entry {head.number} ({head.digest[:12]}), after which {whose} was published: it was"
            " set back, or is another one",
            "restore the state store from a newer backup, or put the right one back; sluice doctor says what else is missing",
        )
    return VerifiedEntries(verify(entries[1:], after=head), entries[1:])


def longer(workspace: Workspace, proof: VerifiedEntries, since_number: int) -> VerifiedEntries:
    """Return the proof with the entries from that number on, verified up to the place of the last one in it. Repeatable. Raises
    LedgerBroken where they do not lead there."""
    entries = workspace.store.entries(after=since_number - 1)
    entries = tuple(entry for entry in entries if entry.number <= proof.head.number)
    if not entries or entries[0].number >= proof.head.number:
        return proof
    first = LedgerHead(entries[0].number, entries[0].digest)
    return VerifiedEntries(verify(entries[1:], after=first, head=proof.head.digest), entries)


def _published(workspace: Workspace, environment: Environment) -> Generation | None:
    """Return the newest generation that this state store knows: after an older backup was restored there are newer ones."""
    history = workspace.warehouse(environment).history(environment.name)
    return next(
        (generation for generation in history if workspace.store.promotion(generation.promotion) is not None),
        None,
    )
