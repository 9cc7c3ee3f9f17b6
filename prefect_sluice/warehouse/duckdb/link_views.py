"""Physical relations, tried before anybody approves them: as they will stand in the served database."""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb

from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import IncomingTable, LinkedView, SideLinks, quoted
from prefect_sluice.warehouse.duckdb.database_file import LIVE
from prefect_sluice.warehouse.duckdb.literals import bound
from prefect_sluice.warehouse.duckdb.publish import CANDIDATE, catalog_of

Connection = duckdb.DuckDBPyConnection
_TRIAL = "sluice_trial"
"""A database in memory with the store and nothing else: a view that needs a macro or a type that a hook made in
the side database works there, and would fail where it is to be served."""


@dataclass
class LinkTrial:
    """What became of the addresses. `broken` are views whose linked query does not give the columns of the one dbt built;
    `pinned` are other views that were made tables; `unread` are views that give no rows but an error, with that."""

    broken: list[Name] = field(default_factory=list[Name])
    pinned: list[Name] = field(default_factory=list[Name])
    unread: dict[Name, str] = field(default_factory=dict[Name, str])

    @contextmanager
    def reading(self, address: Name) -> Generator[None]:
        """Keep the error with which a view ends in the block: dbt makes a view without a look at one row."""
        try:
            yield
        except duckdb.Error as error:
            self.unread[address] = str(error).splitlines()[0]


def copy(connection: Connection, tables: Sequence[IncomingTable]) -> None:
    """Copy tables of the attached candidate into this database, each at its `address`, in place of what stands there."""
    catalog = catalog_of(connection)
    for table in tables:
        connection.execute(f"create schema if not exists {quoted(catalog, table.address.schema)}")
        if _is_view(connection, catalog, table.address):
            connection.execute(f"drop view {_in(catalog, table.address)}")
        source = quoted(CANDIDATE, table.source.schema, table.source.identifier)
        connection.execute(f"create or replace table {_in(catalog, table.address)} as select * from {source}")


def link(connection: Connection, links: SideLinks, store: str, there: Collection[Name] = ()) -> LinkTrial:
    """Try every address, and make a table of each view that will be one: its rows are among the sealed bytes.

    `there` is what the served database holds, in lower case.
    """
    _all_there(links.live, there)
    catalog = catalog_of(connection)
    connection.execute(f"create schema if not exists {quoted(catalog, store)}")
    connection.execute(f"attach ':memory:' as {_TRIAL} (hidden)")
    connection.execute(f"use {_TRIAL}")
    connection.execute(f"create schema {quoted(store)}")
    try:
        return _tried(connection, catalog, links)
    finally:
        connection.execute(f"use {quoted(catalog, 'main')}")


def _tried(connection: Connection, catalog: str, links: SideLinks) -> LinkTrial:
    tried = LinkTrial()
    for table in links.tables:
        with tried.reading(table.address):
            if _lay(connection, catalog, table):
                tried.pinned.append(table.address)
    read = "\n".join(view.sql for view, _ in links.views)
    for address in links.live:
        if quoted(address.schema, address.identifier) not in read:
            continue  # of a thousand live relations a changed view reads two
        _view(connection, address, f"select * from {quoted(LIVE, address.schema, address.identifier)}")
    for view, built in links.views:
        with tried.reading(view.address):
            if not _same(connection, catalog, view, built):
                tried.broken.append(view.address)
            else:  # as Monitor will, when it is too late
                relation = quoted(view.address.schema, view.address.identifier)
                connection.execute(f"select * from {relation} limit 1").fetchall()
    return tried


def _all_there(addresses: Collection[Name], there: Collection[Name]) -> None:
    """Raise Refused when somebody dropped behind our back what is reused."""
    gone = next((address for address in addresses if address.folded not in there), None)
    if gone is not None:
        raise Refused(
            f"{gone} is to be served again, and is not in the store any more: somebody dropped it",
            "nothing was changed; sluice doctor says what else is missing, and what helps",
        )


def _lay(connection: Connection, catalog: str, table: IncomingTable) -> bool:
    """Make the table readable at its address; say whether it had to be made of a view."""
    is_view = _is_view(connection, catalog, table.source)
    if is_view:
        _pin(connection, catalog, table)
    else:
        _view(connection, table.address, f"select * from {_in(catalog, table.source)}")
    return is_view


def _is_view(connection: Connection, catalog: str, name: Name) -> bool:
    sql = "select 1 from duckdb_views() where database_name = ? and schema_name = ? and view_name = ?"
    return bool(connection.execute(bound(sql, [catalog, name.schema, name.identifier])).fetchall())


def _view(connection: Connection, address: Name, sql: str) -> None:
    connection.execute(f"create or replace view {quoted(address.schema, address.identifier)} as {sql}")


def _pin(connection: Connection, catalog: str, table: IncomingTable) -> None:
    pinned, source = _in(catalog, table.address), _in(catalog, table.source)
    connection.execute(f"use {quoted(catalog, 'main')}")  # a view may ask for its own database
    connection.execute(f"create or replace table {pinned} as select * from {source}")
    connection.execute(f"use {_TRIAL}")
    _view(connection, table.address, f"select * from {pinned}")
    # Gates look at the public name: they judge the rows that will be served, not what the view's inputs hold by then.
    connection.execute(f"create or replace view {source} as select * from {pinned}")


def _same(connection: Connection, catalog: str, view: LinkedView, built: Name) -> bool:
    try:
        _view(connection, view.address, view.sql)
        linked = _columns(connection, quoted(view.address.schema, view.address.identifier))
    except duckdb.Error:
        linked = []
    if linked == _columns(connection, _in(catalog, built)):
        return True
    _pin(connection, catalog, IncomingTable(built, view.address))
    return False


def _in(catalog: str, name: Name) -> str:
    return quoted(catalog, name.schema, name.identifier)


def _columns(connection: Connection, relation: str) -> list[tuple[object, ...]]:
    return [tuple(row[:2]) for row in connection.execute(f"describe select * from {relation}").fetchall()]
