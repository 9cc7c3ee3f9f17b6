"""What Sluice asks of a warehouse. An engine is a folder beside this module; `tests/warehouse` holds its contract.

A candidate's place is the adapter's own (`CandidatePlace`), and so is what a target means (`database.Database`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from prefect_sluice.domain.adoption import Adopted
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from prefect_sluice.warehouse.coming_and_going import Movable
from prefect_sluice.warehouse.content import RelationContent
from prefect_sluice.warehouse.inventory import Keeper
from prefect_sluice.warehouse.publishing import Told
from prefect_sluice.warehouse.served import Rereads, Served

WhichState = Literal["own", "live", "baseline"]
"""Of what is read: what the reader was opened on, what is served, and what the code that serves makes of today's data."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the warehouse describes it; `type` is the engine's own spelling."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer of a query: column names, and rows as Python values."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


class Reader(Protocol):
    """Reads relations. It never writes, and it sees one state from its first query to its last.

    `dialect` is the sqlglot name of the engine's SQL ("duckdb", "postgres").
    """

    dialect: str

    def query(self, sql: str) -> Rows:
        """Return all rows of a query. Raises QueryFailed when the engine refuses it."""
        ...

    def columns(self, relation: str) -> Sequence[Column]:
        """Return the columns of a relation (written as SQL, quoted), in order. Raises QueryFailed if there is none."""
        ...

    def at(self, name: Name, of: WhichState = "own") -> str:
        """Return a relation of one of the states as a query of this reader names it, whether it is there or not.

        "live" and "baseline" go where `candidate` opened the reader, "live" also where `reader` did.
        """
        ...

    def stop(self) -> None:
        """Have the query that runs, if any, raise QueryFailed. For another thread; the reader can be asked again."""
        ...


class ServedReader(Reader, Served, Rereads, Protocol):
    """A reader of what is served: whoever has more than one question opens it once, and hands it down.

    It answers of the state that it opened, also where another was put in its place since.
    """

    def stamp(self) -> str:
        """Return the stamp (see Warehouse) of the state that is read here, "" where that cannot be told."""
        ...


