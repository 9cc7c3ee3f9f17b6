"""Old public names: a view over what is served under a new one, for a while after the rename. Pure.

It is a pointer like any other, to the relation that the new name's pointer leads to: the same transaction writes both, a
rollback writes both again, and what stands there is compared with it like any public name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.generation import OLD_NAME, Generation, Pointer
from prefect_sluice.domain.node import Name, NodeKind

_DAYS = "+"
"""How the end of an old name begins that is not published yet: so many days after that."""


@dataclass(frozen=True, slots=True)
class OldName:
    """`name` is the old public name of what is served as `new`. `until` is the first day (UTC, ISO 8601) that it need not be
    there; "+30": so many days after its first publish."""

    name: Name
    new: Name
    until: str

    @property
    def told(self) -> str:
        """What it is and when it ends, in words."""
        if self.until.startswith(_DAYS):
            return f"stays for {count(int(self.until.removeprefix(_DAYS)), 'day')} as a view over {self.new}"
        return f"old name of {self.new}, goes on {self.until}"

    @property
    def words(self) -> str:
        """The same with its name."""
        return f"{self.name}: {self.told}"

    def document(self) -> Json:
        """Return it as JSON."""
        return {"name": str(self.name), "new": str(self.new), "until": self.until}

    def is_over(self, today: date) -> bool:
        """Say whether its day has come."""
        return not self.until.startswith(_DAYS) and date.fromisoformat(self.until) <= today


def fresh(name: Name, new: Name, days: timedelta) -> OldName:
    """Return the old name that a rename leaves for so many days from its publish."""
    return OldName(name, new, f"{_DAYS}{days.days}")


def read(document: Json) -> tuple[OldName, ...]:
    """Read a list of what `document` wrote."""
    entries = cast("list[Mapping[str, Any]]", document)
    return tuple(
        OldName(Name.parse(entry["name"]), Name.parse(entry["new"]), entry["until"]) for entry in entries
    )


def of(generation: Generation) -> tuple[OldName, ...]:
    """Return the old names that a generation serves, in order."""
    return tuple(of_pointer(pointer) for pointer in generation.pointers if pointer.is_old_name)


def of_pointer(pointer: Pointer) -> OldName:
    """Return the old name that a pointer stands for."""
    until, _, new = pointer.node.removeprefix(OLD_NAME).partition(".")
    return OldName(pointer.name, Name.parse(new), until)


def _pointer(old: OldName, address: Name) -> Pointer:
    # A view, so that nobody takes it for what has a history; without a fingerprint, so that nothing is reused by it.
    return Pointer(old.name, address, f"{OLD_NAME}{old.until}.{old.new}", NodeKind.VIEW, "", "")


def pointers(items: Iterable[OldName], served: Iterable[Pointer]) -> tuple[Pointer, ...]:
    """Return the pointers of old names beside those that are `served`: none where the new name leads nowhere, nor where
    something else has the old one."""
    there = {pointer.name.folded: pointer.address for pointer in served}
    return tuple(
        _pointer(old, there[old.new.folded])
        for old in items
        if old.new.folded in there and old.name.folded not in there
    )


def dated(unpublished: Iterable[Pointer], today: date) -> tuple[Pointer, ...]:
    """Return pointers as they are published on a day (UTC): new old names get their end, and those whose day has come go."""
    return tuple(
        _on(pointer, today) if pointer.is_old_name else pointer
        for pointer in unpublished
        if not (pointer.is_old_name and of_pointer(pointer).is_over(today))
    )


def _on(pointer: Pointer, today: date) -> Pointer:
    old = of_pointer(pointer)
    if not old.until.startswith(_DAYS):
        return pointer
    last = today + timedelta(days=int(old.until.removeprefix(_DAYS)))
    return _pointer(OldName(old.name, old.new, last.isoformat()), pointer.address)


def following(
    old_names_now: Iterable[OldName],
    renamed: Iterable[tuple[Name, Name]],
    today: Collection[Name],
    days: timedelta,
) -> tuple[OldName, ...]:
    """Return the old names that are served next: `old_names_now`, and what is `renamed` now (old and new names).

    `today` are the folded names that something else bears. An old name ends where its new one does, gives way to what takes
    its name, and follows a relation that is renamed again, until its own day. Without `days` there are none.
    """
    if not days:
        return ()
    pairs = {old.folded: (old, new) for old, new in renamed}
    moved = {key: new for key, (_, new) in pairs.items()}
    kept = [OldName(old.name, moved.get(old.new.folded, old.new), old.until) for old in old_names_now]
    candidates = [*kept, *(fresh(old, new, days) for old, new in pairs.values())]
    return tuple(old for old in candidates if old.new.folded in today and old.name.folded not in today)
