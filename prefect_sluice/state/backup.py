"""A whole state store, copied as it was at one moment: into a file that is kept, and out of it into another database."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, text, update

from prefect_sluice.domain import ledger
from prefect_sluice.domain.digests import digest_file
from prefect_sluice.domain.errors import BadInput, LedgerBroken, Refused
from prefect_sluice.state import engine as database
from prefect_sluice.state import migrate
from prefect_sluice.state.codec import readable
from prefect_sluice.state.tables import LEASE, LEDGER, METADATA, PROMOTION, RELEASE, VERSION_TABLE
from prefect_sluice.state.transaction import Transaction

RESTORED = "store.restored"
"""The ledger's entry of a restore. Its facts: the number and digest of the entry before it, the file's name and SHA-256."""

_TOKENS = 1_000_000
"""By how much every lease's token is raised: the warehouse may have seen later ones, and refuses a lower one."""

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class StoreCopy:
    """What was copied: rows by table, and the ledger's last number and digest. `broken` says why its chain is not whole. `anew`
    says whether anything was written: a backup that was restored there before is not restored again."""

    rows: Mapping[str, int]
    number: int
    head: str
    broken: str = ""
    anew: bool = True


def back_up(url: str, file: Path, also: Callable[[Path], object] | None = None) -> StoreCopy:
    """Write the store at `url`, as it is at one moment, into a new SQLite file; others go on with their work.

    `also` writes more into that file, before it bears its name. The file is there whole or not at all, and is a state store
    itself. Raises BadInput when it is there already or cannot be written, and what opening a store raises.
    """
    if file.exists():
        raise BadInput("is there already", str(file), "name another file, or move that one away")
    if not file.parent.is_dir():
        raise BadInput("there is no such folder", str(file.parent), "make it, or name another one")
    with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
        fresh = Path(folder) / "state.db"
        with _opened(url) as (source, place), _opened(str(fresh)) as (target, _):
            with database.translated(place), _standing_still(source) as old, target.begin() as new:
                rows = _copied(old, new)
            with target.begin() as new:
                copied = _looked_at(new, rows, str(fresh))
        if also is not None:
            also(fresh)
        fresh.rename(file)
    return copied


def restore(
    file: Path,
    url: str,
    *,
    actor: str,
    at: datetime,
    also: Callable[[Transaction], object] | None = None,
) -> StoreCopy:
    """Write a backup into the store at `url`, which has to be empty or not there yet; all of it or nothing. `also` writes more in
    the same transaction.

    A backup that an older version made is upgraded on the way, and is itself not changed. Nobody holds a lease
    afterwards. Repeatable: where this very file was restored, nothing is changed, whatever was done there since. Raises BadInput
    for what is no backup, Refused for a store with anything else in it, LedgerBroken when the backup's chain is not whole.
    """
    _is_backup(file)
    digest = digest_file(file)
    with tempfile.TemporaryDirectory(prefix="sluice-restore-") as folder:
        fresh = Path(folder) / "state.db"
        shutil.copyfile(file, fresh)
        with (
            _opened(str(fresh)) as (source, _),
            _opened(url) as (target, place),
            database.translated(place),
            _standing_still(source) as old,
            target.begin() as new,
        ):
            transaction = Transaction(new, place)
            former = transaction.entries(event=RESTORED)
            if former and former[-1].facts.get("digest") == digest:
                return _there_already(old, former[-1])
            _is_empty(new, place)
            rows = _copied(old, new)
            _go_on_counting(new)
            copied = _looked_at(new, rows, str(file))
            if copied.broken:
                raise LedgerBroken(copied.number, copied.broken)
            facts = {"number": copied.number, "head": copied.head, "file": file.name, "digest": digest}
            transaction.append(RESTORED, actor=actor, at=at, facts=facts)
            if also is not None:
                also(transaction)
    return copied


@contextmanager
def _opened(url: str) -> Generator[tuple[Engine, str]]:
    engine, place = database.connect(url)
    try:
        with database.translated(place):
            migrate.bring_up(engine, place)
        yield engine, place
    finally:
        engine.dispose()


@contextmanager
def _standing_still(engine: Engine) -> Generator[Connection]:
    """Give a connection whose reads all see one moment, and which keeps nobody from writing."""
    options: dict[str, object] = {database.READ: True}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def _copied(source: Connection, target: Connection) -> dict[str, int]:
    return {table.name: _table(source, target, table) for table in METADATA.sorted_tables}


def _table(source: Connection, target: Connection, table: Table) -> int:
    if table is not LEDGER:  # it is empty, and its triggers refuse a delete even so
        target.execute(delete(table))
    query = select(table).order_by(*table.primary_key.columns)
    count = 0
    with readable(f"a row of {table.name}", str(source.engine.url.database)):
        for part in source.execute(query).mappings().partitions(_AT_ONCE):
            target.execute(insert(table), [dict(row) for row in part])
            count += len(part)
    return count


def _looked_at(connection: Connection, rows: Mapping[str, int], place: str) -> StoreCopy:
    last = connection.execute(select(func.max(LEDGER.c.number))).scalar() or 0
    head = connection.execute(select(LEDGER.c.digest).where(LEDGER.c.number == last)).scalar() or ""
    try:
        ledger.verify(Transaction(connection, place).entries())
    except LedgerBroken as error:
        return StoreCopy(rows, error.number, str(head), error.why)
    return StoreCopy(rows, last, str(head))


def _there_already(backed_up: Connection, restored: ledger.LedgerEntry) -> StoreCopy:
    """Return what was copied by the restore that an entry tells of."""
    rows = {
        table.name: backed_up.execute(select(func.count()).select_from(table)).scalar() or 0
        for table in METADATA.sorted_tables
    }
    return StoreCopy(rows, int(str(restored.facts["number"])), str(restored.facts["head"]), anew=False)


def _go_on_counting(connection: Connection) -> None:
    """Nobody holds a lease of before; tokens and the order of rows go on above all that were ever given."""
    free = {"token": LEASE.c.token + _TOKENS, "holder": "", "acquired_at": None, "expires_at": None}
    connection.execute(update(LEASE).values(free))
    if connection.dialect.name != "postgresql":
        return
    for table in METADATA.sorted_tables:
        if "seq" in table.c:
            go_on = (
                f"SELECT setval(pg_get_serial_sequence('{table.name}', 'seq'), max(seq)) FROM {table.name}"
            )
            connection.execute(text(go_on))


def _is_empty(connection: Connection, place: str) -> None:
    for table in (LEDGER, RELEASE, PROMOTION):
        if connection.execute(select(func.count()).select_from(table)).scalar():
            fix = "restore into a new database, or move that file away, and then name it: state, or SLUICE_STATE"
            raise Refused(f"{place} holds a state store already, and what it knows is not thrown away", fix)


def _is_backup(file: Path) -> None:
    """Raise BadInput for what holds no state store: opening it would make one of it."""
    fix = "name a file that this made: sluice backup"
    if not file.is_file():
        raise BadInput("there is no such file", str(file), fix)
    try:
        with closing(
            sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        ) as connection:
            sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
            tables = connection.execute(sql, [VERSION_TABLE]).fetchone()[0]
    except sqlite3.Error as error:
        raise BadInput("is not a backup of a state store", str(file), fix) from error
    if not tables:
        raise BadInput("is not a backup of a state store", str(file), fix)
