"""DuckDB: one file that serves, side files to build in. The only module beside `duckdb_publish` that imports the driver."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import duckdb

from prefect_sluice.domain.adoption import Adopted
from prefect_sluice.domain.digests import digest_file
from prefect_sluice.domain.errors import BadInput, QueryFailed, WarehouseBusy, WarehouseDamaged
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import (
    IncomingTable,
    Publication,
    Reader,
    SealedCandidate,
    SideLinks,
    Stub,
    quoted,
)
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from prefect_sluice.warehouse.coming_and_going import Departure
from prefect_sluice.warehouse.duckdb import (
    adopt,
    backup,
    content_digests,
    estimate,
    link_views,
    opening,
    side_catalogue,
    take_back_names,
)
from prefect_sluice.warehouse.duckdb import collect as duckdb_keeping
from prefect_sluice.warehouse.duckdb import leave as duckdb_leave
from prefect_sluice.warehouse.duckdb import publish as duckdb_publish
from prefect_sluice.warehouse.duckdb import stubs as duckdb_stubs
from prefect_sluice.warehouse.duckdb.database_file import BASELINE, LIVE, catalog_name
from prefect_sluice.warehouse.duckdb.file_state import Opening, settle, stamp
from prefect_sluice.warehouse.duckdb.linker import DuckLinker
from prefect_sluice.warehouse.duckdb.opening import CONFIG, NEW_FILE, Connect, SideOpener, plain
from prefect_sluice.warehouse.duckdb.publish_weight import PublishWeight
from prefect_sluice.warehouse.duckdb.reader import DuckReader
from prefect_sluice.warehouse.duckdb.served_state import (
    Answers,
    DuckServedReader,
    ServedState,
    StateAnswers,
    read_or_remembered,
    remembered,
)
from prefect_sluice.warehouse.duckdb.writer import Writer
from prefect_sluice.warehouse.inventory import Backup, Collection, Inventory
from prefect_sluice.warehouse.publishing import Forecast, PublishRule, Told

_NOT_YET = "there is no warehouse yet"


class DuckDB(StateAnswers):
    """The warehouse in one DuckDB file. `patience`: how long to try while another process holds the file."""

    dialect = "duckdb"

    def __init__(
        self,
        path: Path,
        *,
        store: str = "sluice_store",
        patience: timedelta = timedelta(seconds=5),
        rule: PublishRule = PublishRule(),  # noqa: B008  # frozen
        room: SideOpener = SideOpener(),  # noqa: B008  # frozen
        ours: Path | None = None,
        answers: Answers | None = None,
    ) -> None:
        """Serve from `path`; nothing is opened yet. `room`: how side databases are opened, in which folder (`ours`; None: that of
        the file); `answers`: what a run read already."""
        self.path = path
        self._ours = ours or path.parent
        self.catalog = catalog_name(path)
        self.store = store
        self.linker = DuckLinker(self.catalog)
        self._patience = patience
        self._rule = rule
        self._room = room
        self._answers: Answers = {} if answers is None else answers

    @contextmanager
    def reader(self) -> Generator[DuckServedReader]:
        """See Warehouse."""
        if not self.path.exists():
            raise BadInput(_NOT_YET, str(self.path), "release something first: sluice release")
        with self._open_to_read(self._room.open) as (connection, at):
            yield DuckServedReader(connection, self, self.catalog, at, self._answers)

    def _state(self) -> ServedState:
        """Return what the served file says of itself: opened where that is not known."""
        if not self.path.exists():
            return ServedState()
        state = remembered(self._answers, self.path, stamp(self.path))
        if state is not None:
            return state
        with self._open_to_read(plain) as (connection, at):
            return read_or_remembered(self._answers, self.path, at, connection)

    @contextmanager
    def _opened(self) -> Generator[duckdb.DuckDBPyConnection]:
        with self._open_to_read(plain) as (connection, _):
            yield connection

    @contextmanager
    def _open_to_read(self, connect: Connect) -> Generator[tuple[duckdb.DuckDBPyConnection, str]]:
        """Open the served file in one transaction, and give the stamp of what was opened; "" where that cannot be told."""
        at = Opening(self.path)
        with self._open(self.path, read_only=True, connect=connect) as connection:
            connection.execute("begin transaction")
            yield connection, at.stamp()

    def side(self, work: str) -> CandidatePlace:
        """See Warehouse."""
        return self.place(f"{work}/side/{self.path.name}")

    def place(self, at: str) -> CandidatePlace:
        """See Warehouse."""
        return CandidatePlace(at, self._ours / at)

    def prepare(self, side: CandidatePlace, stubs: Sequence[Stub]) -> tuple[Name, ...]:
        """See Warehouse."""
        file = self._ours / side.at
        opening.remove(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._room.entered(), self._open(file, new=True, connect=self._room.open) as connection:
            self._attach_live(connection)
            for schema in sorted({stub.name.schema for stub in stubs}):
                connection.execute(f"create schema if not exists {quoted(self.catalog, schema)}")
            return duckdb_stubs.place(connection, stubs, self.catalog)

    def take(self, side: CandidatePlace, candidate: CandidatePlace, tables: Sequence[IncomingTable]) -> None:
        """See Warehouse."""
        file = self._ours / candidate.at
        with self._open(self._ours / side.at) as connection:
            self._attach(connection, file, duckdb_publish.CANDIDATE)
            try:
                link_views.copy(connection, tables)
            except duckdb.Error as error:
                raise QueryFailed(f"{file}: {str(error).splitlines()[0]}") from error

    @contextmanager
    def candidate(self, side: CandidatePlace, baseline: CandidatePlace | None = None) -> Generator[Reader]:
        """See Warehouse."""
        with self._open(self._ours / side.at, read_only=True, connect=self._room.open) as connection:
            self._attach_live(connection)
            if baseline is not None:
                self._attach(connection, self._ours / baseline.at, BASELINE)
            self._room.confine(connection)
            for statement in side_catalogue.own_lists(self.store):
                connection.execute(statement)
            connection.execute("begin transaction")
            yield DuckReader(
                connection,
                writes=False,
                reads=partial(side_catalogue.corrected, place=side_catalogue.OWN),
                catalogs={"own": self.catalog, "live": LIVE, "baseline": BASELINE},
            )

    def seal(self, side: CandidatePlace, links: SideLinks) -> SealedCandidate:
        """See Warehouse. The digest is the SHA-256 of the file's bytes, its journal written into it."""
        file = self._ours / side.at
        there = {relation.name.folded for relation in self._state().relations} if links.live else set[Name]()
        with self._room.entered(), self._open(file, connect=self._room.open) as connection:
            self._attach_live(connection)
            self._room.confine(connection)
            for statement in side_catalogue.lists(self.store):
                connection.execute(statement)
            try:
                tried = link_views.link(connection, links, self.store, there)
                pinned = (*tried.pinned, *tried.broken)
                held = content_digests.sealed(connection, self.catalog, links, pinned, tried.unread)
                connection.execute("checkpoint")
            except duckdb.Error as error:
                raise QueryFailed(f"a relation cannot be linked: {str(error).splitlines()[0]}") from error
        return SealedCandidate(digest_file(file), tuple(tried.broken), pinned, tried.unread, held)

    def keep(self, side: CandidatePlace, name: str) -> CandidatePlace:
        """See Warehouse."""
        kept = self.place(f"{name}/{self.path.name}")
        (self._ours / kept.at).parent.mkdir(parents=True, exist_ok=True)
        (self._ours / side.at).replace(self._ours / kept.at)
        return kept

    def verify(self, candidate: CandidatePlace, digest: str) -> bool:
        """See Warehouse."""
        file = self._ours / candidate.at
        return file.is_file() and digest_file(file) == digest

    def stamp(self) -> str:
        """See Warehouse."""
        return stamp(self.path)

    def publish(
        self,
        publication: Publication,
        *,
        told: Told | None = None,
        seen: Callable[[str, str], object] | None = None,
    ) -> Generation:
        """See Warehouse."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            opening.create(self.path, partial(self._open, new=True))
        done, weight = self._check_publication(publication)
        if done is not None:
            self.empty_journal()
            return done

        def write(connection: duckdb.DuckDBPyConnection) -> Generation:
            if publication.candidate is not None and publication.tables:
                self._attach(connection, self._ours / publication.candidate.at, duckdb_publish.CANDIDATE)
            before = self.stamp()
            written = duckdb_publish.publish(connection, publication, self.store, str(self.path), self.linker)
            if seen is not None:
                # Now, or closing the file would do it, when it is nobody's any more. What is written stays written.
                with contextlib.suppress(duckdb.Error):
                    connection.execute("checkpoint")
                    settle(self.path)
                    seen(before, self.stamp())
            return written

        return self._writer.write(write, weight, told)

    def _check_publication(self, asked: Publication) -> tuple[Generation | None, PublishWeight]:
        """Return the generation if this publish is done already, and how much it will move."""
        try:
            state = self._state()
            current = state.generation(asked.generation.environment)
            same = current.number and current.promotion == asked.generation.promotion
            weight = estimate.publication(state.cells, asked, current, self.path)
            return current if same else None, weight
        except WarehouseBusy as busy:
            if not busy.ours:
                raise
            return None, PublishWeight(0, 0, 0)  # a writer of this process shares its file with writers only

    def forecast(self, relations: Sequence[Name], pointers: int) -> Forecast:
        """See Movable."""
        if not self.path.exists():
            return self._writer.forecast(PublishWeight(0, pointers, 0))
        return self._writer.forecast(estimate.relations(self._state().cells, relations, pointers, self.path))

    def adoptable(self, names: Sequence[Name]) -> tuple[Adopted, ...]:
        """See Movable."""
        if not self.path.exists():
            return ()
        taken = self.holders()
        free = [name for name in names if name.folded not in taken]
        with self._open(self.path, read_only=True) as connection:
            return adopt.adoptable(connection, free, self.store, self.linker)

    def departures(self, environment: str) -> tuple[Departure, ...]:
        """See Movable."""
        if not self.path.exists():
            return ()
        with self._open(self.path, read_only=True) as connection:
            return duckdb_leave.departures(connection, environment, self.linker)

    def leave(self, environment: str, base: int, *, told: Told | None = None) -> tuple[Name, ...]:
        """See Movable."""
        if not self.generation(environment).number:
            return ()

        def write(connection: duckdb.DuckDBPyConnection) -> tuple[Name, ...]:
            return duckdb_leave.leave(
                connection, environment, base, store=self.store, linker=self.linker, place=str(self.path)
            )

        weight = estimate.departures(self._state().cells, self.departures(environment), self.path)
        return self._writer.write(write, weight, told)

    @property
    def _writer(self) -> Writer:
        return Writer(self.path, self._rule, self._open, self._patience)

    def inventory(self, *, measured: bool = False) -> Inventory:
        """See Keeper."""
        if not self.path.exists():
            return Inventory()
        with self._open(self.path, read_only=True) as connection:
            return duckdb_keeping.inventory(connection, self.path, self.store, measured=measured)

    def collect(self, collection: Collection) -> None:
        """See Keeper."""
        with self._open(self.path) as connection:
            duckdb_keeping.collect(connection, collection, self.store, str(self.path), self.linker)

    def mend(self, environment: str, names: Mapping[Name, Name]) -> Mapping[Name, Name | None]:
        """See Keeper."""
        with self._open(self.path) as connection:
            return take_back_names.mend(connection, environment, names, str(self.path))

    def empty_journal(self) -> bool:
        """See Keeper."""
        return backup.journal_emptied(self.path, self._open)

    def back_up(self, environment: str, file: Path) -> Backup:
        """See Keeper."""
        if not self.path.exists():
            raise BadInput(_NOT_YET, str(self.path), "release something first: sluice release")
        return backup.back_up(self.path, environment, file, self._open, self._patience)

    def put_back(self, file: Path) -> None:
        """See Keeper."""
        backup.put_back(file, self.path)

    def _attach_live(self, connection: duckdb.DuckDBPyConnection) -> None:
        if self.path.exists():
            self._attach(connection, self.path, LIVE)

    def _attach(self, connection: duckdb.DuckDBPyConnection, path: Path, alias: str) -> None:
        place = str(path).replace("'", "''")
        # Hidden: whatever lists databases, schemas, relations or columns there does not show it.
        opening.patiently(
            lambda: connection.execute(f"attach '{place}' as {alias} (read_only, hidden)"),
            path,
            self._patience,
        )

    @contextmanager
    def _open(
        self,
        path: Path,
        *,
        read_only: bool = False,
        new: bool = False,
        at_once: bool = False,
        connect: Connect = plain,
    ) -> Generator[duckdb.DuckDBPyConnection]:
        config = NEW_FILE if new else CONFIG
        patience = timedelta(0) if at_once else self._patience
        connection = opening.patiently(
            lambda: connect(path, read_only=read_only, config=config), path, patience
        )
        try:
            yield connection
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            # Every query of a user's is turned into QueryFailed where it is asked: this one is about our own tables.
            why = str(error).splitlines()[0]
            raise WarehouseDamaged(
                f"what Sluice keeps there was altered ({why})", str(path), "see what is wrong: sluice doctor"
            ) from error
        finally:
            connection.close()
