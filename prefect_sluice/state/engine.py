"""Opens the database behind the state store, and turns its errors into ours."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, IntegrityError, ProgrammingError

from prefect_sluice.domain.errors import BadInput, SluiceError
from prefect_sluice.runtime.file_modes import made_private, make_private
from prefect_sluice.runtime.redaction import concealed, mask_url

BUSY_SECONDS = 30
"""How long a statement waits for another process's lock before it is StoreBusy."""

READ = "sluice_read"
"""The execution option of a connection that only reads: on SQLite its transaction locks out nobody."""

_SQLITE_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_SQLITE_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_POSTGRES_BUSY = ("55P03", "40P01")  # lock_not_available, deadlock_detected


@dataclass(eq=False)
class StoreBusy(SluiceError):
    """Another process held the state store's lock for BUSY_SECONDS. It passes when that process is done."""

    retry: ClassVar[bool] = True
    place: str

    @property
    def problem(self) -> str:
        """How long it has been locked."""
        return f"the state store {self.place} has been locked by another process for {BUSY_SECONDS} seconds"

    @property
    def way_out(self) -> str:
        """What to do next."""
        return "run the command again when that one is done"


def connect(url: str) -> tuple[Engine, str]:
    """Return an engine for `url` (or for the SQLite file at that path), and the URL without its password.

    For SQLite the parent folder is created; the file comes with the first connection. Raises BadInput for a
    URL that is none, for another database than these two, and without psycopg. Safe to repeat.
    """
    try:
        # A path may hold what means something else in a URL.
        parsed = make_url(url) if "://" in url else URL.create("sqlite", database=url)
    except (ArgumentError, ValueError) as error:
        # Not the whole of it: what cannot be read may still hold a password.
        raise BadInput(f"{url.partition(':')[0]}://... is not a database URL", fix=_USE) from error
    if "@" in (parsed.host or ""):  # the rest of a password would be taken for the host, and shown
        what = f"{url.partition(':')[0]}://... holds more than one @"
        raise BadInput(what, fix="write an @ in the user or the password as %40")
    place = mask_url(parsed.render_as_string(hide_password=True))
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed, place), place
        case "postgresql" | "postgres":
            return _postgres(parsed, place), place
        case other:
            raise BadInput(f"{other!r} cannot hold the state store", where=place, fix=_USE)


_USE = "use sqlite:///path/to/state.db or postgresql://user@host/database"


def _sqlite(url: URL, place: str) -> Engine:
    if not url.database or url.database == ":memory:":
        raise BadInput("a state store in memory is gone with the process", where=place, fix=_USE)
    try:
        make_private(Path(url.database).parent)
    except OSError as error:
        raise BadInput(f"its folder cannot be made: {error.strerror}", where=place, fix=_USE) from error
    with suppress(OSError):  # what is wrong there SQLite says
        if not url.database.startswith("file:"):
            made_private(Path(url.database))
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Python's driver would begin transactions by itself, late and deferred; ours begin in _begin_sqlite.
    connection.isolation_level = None
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous = FULL").close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. SQLite does not wait for its lock here, whatever the time-out: so we do."""
    deadline, pause = monotonic() + BUSY_SECONDS, threading.Event()
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchall() != [("wal",)]:
                connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _SQLITE_BUSY or monotonic() > deadline:
                raise
            pause.wait(0.02)


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock first: who reads first and writes later is told "locked" without any waiting.
    reads = connection.get_execution_options().get(READ, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _postgres(url: URL, place: str) -> Engine:
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"), isolation_level="READ COMMITTED", pool_pre_ping=True
        )
    except ModuleNotFoundError as error:
        fix = "install it: pip install 'prefect-sluice[postgres]'"
        raise BadInput("the PostgreSQL driver is missing", where=place, fix=fix) from error
    event.listen(engine, "begin", _begin_postgres)
    return engine


def _begin_postgres(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'")


@contextmanager
def translated(place: str) -> Generator[None]:
    """Turn the driver's errors into StoreBusy or BadInput; a mistake of ours stays what it is."""
    try:
        yield
    except DBAPIError as error:
        ours = _meaning(error, place)
        if ours is None:
            raise
        raise ours from error


def _meaning(error: DBAPIError, place: str) -> SluiceError | None:
    connecting = error.statement is None  # there, even a programming error is a wrong URL
    ours = isinstance(error, IntegrityError | ProgrammingError) and not connecting
    if ours or not isinstance(error, DatabaseError):
        return None
    why = concealed((str(error.orig).splitlines() or ["no reason given"])[0])
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_meaning(error.orig, why, place)
    cause: Any = error.orig
    if getattr(cause, "sqlstate", None) in _POSTGRES_BUSY:
        return StoreBusy(place)
    fix = "look whether the server runs and lets this user in"
    return BadInput(f"the state store cannot be used: {why}", where=place, fix=fix)


def _sqlite_meaning(cause: sqlite3.Error, why: str, place: str) -> SluiceError:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the upper bits say more than we need
    if code in _SQLITE_BUSY:
        return StoreBusy(place)
    if code in _SQLITE_DAMAGED:
        fix = "restore it from a backup, or name another file"
        return BadInput(f"the state store is damaged: {why}", where=place, fix=fix)
    fix = "look whether the file and its folder can be written, and the disk has room"
    return BadInput(f"the state store cannot be used: {why}", where=place, fix=fix)
