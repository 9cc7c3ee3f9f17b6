"""Physical views, tried in the side database before anybody approves them."""

from __future__ import annotations

import duckdb

from prefect_sluice.node import Name
from prefect_sluice.warehouse.duckdb_publish import catalog_of
from prefect_sluice.warehouse.base import LIVE, Linked, Links, quoted


def link(connection: duckdb.DuckDBPyConnection, links: Links, store: str) -> tuple[Name, ...]:
    """Make every address a view in the side database; return the addresses of views that are not what dbt built."""
    connection.execute(f"create schema if not exists {quoted(store)}")
    catalog = catalog_of(connection)
    for table in links.tables:
        _view(
            connection, table.address, f"select * from {quoted(catalog, table.source.schema, table.source.identifier)}"
        )
    for address in links.live:
        _view(connection, address, f"select * from {quoted(LIVE, address.schema, address.identifier)}")
    return tuple(view.address for view, built in links.views if not _same(connection, view, built))


def _view(connection: duckdb.DuckDBPyConnection, address: Name, sql: str) -> None:
    connection.execute(f"create or replace view {quoted(address.schema, address.identifier)} as {sql}")


def _same(connection: duckdb.DuckDBPyConnection, view: Linked, built: Name) -> bool:
    try:
        _view(connection, view.address, view.sql)
        linked = _columns(connection, view.address)
    except duckdb.Error:
        # Whoever links on top of this one reads the view that dbt built instead.
        _view(connection, view.address, f"select * from {quoted(catalog_of(connection), built.schema, built.identifier)}")
        return False
    return linked == _columns(connection, built)


def _columns(connection: duckdb.DuckDBPyConnection, name: Name) -> list[tuple[object, ...]]:
    described = connection.execute(
        f"describe select * from {quoted(catalog_of(connection), name.schema, name.identifier)}"
    ).fetchall()
    return [tuple(row[:2]) for row in described]
