"""The public names of a DuckDB file against the pointers: what else stands there, and how a table there is set aside."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import count

import duckdb

from prefect_sluice.displaced import Displaced, Instead
from prefect_sluice.errors import QueryFailed
from prefect_sluice.node import Name
from prefect_sluice.warehouse import duckdb_publish
from prefect_sluice.warehouse.base import Linker, quoted
from prefect_sluice.warehouse.duckdb_adopt import query_of
from prefect_sluice.warehouse.duckdb_literal import bound

Connection = duckdb.DuckDBPyConnection

_X = Name("x", "x")
_PLAIN = re.compile(r'"(\w+)"')
_LIVE = """
    with there as (
        select lower(schema_name) as schema, lower(table_name) as name from duckdb_tables()
        where database_name = current_database()
        union all select lower(schema_name), lower(view_name) from duckdb_views() where database_name = current_database()
    )
    select p.schema, p.identifier, p.address_schema, p.address, t.table_name is not null, v.sql, r.name is not null
    from (select * from sluice.pointer where environment = ? and until is null) p
    left join (select * from duckdb_tables() where database_name = current_database()) t
    on lower(t.schema_name) = lower(p.schema) and lower(t.table_name) = lower(p.identifier)
    left join (select * from duckdb_views() where database_name = current_database() and not internal) v
    on lower(v.schema_name) = lower(p.schema) and lower(v.view_name) = lower(p.identifier)
    left join there r on r.schema = lower(p.address_schema) and r.name = lower(p.address)
    order by 1, 2
"""
_TABLES = "select schema_name, table_name from duckdb_tables() where database_name = current_database()"
_INDEXES = "select schema_name, table_name from duckdb_indexes() where database_name = current_database()"
_NAMES = f"""
    {_TABLES}
    union all select schema_name, view_name from duckdb_views() where database_name = current_database()
"""


def displaced(connection: Connection, environment: str, linker: Linker) -> tuple[Displaced, ...]:
    """Return the public names of an environment under which something else stands, sorted. Costs one query for all."""
    if not duckdb_publish.has_tables(connection):
        return ()
    rows = connection.execute(bound(_LIVE, [environment])).fetchall()
    return tuple(_compared(rows, linker))


def _compared(
    rows: list[tuple[str, str, str, str, bool, str | None, bool]], linker: Linker
) -> Iterator[Displaced]:
    for schema, identifier, address_schema, address, is_table, sql, is_there in rows:
        name, physical = Name(schema, identifier), Name(address_schema, address)
        if is_table:
            yield Displaced(name, physical, Instead.TABLE)
        elif sql is None:
            if (
                is_there
            ):  # Where the relation itself is gone, there is nothing to show: a release builds both again.
                yield Displaced(name, physical, Instead.NOTHING)
        elif not _as_written(sql, physical) and not leads(query_of(sql), physical, linker):
            yield Displaced(name, physical, Instead.VIEW)


def _as_written(sql: str, address: Name) -> bool:
    """Say whether a view's text ends as the one that a publish writes: no parser is asked for those."""
    query = f"select * from {quoted(address.schema, address.identifier)}"
    return _bare(query_of(sql)) == _bare(query)


def _bare(sql: str) -> str:
    return _PLAIN.sub(r"\1", sql).lower()


def leads(query: str, address: Name, linker: Linker) -> bool:
    """Say whether a public view's query shows the relation at an address, all of it and nothing else."""
    plain = linker.relink(query, {address.folded: _X})
    head = f"select * from {quoted(_X.schema, _X.identifier)}"
    if plain is None or not plain.lower().startswith(head):
        return False
    return plain[len(head) :].strip().lower() in {"", f"as {quoted(address.identifier)}".lower()}


def mend(
    connection: Connection, environment: str, names: Mapping[Name, Name], place: str
) -> Mapping[Name, Name | None]:
    """Make public views again, in one transaction, and set aside the tables that stand there. See Keeper."""
    catalog = duckdb_publish.catalog_of(connection)
    connection.execute("begin transaction")
    try:
        served = duckdb_publish.load(connection, environment, None).by_name()
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
    aside = _free(table, taken | set(duckdb_publish.holders(connection)))
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
