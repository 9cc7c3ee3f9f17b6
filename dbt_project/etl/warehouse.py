"""The raw tables: which days they hold, what is new for them, and one transaction that brings it in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import duckdb

from etl.source import COLUMNS, Source, SourceError

# these grow by days; the other tables are written whole
DAILY: Final = ("flights", "weather")
CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    # blocks of 256 KiB, the default, make a file of many small tables fifteen times as large
    "default_block_size": "16384",
    "autoinstall_known_extensions": "false",
}
READ_CSV: Final = """read_csv(
    $path, columns = $columns, nullstr = 'NA', header = true, delim = ',', quote = '"', auto_detect = false
)"""
DAY: Final = "try(make_date(year, month, day))"
# the job runs at 10:00 UTC, five in the morning in New York, when the flights of the day before have departed
LOAD_HOUR_UTC: Final = 10


class WarehouseError(Exception):
    """The warehouse file cannot be opened or written."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was written to a raw table: rows, and the days that they cover (none for a whole table)."""

    table: str
    rows: int
    days: int


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the warehouse file, made if it is not there; WarehouseError if it is in use."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(str(path), config=CONFIG)
    except (OSError, duckdb.IOException) as error:
        busy = "lock" in str(error)
        reason = "another process holds it open" if busy else _first_line(error)
        raise WarehouseError(f"cannot open the warehouse {path}: {reason}") from error
    try:
        yield connection
    finally:
        connection.close()


def load(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    through: date,
    check: Callable[[duckdb.DuckDBPyConnection, str, str], None],
) -> tuple[Loaded, ...]:
    """Bring in every day up to `through` that is not there yet, and the whole tables that differ.

    `check(connection, table, batch)` sees each temporary table before anything is written, and raises to stop
    the load. All is one transaction; a second call with the same arguments changes nothing. SourceError for
    files that do not fit, WarehouseError for rows that do not.
    """
    connection.execute("begin")
    try:
        for table in COLUMNS:
            _create(connection, table)
            _stage(connection, source, table, through)
        for table in COLUMNS:
            if _count(connection, f"new_{table}"):
                check(connection, table, f"new_{table}")
        loaded = _write(connection, through)
    except duckdb.ConstraintException as error:
        connection.execute("rollback")
        raise WarehouseError(f"a row does not fit: {_first_line(error)}") from error
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
    return loaded


def _create(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Make the raw table if it is not there."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS[table].items())
    connection.execute("create schema if not exists raw")
    connection.execute(f"create table if not exists raw.{table} ({columns}, loaded_at TIMESTAMP not null)")


def _stage(connection: duckdb.DuckDBPyConnection, source: Source, table: str, through: date) -> None:
    """Put what is new for the table into the temporary table `new_<table>`; SourceError for a bad file."""
    # a row without a valid date belongs to no day that is there: the contract has to see it
    condition = f"coalesce({DAY} <= date '{through}', true)" if table in DAILY else "true"
    with source.csv(table) as path:
        try:
            connection.execute(
                f"create or replace temp table new_{table} as select * from {READ_CSV} where {condition}",
                {"path": str(path), "columns": dict(COLUMNS[table])},
            )
        except duckdb.Error as error:
            raise SourceError(f"{table}.csv cannot be read: {_first_line(error)}") from error
    names = ", ".join(COLUMNS[table])
    if table in DAILY:
        connection.execute(f"delete from new_{table} where {DAY} in (select distinct {DAY} from raw.{table})")
    elif not _differs(connection, f"select {names} from raw.{table}", f"select {names} from new_{table}"):
        connection.execute(f"delete from new_{table}")


def _write(connection: duckdb.DuckDBPyConnection, through: date) -> tuple[Loaded, ...]:
    """Move the temporary tables into the raw ones."""
    first_day = min(_first_day(connection, table) or through for table in DAILY)
    return tuple(
        _write_days(connection, table) if table in DAILY else _write_whole(connection, table, first_day)
        for table in COLUMNS
    )


def _write_days(connection: duckdb.DuckDBPyConnection, table: str) -> Loaded:
    """Add the new days, each stamped with the morning after it."""
    days = _scalar(connection, f"select count(distinct {DAY}) from new_{table}")
    connection.execute(
        f"insert into raw.{table} by name "
        f"select *, {DAY} + to_days(1) + to_hours({LOAD_HOUR_UTC}) as loaded_at from new_{table}"
    )
    return Loaded(table, _count(connection, f"new_{table}"), days)


def _write_whole(connection: duckdb.DuckDBPyConnection, table: str, day: date) -> Loaded:
    """Put the new rows in place of the old ones, if there are any, stamped with the morning after `day`."""
    rows = _count(connection, f"new_{table}")
    if rows:
        morning = day + timedelta(days=1)
        connection.execute(f"delete from raw.{table}")
        connection.execute(
            f"insert into raw.{table} by name "
            f"select *, cast($morning as date) + to_hours({LOAD_HOUR_UTC}) as loaded_at from new_{table}",
            {"morning": morning},
        )
    return Loaded(table, rows, 0)


def _differs(connection: duckdb.DuckDBPyConnection, left: str, right: str) -> bool:
    """Whether two queries give different rows, however ordered."""
    return bool(
        _scalar(
            connection,
            f"select count(*) from (({left} except all {right}) union all ({right} except all {left}))",
        )
    )


def _first_day(connection: duckdb.DuckDBPyConnection, table: str) -> date | None:
    """The earliest of the new days."""
    row = connection.execute(f"select min({DAY}) from new_{table}").fetchone()
    return row[0] if row else None


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Number of rows."""
    return _scalar(connection, f"select count(*) from {table}")


def _scalar(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The one number that a query gives."""
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _first_line(error: Exception) -> str:
    """What a driver says, without the excerpt and the advice below it."""
    return str(error).partition("\n")[0]
