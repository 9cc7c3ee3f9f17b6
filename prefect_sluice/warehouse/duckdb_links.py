"""Physical relations, tried in the side database before anybody approves them."""

from __future__ import annotations

import duckdb

from prefect_sluice.node import Name
from prefect_sluice.warehouse.base import LIVE, Bring, Linked, Links, quoted
from prefect_sluice.warehouse.duckdb_publish import catalog_of

Connection = duckdb.DuckDBPyConnection


def link(connection: Connection, links: Links, store: str) -> tuple[tuple[Name, ...], tuple[Name, ...]]:
    """Make every address readable in the side database; return the broken ones and the pinned ones.

    Broken is a view whose linked query does not give the columns of the one dbt built. Pinned is what is a view
    in the side database and will be a table: it is made one here, so that its rows are among the sealed bytes.
    """
    connection.execute(f"create schema if not exists {quoted(store)}")
    catalog = catalog_of(connection)
    pinned = tuple(table.address for table in links.tables if _lay(connection, catalog, table))
    for address in links.live:
        _make(connection, "view", address, f"select * from {quoted(LIVE, address.schema, address.identifier)}")
    broken = tuple(view.address for view, built in links.views if not _same(connection, catalog, view, built))
    return broken, (*pinned, *broken)


def _lay(connection: Connection, catalog: str, table: Bring) -> bool:
    """Make the table readable at its address; say whether it had to be made of a view."""
    is_view = _is_view(connection, catalog, table.source)
    source = quoted(catalog, table.source.schema, table.source.identifier)
    _make(connection, "table" if is_view else "view", table.address, f"select * from {source}")
    return is_view


def _is_view(connection: Connection, catalog: str, name: Name) -> bool:
    sql = "select 1 from information_schema.tables where table_catalog = ? and table_schema = ? and table_name = ? and table_type = 'VIEW'"
    return bool(connection.execute(sql, [catalog, name.schema, name.identifier]).fetchall())


def _make(connection: Connection, what: str, address: Name, sql: str) -> None:
    connection.execute(f"create or replace {what} {quoted(address.schema, address.identifier)} as {sql}")


def _same(connection: Connection, catalog: str, view: Linked, built: Name) -> bool:
    try:
        _make(connection, "view", view.address, view.sql)
        linked = _columns(connection, quoted(view.address.schema, view.address.identifier))
    except duckdb.Error:
        linked = []
    if linked == _columns(connection, quoted(catalog, built.schema, built.identifier)):
        return True
    connection.execute(f"drop view if exists {quoted(view.address.schema, view.address.identifier)}")
    _make(connection, "table", view.address, f"select * from {quoted(catalog, built.schema, built.identifier)}")
    return False


def _columns(connection: Connection, relation: str) -> list[tuple[object, ...]]:
    return [tuple(row[:2]) for row in connection.execute(f"describe select * from {relation}").fetchall()]