def quoted(*parts: str) -> str:
    """Return a dotted name with each part quoted, as every engine we serve reads it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


@dataclass(frozen=True, slots=True)
class Stub:
    """What stands under a public name in the side database before the build: a view over the live relation
    `source`, or a clone of it (`clone`) where the node's own history is part of what it builds. `is_view`: the catalogue
    lists it as a view, as it would with plain dbt; else as a table."""

    name: Name
    source: Name
    clone: bool = False
    is_view: bool = False


@dataclass(frozen=True, slots=True)
class IncomingTable:
    """A table of the candidate, by the name it has there, and the physical address it gets."""

    source: Name
    address: Name


@dataclass(frozen=True, slots=True)
class LinkedView:
    """A physical view: its address, and its query, in which every relation is a physical address."""

    address: Name
    sql: str


@dataclass(frozen=True, slots=True)
class Publication:
    """Everything one publish does: relations to bring in, what the tables hold, and the generation to write on top of `base`.

    `adopt` moves what stands under public names into the store first; `zero` is the generation that then serves them.
    `leaves` are schemas that the environment had for itself: they go where nothing stands in them afterwards.
    """

    generation: Generation
    base: int
    candidate: CandidatePlace | None = None
    tables: tuple[IncomingTable, ...] = ()
    views: tuple[LinkedView, ...] = ()
    adopt: tuple[Adopted, ...] = ()
    zero: Generation | None = None
    held: tuple[RelationContent, ...] = ()
    leaves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SideLinks:
    """How physical addresses hang together in a side database: the tables built there, the relations that live on
    in the served one, and the views over both, each with the public name that dbt built it under."""

    tables: tuple[IncomingTable, ...]
    live: tuple[Name, ...]
    views: tuple[tuple[LinkedView, Name], ...]


@dataclass(frozen=True, slots=True)
class SealedCandidate:
    """The digest of all that is in a candidate, which `Warehouse.verify` compares. `broken` are views that could not be linked;
    they, and other views that are served as tables, are `pinned`: tables in the side database already, at their physical address.
    `unread` are views of which no row can be read, with the engine's reason, by address: they are linked to nothing. `held` is
    what the tables hold."""

    digest: str
    broken: tuple[Name, ...]
    pinned: tuple[Name, ...]
    unread: Mapping[Name, str] = field(default_factory=dict[Name, str])
    held: tuple[RelationContent, ...] = ()


@dataclass(frozen=True, slots=True)
class References:
    """What a query reads. `relations` are names in the database itself; `files` are paths it opens directly;
    `elsewhere` are relations of other databases, as written, and calls (`query()`) that nobody can look into. Names are as
    the engine folds them (lower case). `by_name` says that some stand in a text (`query_table('main.a')`): no view over them
    can be relinked; `everything` that any relation of the database may be among them."""

    relations: tuple[Name, ...] = ()
    files: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    by_name: bool = False
    everything: bool = False


def together(read: Iterable[References]) -> References:
    """Return what several queries read, all of it. Pure."""
    queries = tuple(read)
    return References(
        tuple(sorted({name for query in queries for name in query.relations})),
        tuple(sorted({path for query in queries for path in query.files})),
        tuple(sorted({text for query in queries for text in query.elsewhere})),
        any(query.by_name for query in queries),
        any(query.everything for query in queries),
    )


@dataclass(frozen=True, slots=True)
class Engine:
    """A session of the engine: its settings that may change rows, by name in lower case and as it spells their values, and
    the version of each extension that is installed beside those it comes with."""

    settings: Mapping[str, str]
    extensions: Mapping[str, str]


class Linker(Protocol):
    """Reads and rewrites the engine's SQL, with the engine's own parser."""

    def references(self, sql: str) -> References | None:
        """Return what `sql` reads, common table expressions left out; None when the parser cannot tell."""
        ...

    def relink(self, sql: str, addresses: Mapping[Name, Name]) -> str | None:
        """Return `sql` with every relation replaced by its physical address, nothing else touched.

        None when it reads anything that is not in `addresses` (keys in lower case), or the parser cannot tell.
        """
        ...


class Warehouse(Served, Movable, Keeper, Protocol):
    """The served database of one target. Each method opens what it needs and closes it again.

    All raise WarehouseBusy when another process keeps everybody out and WarehouseDamaged when it is no database.
    `catalog` is the name the database bears; `dialect` is sqlglot's name of its SQL.
    """

    catalog: str
    dialect: str
    store: str

    @property
    def linker(self) -> Linker:
        """The engine's parser."""
        ...

    def reader(self) -> AbstractContextManager[ServedReader]:
        """Open what is served, for reading. Raises BadInput when there is no warehouse yet."""
        ...

    def stamp(self) -> str:
        """Return what is the same as long as no byte of the served database was written, "" where that cannot be told.

        Who binds to it what is read asks the reader for its own: another state may be served by now.
        """
        ...

    def side(self, work: str) -> CandidatePlace:
        """Return where a candidate is built for whom the name `work` is: a fixed place. Makes nothing."""
        ...

    def place(self, at: str) -> CandidatePlace:
        """Return the place whose `at` this is: what an older Sluice wrote down counts, too. Opens nothing."""
        ...

    def prepare(self, side: CandidatePlace, stubs: Sequence[Stub]) -> tuple[Name, ...]:
        """Make a fresh side database at `side` that bears the public name, with the stubs in it.

        Returns the names whose stub could not be made (a view that no longer works). Repeatable: replaces what is there.
        """
        ...

    def take(self, side: CandidatePlace, candidate: CandidatePlace, tables: Sequence[IncomingTable]) -> None:
        """Copy relations of a sealed side database into another one, in place of the stubs at these names.

        Repeatable. Raises QueryFailed when one is not there.
        """
        ...

    def candidate(
        self, side: CandidatePlace, baseline: CandidatePlace | None = None
    ) -> AbstractContextManager[Reader]:
        """Open a side database for reading; the reader reaches what is served, too, when there is any, and the `baseline`."""
        ...

    def seal(self, side: CandidatePlace, links: SideLinks) -> SealedCandidate:
        """Try the linked views in the side database, have all of it on disk, and return its digest.

        A view that does not give the columns of the one dbt built is named in `broken`, one that cannot be read in `unread`.
        Done once per side database.
        """
        ...

    def keep(self, side: CandidatePlace, name: str) -> CandidatePlace:
        """Move a sealed candidate to where it waits under `name`, and return that place. The next build starts afresh."""
        ...

    def verify(self, candidate: CandidatePlace, digest: str) -> bool:
        """Say whether a candidate is there and is what it was when it was sealed with this digest. Reads all of it."""
        ...

    def publish(
        self,
        publication: Publication,
        *,
        told: Told | None = None,
        seen: Callable[[str, str], object] | None = None,
    ) -> Generation:
        """Bring the relations in and write the generation, in one transaction; return what is served then.

        Nothing outside Sluice's own schemas and the public names is written. `seen` hears the stamps of before and after,
        both taken while nobody else could write.
        Done once per promotion: again is no change. Raises EnvironmentMoved when the current generation is not
        `base`, LeaseLost when a higher token has written, Refused when a public name is somebody else's, or what is
        to be adopted is not as it was planned. `told` hears which way it went and for how long readers were locked out.
        """
        ...
