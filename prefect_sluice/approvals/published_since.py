"""The generations that were published since another one, as the ledger has them."""

from __future__ import annotations

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.ledger import GENERATION_WRITTEN, LedgerEntry
from prefect_sluice.workspace.workspace import Workspace


def published(workspace: Workspace, environment: str, since: int) -> tuple[LedgerEntry, ...]:
    """Return the ledger's entry of each generation of an environment from generation `since` on, in order: those that are newer
    than the last one up to that number, and that one."""
    entries: list[LedgerEntry] = []
    for entry in workspace.store.entries_back(environment, GENERATION_WRITTEN):
        entries.append(entry)
        if number_of(entry) <= since:
            break
    return tuple(reversed(entries))


def other_than_refreshes(entries: tuple[LedgerEntry, ...], since: int, until: int) -> str:
    """Return what else than refreshes was published after generation `since` up to `until`, in a few words; "" for nothing. Pure.
    `entries` are those of the generations from `since` on, older ones among them or not."""
    between = [entry for entry in entries if since < number_of(entry) <= until]
    if len(between) != until - since:
        return f"what was published between generation {since} and {until} is not all in the ledger"
    other = next((entry for entry in between if entry.facts["cause"] != Cause.REFRESH.value), None)
    if other is None:
        return ""
    return f"generation {number_of(other)} was published meanwhile, by a {other.facts['cause']}"


def number_of(entry: LedgerEntry) -> int:
    """Return the number of the generation that an entry is about."""
    number = entry.facts["generation"]
    return number if isinstance(number, int) else 0
