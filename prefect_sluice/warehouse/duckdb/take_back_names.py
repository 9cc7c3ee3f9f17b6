"""Public names of a DuckDB file that are taken back: their views are made again, and a table that stands there is set aside."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from itertools import count

import duckdb

from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import quoted
from prefect_sluice.warehouse.duckdb import publish

Connection = duckdb.DuckDBPyConnection

_TABLES = "select schema_name, table_name from duckdb_tables() where database_name = current_database()"
_INDEXES = "select schema_name, table_name from duckdb_indexes() where database_name = current_database()"
_NAMES = f"""
    {_TABLES}
    union all select schema_name, view_name from duckdb_views() where database_name = current_database()
"""


def mend(
    connection: Connection, environment: str, names: Mapping[Name, Name], place: str
) -> Mapping[Name, Name | None]:
    """Make public views again, in one transaction, and set aside the tables that stand there. See Keeper."""
    catalog = publish.catalog_of(connection)
    connection.execute("begin transaction")
    try:
        served = publish.load(connection, environment).by_name()
        tables = {Name(*row).folded: Name(*row) for row in connection.execute(_TABLES).fetchall()}
        there = {Name(*row).folded for row in connection.execute(_NAMES).fetchall()}
        made: dict[Name, Name | None] = {}
        for name, address in names.items():
            if name not in served or served[name].address != address:
                continue
            table = tables.get(name.folded)
            made[name] = _set_aside(connection, catalog, table) if table is not None else None
            if address.folded in there:
                _show(connection, catalog, name, address)
            else:
                _clear(connection, catalog, name)
        connection.execute("commit")
    except duckdb.Error as error:
        with contextlib.suppress(duckdb.Error):
            connection.execute("rollback")
        raise QueryFailed(f"{place}: no view was made: {str(error).splitlines()[0]}") from error
    return made


def _show(connection: Connection, catalog: str, name: Name, address: Name) -> None:
    connection.execute(f"create schema if not exists {quoted(catalog, name.schema)}")
    physical = quoted(address.schema, address.identifier)
    public = quoted(catalog, name.schema, name.identifier)
    connection.execute(f"create or replace view {public} as select * from {physical}")


def _clear(connection: Connection, catalog: str, name: Name) -> None:
    """Leave nothing under a name whose relation is gone: the next release builds both."""
    connection.execute(f"drop view if exists {quoted(catalog, name.schema, name.identifier)}")


def _set_aside(connection: Connection, catalog: str, table: Name) -> Name:
    """Give a table another name in its schema, and return it. DuckDB renames none that has an index: its rows are copied then."""
    taken = {Name(*row).folded for row in connection.execute(_NAMES).fetchall()}
    aside = _free(table, taken | set(publish.holders(connection)))
    there = quoted(catalog, table.schema, table.identifier)
    indexed = {Name(*row).folded for row in connection.execute(_INDEXES).fetchall()}
    if table.folded in indexed:
        connection.execute(f"create table {quoted(catalog, aside.schema, aside.identifier)} as from {there}")
        connection.execute(f"drop table {there}")
    else:
        connection.execute(f"alter table {there} rename to {quoted(aside.identifier)}")
    return aside


def _free(table: Name, taken: Collection[Name]) -> Name:
    names = (
        Name(table.schema, f"{table.identifier}__set_aside" + (f"_{number}" if number > 1 else ""))
        for number in count(1)
    )
    return next(name for name in names if name.folded not in taken)
