"""Everything that stands in a warehouse, as the collector and the doctor look at it; and what they may do there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from prefect_sluice.domain.generation import Generation, Pointer
from prefect_sluice.domain.node import Name


@dataclass(frozen=True, slots=True)
class StoredRelation:
    """A relation in the store. `sql` is a view's query ("" for a table), `rows` what the engine counts, `size` its
    bytes on disk (None where nobody measured; a view has 0)."""

    address: Name
    is_view: bool
    sql: str = ""
    rows: int = 0
    size: int | None = None


@dataclass(frozen=True, slots=True)
class PublicRelation:
    """A relation outside Sluice's own schemas. `sql` is a view's query, "" for a table."""

    name: Name
    is_view: bool
    sql: str = ""


@dataclass(frozen=True, slots=True)
class PointerSpan:
    """A pointer, and the generations that have it: from `since` to before `until` (None: it serves now)."""

    environment: str
    pointer: Pointer
    since: int
    until: int | None

    def holds(self, number: int) -> bool:
        """Say whether generation `number` has this pointer."""
        return self.since <= number and (self.until is None or number < self.until)


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes that the whole database takes on disk, and those of it that hold nothing now and are written to again first."""

    size: int = 0
    free: int = 0


@dataclass(frozen=True, slots=True)
class Inventory:
    """One state of a warehouse: generations of every environment (newest first, without pointers), every pointer there
    ever was, what stands in the store and outside of it. `runs` are the collections that were committed."""

    generations: tuple[Generation, ...] = ()
    spans: tuple[PointerSpan, ...] = ()
    physical: tuple[StoredRelation, ...] = ()
    public: tuple[PublicRelation, ...] = ()
    disk: DiskUse = DiskUse()
    runs: frozenset[str] = frozenset()

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments that ever served from here."""
        return tuple(sorted({generation.environment for generation in self.generations}))

    def current(self, environment: str) -> int:
        """Return the number of the generation that serves, 0 when none does."""
        return max(
            (generation.number for generation in self.generations if generation.environment == environment),
            default=0,
        )


@dataclass(frozen=True, slots=True)
class Collection:
    """What one collection does: the relations that go, the generations that lose one and so can never be served again.

    `bases` are the current generations by environment that it was planned for; `at` is UTC. `over` are old names whose day has
    come, with their environment: their views go, and no generation has them any more. `forgets` are environments that have
    ended: all that is written of their generations goes.
    """

    run: str
    at: datetime
    drops: tuple[Name, ...]
    generations: tuple[tuple[str, int], ...]
    bases: Mapping[str, int]
    over: tuple[tuple[str, Name], ...] = ()
    forgets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of a warehouse's file, opened and read. `generation` is the one that it serves of the environment, `size` its bytes;
    `journal` says that some of it was in the journal only."""

    generation: Generation
    size: int
    journal: bool


class Keeper(Protocol):
    """A warehouse that can be looked through and cleared up. The promises of `Warehouse` hold here, too."""

    def inventory(self, *, measured: bool = False) -> Inventory:
        """Return all there is, in one state; with `measured` the size of every physical table. Changes nothing.

        Raises WarehouseDamaged when Sluice's own tables there cannot be read.
        """
        ...

    def collect(self, collection: Collection) -> None:
        """Drop the relations and the old names, and mark the generations, in one transaction; then give the room back. What is
        not our view under an old name is left.

        Done once per run: again is no change. Raises EnvironmentMoved when an environment is at another generation,
        Refused when a public name leads to one of the relations.
        """
        ...

    def mend(self, environment: str, names: Mapping[Name, Name]) -> Mapping[Name, Name | None]:
        """Make the public views `names` (to physical addresses) again, in one transaction; return those that were made.

        A table that stands there is never dropped: it gets a free name beside it, `<name>__set_aside`, which is returned
        with the view's (None where no table stood). Where the relation itself is gone, nothing is left under the name. A
        name that does not lead there by the pointers of `environment` is left as it is. Repeatable. Raises QueryFailed, and
        nothing was changed, when the engine refuses.
        """
        ...

    def empty_journal(self) -> bool:
        """Write what a killed writer left in the journal into the file, so that a plain copy of the file has everything.

        Returns False when another process holds the file, or one may not write it: the journal stays, and nothing is lost by
        that. Waits for nobody. Changes no row. Repeatable.
        """
        ...

    def back_up(self, environment: str, file: Path) -> Backup:
        """Write the served database, as it is at one moment and with what is in its journal, into the new file `file`.

        Readers go on, writers are kept out; the served file is not written to. `file` is there whole or not at all, with the
        served file's owner, rights and access list, or for its maker alone. Raises BadInput when it is there already, or there
        is no warehouse; Refused without room, or where it could not be read back.
        """
        ...

    def put_back(self, file: Path) -> None:
        """Put a backup where the database belongs, for the owner alone; it is there whole or not at all. Repeatable: the same
        bytes there are left as they are. Raises BadInput where something else is there."""
        ...
