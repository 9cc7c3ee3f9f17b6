"""What stands in a side database before dbt builds in it: a view, or a copy, for each public name that is not rebuilt."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import Stub, quoted
from prefect_sluice.warehouse.duckdb.database_file import LIVE
from prefect_sluice.warehouse.duckdb.side_catalogue import MARK


def place(connection: duckdb.DuckDBPyConnection, stubs: Sequence[Stub], catalog: str) -> tuple[Name, ...]:
    """Place the stubs, and return the names of those that cannot be: a view may read one that is placed after it."""
    if _all_at_once(connection, stubs, catalog):
        return ()
    missing = list(stubs)
    while failed := [stub for stub in missing if not _place(connection, stub, catalog)]:
        if len(failed) == len(missing):
            break
        missing = failed
    return tuple(stub.name for stub in failed)


def _all_at_once(connection: duckdb.DuckDBPyConnection, stubs: Sequence[Stub], catalog: str) -> bool:
    """Place all stubs in one transaction, a quarter of the time; say whether it could be done."""
    connection.execute("begin transaction")
    placed = all(_place(connection, stub, catalog) for stub in stubs)
    connection.execute("commit" if placed else "rollback")
    return placed


def _place(connection: duckdb.DuckDBPyConnection, stub: Stub, catalog: str) -> bool:
    what = "table" if stub.clone else "view"
    source = quoted(LIVE, stub.source.schema, stub.source.identifier)
    mark = "" if stub.clone or stub.is_view else f" as {MARK}"
    try:
        connection.execute(
            f"create {what} {quoted(catalog, stub.name.schema, stub.name.identifier)} as select * from {source}{mark}"
        )
    except duckdb.Error:
        return False  # a view that itself no longer works: whoever needs it hears of it from dbt, by name
    return True
