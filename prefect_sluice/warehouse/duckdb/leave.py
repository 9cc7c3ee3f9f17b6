"""The one transaction that gives a DuckDB file back: plain tables and views under the public names, nothing of Sluice's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence

import duckdb

from prefect_sluice.domain.displaced_names import TAKE_BACK
from prefect_sluice.domain.errors import EnvironmentMoved, QueryFailed, Refused
from prefect_sluice.domain.generation import Generation, Pointer
from prefect_sluice.domain.node import Name
from prefect_sluice.runtime import faults
from prefect_sluice.warehouse.base import Linker, quoted
from prefect_sluice.warehouse.coming_and_going import Departure
from prefect_sluice.warehouse.duckdb.adopt import in_order, query_of
from prefect_sluice.warehouse.duckdb.content_digests import forget
from prefect_sluice.warehouse.duckdb.literals import bound
from prefect_sluice.warehouse.duckdb.own_tables import has_tables
from prefect_sluice.warehouse.duckdb.publish import catalog_of, load, served
from prefect_sluice.warehouse.references import read_by

Connection = duckdb.DuckDBPyConnection
_VIEWS = "select schema_name, view_name, sql from duckdb_views() where database_name = current_database() and not internal"


def departures(connection: Connection, environment: str, linker: Linker) -> tuple[Departure, ...]:
    """Return what each public name becomes: a view of the store becomes one over public names, where its query allows it."""
    current = load(connection, environment)
    texts = _texts(connection)
    names = {pointer.address.folded: pointer.name for pointer in current.relations}

    def query(pointer: Pointer) -> str:
        if pointer.is_old_name:
            new = names[pointer.address.folded]
            return f"select * from {quoted(new.schema, new.identifier)}"
        return _public(texts.get(pointer.address.folded, ""), names, linker)

    return tuple(Departure(item.name, item.address, query(item)) for item in current.pointers)


def _texts(connection: Connection) -> Mapping[Name, str]:
    return {
        Name(schema, name).folded: str(sql) for schema, name, sql in connection.execute(_VIEWS).fetchall()
    }


def _public(sql: str, names: Mapping[Name, Name], linker: Linker) -> str:
    query = query_of(sql) if sql else ""
    found = linker.references(query) if query else None
    if found is None:
        return ""
    same = {item: item for item in found.relations}
    public = linker.relink(query, {**same, **names})
    return public or ("" if any(item in names for item in found.relations) else query)


def leave(
    connection: Connection, environment: str, base: int, *, store: str, linker: Linker, place: str
) -> tuple[Name, ...]:
    """Do all of it in one transaction. See Movable.leave."""
    connection.execute("begin transaction")
    try:
        current = load(connection, environment)
        if current.number != base:
            raise EnvironmentMoved(environment, base, current.number)
        remains = _left(connection, current, store, linker) if current.number else ()
        faults.reach(faults.FaultPoint.LEAVE_WRITTEN)
        connection.execute("commit")
    except BaseException as error:
        with contextlib.suppress(duckdb.Error):  # a commit that failed has ended the transaction itself
            connection.execute("rollback")
        if isinstance(error, duckdb.Error):
            raise QueryFailed(f"{place}: nothing was changed: {str(error).splitlines()[0]}") from error
        raise
    return remains


def _left(connection: Connection, current: Generation, store: str, linker: Linker) -> tuple[Name, ...]:
    items = departures(connection, current.environment, linker)
    _still_ours(connection, items, store, linker)
    _read_by_nobody_else(connection, current.environment, linker)
    catalog = catalog_of(connection)
    for item in items:
        connection.execute(f"drop view if exists {quoted(catalog, item.name.schema, item.name.identifier)}")
    plain = [item for item in items if not item.sql]
    for item in plain:
        address = quoted(item.address.schema, item.address.identifier)
        connection.execute(f"create table {_full(catalog, item.name)} as select * from {address}")
    views = {item.name: item.sql for item in items if item.sql}
    for name in in_order(views):
        connection.execute(f"create view {_full(catalog, name)} as {views[name]}")
    return _forgotten(connection, current.environment, store)


def _full(catalog: str, name: Name) -> str:
    return quoted(catalog, name.schema, name.identifier)


def _still_ours(connection: Connection, items: Iterable[Departure], store: str, linker: Linker) -> None:
    """Raise Refused if a public name holds anything but our view: what somebody else put there is not ours to drop."""
    there = {item.name.folded: item for item in served(connection, store)}
    texts = _texts(connection)
    foreign = [
        str(item.name)
        for item in items
        if (found := there.get(item.name.folded))
        and not (found.is_view and _leads_to(texts[item.name.folded], item.address, linker))
    ]
    if foreign:
        raise Refused(
            f"these public names no longer hold what Sluice put there: {', '.join(foreign)}",
            f"take the names back: {TAKE_BACK}; then run it again",
        )


def _read_by_nobody_else(connection: Connection, environment: str, linker: Linker) -> None:
    """Raise Refused if a view that somebody made reads a relation that goes: it would be there, and no longer work."""
    going = {name.folded: name for name in _only_its_own(connection, environment)}
    sql = """
        select address_schema, address from sluice.pointer
        union select schema, identifier from sluice.pointer where until is null
    """
    ours = {Name(schema, name).folded for schema, name in connection.execute(sql).fetchall()}
    texts = {name: query_of(sql) for name, sql in _texts(connection).items() if name not in ours}
    readers = sorted(str(name) for name, query in texts.items() if read_by(query, going, linker.references))
    if readers:
        raise Refused(
            f"these views read Sluice's store itself, and would no longer work: {', '.join(readers)}",
            "let them read the public names, or drop them, then run it again",
        )


def _leads_to(sql: str, address: Name, linker: Linker) -> bool:
    found = linker.references(query_of(sql))
    return found is not None and found.relations == (address.folded,)


def _forgotten(connection: Connection, environment: str, store: str) -> tuple[Name, ...]:
    """Drop what only this environment named, and the bookkeeping; return what is in the store and nobody's."""
    views = _texts(connection)
    own = _only_its_own(connection, environment)
    forget(connection, own)
    for name in own:
        kind = "view" if name.folded in views else "table"
        connection.execute(f"drop {kind} if exists {quoted(name.schema, name.identifier)}")
    for table in ("pointer", "generation", "collected"):
        if has_tables(connection, table):
            connection.execute(bound(f"delete from sluice.{table} where environment = ?", [environment]))
    if connection.execute("select count(*) from sluice.generation").fetchall() != [(0,)]:
        return ()
    connection.execute("drop schema sluice cascade")
    remains = _in_store(connection, store)
    if not remains:
        connection.execute(f"drop schema if exists {quoted(store)}")
    return remains


def _only_its_own(connection: Connection, environment: str) -> Sequence[Name]:
    sql = """
        select distinct address_schema, address from sluice.pointer where environment = ?
        except select address_schema, address from sluice.pointer where environment <> ? order by all
    """
    rows = connection.execute(bound(sql, [environment, environment])).fetchall()
    return [Name(schema, name) for schema, name in rows]


def _in_store(connection: Connection, store: str) -> tuple[Name, ...]:
    sql = """
        select table_schema, table_name from information_schema.tables
        where table_catalog = current_database() and table_schema = ? order by all
    """
    return tuple(Name(schema, name) for schema, name in connection.execute(bound(sql, [store])).fetchall())
