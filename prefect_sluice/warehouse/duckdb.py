"""DuckDB: one file that serves, side files to build in. The only module beside `duckdb_publish` that imports the driver."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic

import duckdb

from prefect_sluice.canonical import digest_file
from prefect_sluice.errors import BadInput, QueryFailed, WarehouseBusy, WarehouseDamaged
from prefect_sluice.generation import Generation, Pointer
from prefect_sluice.node import Name
from prefect_sluice.warehouse import duckdb_links, duckdb_publish
from prefect_sluice.warehouse.base import (
    LIVE,
    Column,
    Links,
    Publication,
    Reader,
    Rows,
    Sealed,
    Served,
    Stub,
    quoted,
)
from prefect_sluice.warehouse.duckdb_name import catalog_name
from prefect_sluice.warehouse.duckdb_sql import DuckLinker
from prefect_sluice.warehouse.duckdb_stamp import settle, stamp

CONFIG: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": "false"}
NEW_FILE = {**CONFIG, "default_block_size": "16384"}
"""1,000 small tables take 16 MiB instead of 250 with blocks of 16 KiB (measured)."""

_STEP = 0.05
_OURSELVES = "this very process"
_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")


class DuckReader:
    """A Reader over one connection, in one transaction."""

    dialect = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Read through `connection`, which the caller opens and closes."""
        self._connection = connection

    def query(self, sql: str) -> Rows:
        """Return all rows. Raises QueryFailed."""
        try:
            answer = self._connection.execute(sql)
            names = tuple(str(column[0]) for column in answer.description or ())
            return Rows(names, tuple(tuple(row) for row in answer.fetchall()))
        except duckdb.Error as error:
            raise QueryFailed(str(error).splitlines()[0], sql) from error

    def columns(self, relation: str) -> Sequence[Column]:
        """Return the columns of a relation, in order. Raises QueryFailed."""
        described = self.query(f"describe select * from {relation}")
        return tuple(Column(str(row[0]), str(row[1])) for row in described.rows)


