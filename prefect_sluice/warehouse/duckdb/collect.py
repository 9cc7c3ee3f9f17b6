"""A DuckDB file, looked through and cleared up: the inventory, the one transaction of the collector."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from pathlib import Path

import duckdb

from prefect_sluice.domain.errors import EnvironmentMoved, QueryFailed, Refused
from prefect_sluice.domain.generation import OLD_NAME
from prefect_sluice.domain.node import Name
from prefect_sluice.runtime import faults
from prefect_sluice.warehouse.base import Linker, quoted
from prefect_sluice.warehouse.duckdb import content_digests, publish, served_state
from prefect_sluice.warehouse.duckdb.adopt import query_of
from prefect_sluice.warehouse.duckdb.displaced_names import displaced
from prefect_sluice.warehouse.duckdb.literals import bound
from prefect_sluice.warehouse.duckdb.own_tables import has_tables
from prefect_sluice.warehouse.inventory import (
    Collection,
    DiskUse,
    Inventory,
    PublicRelation,
    StoredRelation,
)

Connection = duckdb.DuckDBPyConnection

_TABLES = """
create schema if not exists sluice;
create table if not exists sluice.collection (
    run varchar not null, relations bigint not null, collected_at timestamp not null
);
create table if not exists sluice.collected (
    environment varchar not null, number bigint not null, run varchar not null, collected_at timestamp not null
);
"""


def inventory(connection: Connection, path: Path, store: str, *, measured: bool) -> Inventory:
    """Return all there is, in one transaction. See Keeper."""
    connection.execute("begin transaction")
    try:
        known = has_tables(connection)
        tables, views = _tables(connection), _views(connection)
        inside = (*(item for item in tables if item.address.schema == store),)
        sizes = _sizes(connection, inside if measured else ())
        return Inventory(
            generations=publish.all_generations(connection) if known else (),
            spans=served_state.spans(connection) if known else (),
            physical=(
                *(StoredRelation(i.address, False, "", i.rows, sizes.get(i.address)) for i in inside),
                *(
                    StoredRelation(name, True, sql, 0, 0)
                    for name, sql in views.items()
                    if name.schema == store
                ),
            ),
            public=(
                *(
                    PublicRelation(i.address, False)
                    for i in tables
                    if i.address.schema not in {store, "sluice"}
                ),
                *(
                    PublicRelation(n, True, sql)
                    for n, sql in views.items()
                    if n.schema not in {store, "sluice"}
                ),
            ),
            disk=_disk(connection, path),
            runs=_runs(connection),
        )
    finally:
        connection.execute("rollback")


def _tables(connection: Connection) -> tuple[StoredRelation, ...]:
    sql = """
        select schema_name, table_name, estimated_size from duckdb_tables()
        where database_name = current_database() and not internal order by all
    """
    rows = connection.execute(sql).fetchall()
    return tuple(StoredRelation(Name(row[0], row[1]), False, "", int(row[2] or 0)) for row in rows)


def _views(connection: Connection) -> Mapping[Name, str]:
    sql = """
        select schema_name, view_name, sql from duckdb_views()
        where database_name = current_database() and not internal order by all
    """
    return {
        Name(row[0], row[1]): query_of(row[2] or "") or row[2] or ""
        for row in connection.execute(sql).fetchall()
    }


def _sizes(connection: Connection, tables: Iterable[StoredRelation]) -> Mapping[Name, int]:
    """Return bytes on disk by address: DuckDB never has two tables in one block, so their blocks are theirs alone."""
    block = int(connection.execute("select block_size from pragma_database_size()").fetchall()[0][0])
    found: dict[Name, int] = {}
    for item in tables:
        literal = quoted(item.address.schema, item.address.identifier).replace("'", "''")
        sql = f"""
            select count(distinct id) from (
                select unnest(list_append(additional_block_ids, block_id)) as id
                from pragma_storage_info('{literal}') where persistent
            ) where id >= 0
        """
        found[item.address] = block * int(connection.execute(sql).fetchall()[0][0])
    return found


def _disk(connection: Connection, path: Path) -> DiskUse:
    sql = (
        "select block_size * free_blocks from pragma_database_size() where database_name = current_database()"
    )
    rows = connection.execute(sql).fetchall()
    return DiskUse(path.stat().st_size, int(rows[0][0]) if rows else 0)


def _runs(connection: Connection) -> frozenset[str]:
    if not has_tables(connection, "collection"):
        return frozenset()
    return frozenset(
        str(row[0]) for row in connection.execute("select run from sluice.collection").fetchall()
    )


def collect(connection: Connection, collection: Collection, store: str, place: str, linker: Linker) -> None:
    """Do the whole collection in one transaction, then checkpoint. See Keeper."""
    connection.execute("begin transaction")
    try:
        connection.execute(_TABLES)
        if collection.run in _runs(connection):
            connection.execute("rollback")
            return
        _permit(connection, collection, store)
        _end(connection, collection.over, linker)
        _forget(connection, collection.forgets)
        _drop(connection, collection.drops)
        content_digests.forget(connection, collection.drops)
        faults.reach(faults.FaultPoint.COLLECT_DROPPED)
        _mark(connection, collection)
        connection.execute("commit")
    except BaseException as error:
        with contextlib.suppress(duckdb.Error):
            connection.execute("rollback")
        if isinstance(error, duckdb.Error):
            raise QueryFailed(f"{place}: nothing was collected: {str(error).splitlines()[0]}") from error
        raise
    # Otherwise the blocks of what was dropped are free only once somebody else writes.
    connection.execute("checkpoint")


def _permit(connection: Connection, collection: Collection, store: str) -> None:
    """Raise EnvironmentMoved or Refused where the warehouse is not what the collection was planned for."""
    now = {item.environment: item.number for item in reversed(publish.all_generations(connection))}
    for environment, base in collection.bases.items():
        if now.get(environment, 0) != base:
            raise EnvironmentMoved(environment, base, now.get(environment, 0))
    sql = "select address_schema, address from sluice.pointer where until is null"
    live = {Name(row[0], row[1]) for row in connection.execute(sql).fetchall()}
    wrong = [name for name in collection.drops if name in live or name.schema != store]
    if wrong:
        raise Refused(f"{wrong[0]} is served, so it is not collected", "look what is wrong: sluice doctor")


def _end(connection: Connection, over: Sequence[tuple[str, Name]], linker: Linker) -> None:
    """Take the views of old names away, and their pointers out of every generation: what is served again is without them. What
    somebody put in a view's place is not ours to drop."""
    catalog = publish.catalog_of(connection)
    theirs = {
        (environment, item.name.folded)
        for environment in sorted({environment for environment, _ in over})
        for item in displaced(connection, environment, linker)
    }
    there = {name.folded for name in _views(connection)}
    for environment, name in over:
        if name.folded in there and (environment, name.folded) not in theirs:
            connection.execute(f"drop view {quoted(catalog, name.schema, name.identifier)}")
        sql = "delete from sluice.pointer where environment = ? and schema = ? and identifier = ? and starts_with(node, ?)"
        connection.execute(bound(sql, [environment, name.schema, name.identifier, OLD_NAME]))


def _forget(connection: Connection, environments: Iterable[str]) -> None:
    """Delete what is written of environments that serve nothing any more."""
    for environment in environments:
        for table in ("pointer", "generation", "collected"):
            connection.execute(bound(f"delete from sluice.{table} where environment = ?", [environment]))


def _drop(connection: Connection, names: Iterable[Name]) -> None:
    views = _views(connection)
    for name in names:
        what = "view" if name in views else "table"
        connection.execute(f"drop {what} if exists {quoted(name.schema, name.identifier)}")


def _mark(connection: Connection, collection: Collection) -> None:
    at = collection.at.astimezone(UTC).replace(tzinfo=None)
    values = [collection.run, len(collection.drops), at]
    connection.execute(bound("insert into sluice.collection values (?, ?, ?)", values))
    for environment, number in collection.generations:
        row = [environment, number, collection.run, at]
        connection.execute(bound("insert into sluice.collected values (?, ?, ?, ?)", row))
