"""What a DuckDB file says of itself, read in one go: to open one costs more than to ask it everything."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import duckdb

from prefect_sluice.domain.displaced_names import Displaced
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.generation import Generation, Pointer
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import Linker
from prefect_sluice.warehouse.content import RereadRelation
from prefect_sluice.warehouse.duckdb import content_digests, displaced_names, estimate, publish
from prefect_sluice.warehouse.duckdb.own_tables import has_tables
from prefect_sluice.warehouse.duckdb.reader import DuckReader
from prefect_sluice.warehouse.inventory import PointerSpan
from prefect_sluice.warehouse.served import ServedRelation

Connection = duckdb.DuckDBPyConnection

_RELATIONS = """
    select table_schema, table_name, table_type from information_schema.tables
    where table_catalog = current_database() order by all asc
"""


@dataclass(frozen=True, slots=True)
class ServedState:
    """One state of a file: generations of every environment (newest first, without pointers), the pointers that lead somewhere
    (see `standing_spans`), all relations, how many cells each table has (by its name in lower case), and what stands under the
    public names of each environment."""

    generations: tuple[Generation, ...] = ()
    spans: tuple[PointerSpan, ...] = ()
    relations: tuple[ServedRelation, ...] = ()
    cells: Mapping[Name, int] = field(default_factory=dict[Name, int])
    public: Mapping[str, tuple[displaced_names.PublicName, ...]] = field(
        default_factory=dict[str, tuple[displaced_names.PublicName, ...]]
    )

    def generation(self, environment: str, number: int | None = None) -> Generation:
        """See Served. One that was collected comes with those of its pointers whose relation is still there."""
        found = next((one for one in self.history(environment) if number in {None, one.number}), None)
        if found is None and number:
            raise BadInput(
                f"environment {environment!r} has no generation {number}",
                fix="see which it has: sluice history",
            )
        if found is None:
            return Generation.nothing(environment)
        pointers = (span.pointer for span in self.spans_of(environment) if span.holds(found.number))
        return replace(
            found,
            pointers=tuple(
                sorted(pointers, key=lambda pointer: (pointer.name.schema, pointer.name.identifier))
            ),
        )

    def history(self, environment: str) -> tuple[Generation, ...]:
        """See Served."""
        return tuple(one for one in self.generations if one.environment == environment)

    def kept(self, environment: str) -> tuple[Pointer, ...]:
        """See Served."""
        there = {relation.name for relation in self.relations}
        return tuple(span.pointer for span in self.spans_of(environment) if span.pointer.address in there)

    def last_generations(self, environment: str) -> Mapping[Name, int]:
        """See Served."""
        newest = next((generation.number for generation in self.history(environment)), 0)
        last: dict[Name, int] = {}
        for span in self.spans_of(environment):
            number = newest if span.until is None else span.until - 1
            last[span.pointer.address] = max(number, last.get(span.pointer.address, 0))
        return last

    def spans_of(self, environment: str) -> tuple[PointerSpan, ...]:
        """Return the pointers of an environment, oldest first."""
        return tuple(span for span in self.spans if span.environment == environment)


Answers = dict[Path, tuple[str, ServedState]]
"""What was read of which file, under which stamp (see `file_state`). Whoever asks keeps it, for as long as it is at work."""


def remembered(answers: Answers, path: Path, at: str) -> ServedState | None:
    """Return the state of the file at `path` under the stamp `at`; None where it was not read, or `at` is "": nobody can tell
    whether it was written to since."""
    stamp, state = answers.get(path, ("", None))
    return state if at and at == stamp else None


def read_or_remembered(answers: Answers, path: Path, at: str, connection: Connection) -> ServedState:
    """Return the state of the file at `path`, which `connection` has open and which had the stamp `at` as it was opened."""
    state = remembered(answers, path, at)
    if state is None:
        state = read(connection)
        if at:
            answers[path] = (at, state)
    return state


class StateAnswers(ABC):
    """See Served: each answer is taken from one state of the file, whoever has that."""

    path: Path
    store: str
    linker: Linker

    @abstractmethod
    def _state(self) -> ServedState: ...

    @abstractmethod
    def _opened(self) -> AbstractContextManager[Connection]: ...

    def generation(self, environment: str, number: int | None = None) -> Generation:
        """See Served."""
        generation = self._state().generation(environment, number)
        if generation.collected_at is None:
            return generation
        with self._opened() as connection:
            return replace(generation, pointers=publish.pointers(connection, environment, generation.number))

    def history(self, environment: str) -> tuple[Generation, ...]:
        """See Served."""
        return self._state().history(environment)

    def kept(self, environment: str) -> tuple[Pointer, ...]:
        """See Served."""
        return self._state().kept(environment)

    def last_generations(self, environment: str) -> Mapping[Name, int]:
        """See Served."""
        return self._state().last_generations(environment)

    def relations(self) -> tuple[ServedRelation, ...]:
        """See Served."""
        ours = {"sluice", self.store}
        return tuple(one for one in self._state().relations if one.name.schema not in ours)

    def holders(self) -> Mapping[Name, str]:
        """See Served."""
        return {
            span.pointer.name.folded: span.environment for span in self._state().spans if span.until is None
        }

    def displaced(self, environment: str) -> tuple[Displaced, ...]:
        """See Served."""
        return displaced_names.compared(self._state().public.get(environment, ()), self.linker)


class DuckServedReader(StateAnswers, DuckReader):
    """A ServedReader over one connection: it answers of the file that this has open, also once another has taken its place."""

    def __init__(
        self, connection: Connection, warehouse: StateAnswers, catalog: str, at: str, answers: Answers
    ) -> None:
        """Read the file of `warehouse` through `connection`, which the caller opens and closes; the file bears the name `catalog`
        there. `at` is its stamp as it was opened, "" where that cannot be told."""
        super().__init__(connection, writes=False, catalogs={"own": catalog, "live": catalog})
        self.path, self.store, self.linker = warehouse.path, warehouse.store, warehouse.linker
        self._at = at
        self._answers = answers
        self._seen: ServedState | None = None

    def stamp(self) -> str:
        """See ServedReader."""
        return self._at

    def _state(self) -> ServedState:
        if self._seen is None:  # its transaction shows one state, with a stamp or without
            self._seen = read_or_remembered(self._answers, self.path, self._at, self._connection)
        return self._seen

    def _opened(self) -> AbstractContextManager[Connection]:
        return nullcontext(self._connection)

    def reread(
        self, addresses: Sequence[Name], *, within: timedelta | None = None
    ) -> tuple[RereadRelation, ...]:
        """See Rereads."""
        with closing(self._connection.cursor()) as own:  # a session of its own: it has its own time zone
            return content_digests.reread(own, addresses, within)


def read(connection: Connection) -> ServedState:
    """Return the state of the file that the connection has open. Reads no row of anybody's.

    Whose settings the session has does not matter: a profile may set `default_order`.
    """
    relations = tuple(
        ServedRelation(Name(row[0], row[1]), row[2] == "VIEW")
        for row in connection.execute(_RELATIONS).fetchall()
    )
    cells = estimate.cells(connection)
    if not has_tables(connection):
        return ServedState(relations=relations, cells=cells)
    generations = publish.all_generations(connection)
    environments = sorted({item.environment for item in generations})
    return ServedState(
        generations,
        standing_spans(connection),
        relations,
        cells,
        {name: displaced_names.public_names(connection, name) for name in environments},
    )


def spans(connection: Connection) -> tuple[PointerSpan, ...]:
    """Return every pointer there ever was, oldest first."""
    return _spans(connection, "")


def standing_spans(connection: Connection) -> tuple[PointerSpan, ...]:
    """Return the pointers that serve, that a generation has which was not collected, or whose relation is still there; oldest
    first. They are as many as what is kept, however long an environment has lived."""
    if not has_tables(connection, "collected"):
        return spans(connection)
    return _spans(connection, _STANDING)


_STANDING = """
    where until is null
        or (address_schema, address) in (
            select (table_schema, table_name) from information_schema.tables where table_catalog = current_database()
        )
        or exists (
            select 1 from sluice.generation as kept anti join sluice.collected using (environment, number)
            where kept.environment = pointer.environment and kept.number >= since and kept.number < until
        )
"""


def _spans(connection: Connection, those: str) -> tuple[PointerSpan, ...]:
    sql = f"""
        select environment, since, until,
            schema, identifier, address_schema, address, node, kind, fingerprint, inputs
        from sluice.pointer {those} order by environment asc, since asc, schema asc, identifier asc
    """
    return tuple(
        PointerSpan(
            row[0], publish.read_pointer(row[3:]), int(row[1]), None if row[2] is None else int(row[2])
        )
        for row in connection.execute(sql).fetchall()
    )