class DuckDB:
    """The warehouse in one DuckDB file. `patience`: how long to try while another process holds the file."""

    dialect = "duckdb"

    def __init__(
        self, path: Path, *, store: str = "sluice_store", patience: timedelta = timedelta(seconds=5)
    ) -> None:
        """Serve from `path`; nothing is opened yet."""
        self.path = path
        self.catalog = catalog_name(path)
        self.store = store
        self.linker = DuckLinker(self.catalog)
        self._patience = patience

    @contextmanager
    def reader(self) -> Generator[Reader]:
        """See Warehouse."""
        if not self.path.exists():
            raise BadInput(
                "there is no warehouse yet", str(self.path), "release something first: sluice release"
            )
        with self._open(self.path, read_only=True) as connection:
            connection.execute("begin transaction")
            yield DuckReader(connection)

    def generation(self, environment: str, number: int | None = None) -> Generation:
        """See Warehouse."""
        if not self.path.exists():
            return duckdb_publish.load(None, environment, number)
        with self._open(self.path, read_only=True) as connection:
            return duckdb_publish.load(connection, environment, number)

    def history(self, environment: str) -> tuple[Generation, ...]:
        """See Warehouse."""
        if not self.path.exists():
            return ()
        with self._open(self.path, read_only=True) as connection:
            return duckdb_publish.history(connection, environment)

    def kept(self, environment: str) -> tuple[Pointer, ...]:
        """See Warehouse."""
        if not self.path.exists():
            return ()
        with self._open(self.path, read_only=True) as connection:
            return duckdb_publish.kept(connection, environment)

    def relations(self) -> tuple[Served, ...]:
        """See Warehouse."""
        if not self.path.exists():
            return ()
        with self._open(self.path, read_only=True) as connection:
            return duckdb_publish.served(connection, self.store)

    def prepare(self, side: Path, stubs: Sequence[Stub]) -> tuple[Name, ...]:
        """See Warehouse."""
        _remove(side)
        side.parent.mkdir(parents=True, exist_ok=True)
        with self._open(side, new=True) as connection:
            self._attach_live(connection)
            for schema in sorted({stub.name.schema for stub in stubs}):
                connection.execute(f"create schema if not exists {quoted(self.catalog, schema)}")
            return _place_all(connection, stubs, self.catalog)

    @contextmanager
    def candidate(self, side: Path) -> Generator[Reader]:
        """See Warehouse."""
        with self._open(side, read_only=True) as connection:
            self._attach_live(connection)
            connection.execute("begin transaction")
            yield DuckReader(connection)

    def seal(self, side: Path, links: Links) -> Sealed:
        """See Warehouse."""
        with self._open(side) as connection:
            self._attach_live(connection)
            try:
                broken, pinned = duckdb_links.link(connection, links, self.store)
                connection.execute("checkpoint")
            except duckdb.Error as error:
                raise QueryFailed(f"a relation cannot be linked: {str(error).splitlines()[0]}") from error
        return Sealed(digest_file(side), broken, pinned)

    def stamp(self) -> str:
        """See Warehouse."""
        return stamp(self.path)

    def publish(
        self, publication: Publication, *, seen: Callable[[str, str], object] | None = None
    ) -> Generation:
        """See Warehouse."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            self._create()
        with self._open(self.path) as connection:
            if publication.candidate is not None and publication.tables:
                self._attach(connection, publication.candidate, duckdb_publish.CANDIDATE)
            before = self.stamp()
            written = duckdb_publish.publish(connection, publication, self.store, str(self.path))
            if seen is not None:
                # Now, or closing the file would do it, when it is nobody's any more. What is written stays written.
                with contextlib.suppress(duckdb.Error):
                    connection.execute("checkpoint")
                    settle(self.path)
                    seen(before, self.stamp())
            return written

    def _create(self) -> None:
        # Made under another name first: who dies while DuckDB writes its headers would leave a broken warehouse.
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        _remove(fresh)
        with self._open(fresh, new=True):
            pass
        with contextlib.suppress(FileExistsError):
            os.link(fresh, self.path)
        fresh.unlink()

    def _attach_live(self, connection: duckdb.DuckDBPyConnection) -> None:
        if self.path.exists():
            self._attach(connection, self.path, LIVE)

    def _attach(self, connection: duckdb.DuckDBPyConnection, path: Path, alias: str) -> None:
        place = str(path).replace("'", "''")
        self._patiently(lambda: connection.execute(f"attach '{place}' as {alias} (read_only)"), path)

    @contextmanager
    def _open(
        self, path: Path, *, read_only: bool = False, new: bool = False
    ) -> Generator[duckdb.DuckDBPyConnection]:
        config = NEW_FILE if new else CONFIG
        connection = self._patiently(
            lambda: duckdb.connect(str(path), read_only=read_only, config=dict(config)), path
        )
        try:
            yield connection
        finally:
            connection.close()

    def _patiently(
        self, attempt: Callable[[], duckdb.DuckDBPyConnection], path: Path
    ) -> duckdb.DuckDBPyConnection:
        deadline = monotonic() + self._patience.total_seconds()
        pause = threading.Event()
        while True:
            try:
                return attempt()
            except duckdb.Error as error:
                failure = _translated(error, path)
                if not isinstance(failure, WarehouseBusy) or monotonic() > deadline:
                    raise failure from error
                if failure.holder == _OURSELVES:
                    gc.collect()  # a connection that nobody uses any more is open until it is collected
                pause.wait(_STEP)


def _translated(error: duckdb.Error, path: Path) -> Exception:
    text = str(error)
    if "lock on file" in text:
        found = _HOLDER.search(text)
        holder = f"process {found['pid']} ({Path(found['program']).name})" if found else ""
        return WarehouseBusy(str(path), holder)
    if isinstance(error, duckdb.ConnectionException) and "different configuration" in text:
        return WarehouseBusy(str(path), _OURSELVES)
    first = text.splitlines()[0]
    if "not a valid DuckDB database" in text or isinstance(
        error, (duckdb.SerializationException, duckdb.InternalException)
    ):
        return WarehouseDamaged(
            "is not a readable DuckDB file", str(path), "restore it from a backup, or move it away"
        )
    if isinstance(error, duckdb.IOException):
        return WarehouseDamaged(
            f"cannot be opened ({first})",
            str(path),
            "check the path, its rights and the DuckDB version that wrote it",
        )
    return QueryFailed(first)


def _place_all(
    connection: duckdb.DuckDBPyConnection, stubs: Sequence[Stub], catalog: str
) -> tuple[Name, ...]:
    """Place the stubs, and return the names of those that cannot be: a view may read one that is placed after it."""
    missing = list(stubs)
    while failed := [stub for stub in missing if not _place(connection, stub, catalog)]:
        if len(failed) == len(missing):
            break
        missing = failed
    return tuple(stub.name for stub in failed)


def _place(connection: duckdb.DuckDBPyConnection, stub: Stub, catalog: str) -> bool:
    what = "table" if stub.clone else "view"
    source = quoted(LIVE, stub.source.schema, stub.source.identifier)
    try:
        connection.execute(
            f"create {what} {quoted(catalog, stub.name.schema, stub.name.identifier)} as select * from {source}"
        )
    except duckdb.Error:
        # A view in the warehouse that itself no longer works. Whoever needs it hears of it from dbt, by name.
        return False
    return True


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".wal").unlink(missing_ok=True)
