"""The public names of a DuckDB file against the pointers: what else stands there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import duckdb

from prefect_sluice.domain.displaced_names import Displaced, Replacement
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import Linker, quoted
from prefect_sluice.warehouse.duckdb.adopt import query_of
from prefect_sluice.warehouse.duckdb.literals import bound
from prefect_sluice.warehouse.duckdb.own_tables import has_tables

Connection = duckdb.DuckDBPyConnection
PublicName = tuple[str, str, str, str, bool, str | None, bool]
"""A public name and its relation's address, each as schema and identifier; whether a table stands under the name; the text of the
view that does; whether the relation is there."""

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
    order by 1 asc, 2 asc
"""


def displaced(connection: Connection, environment: str, linker: Linker) -> tuple[Displaced, ...]:
    """Return the public names of an environment under which something else stands, sorted. Costs one query for all."""
    return compared(public_names(connection, environment), linker) if has_tables(connection) else ()


def public_names(connection: Connection, environment: str) -> tuple[PublicName, ...]:
    """Return what stands under the public names of an environment, sorted."""
    return tuple(connection.execute(bound(_LIVE, [environment])).fetchall())


def compared(names: Iterable[PublicName], linker: Linker) -> tuple[Displaced, ...]:
    """Return the names under which something else stands, in their order."""
    return tuple(_differing(names, linker))


def _differing(names: Iterable[PublicName], linker: Linker) -> Iterator[Displaced]:
    for schema, identifier, address_schema, address, is_table, sql, is_there in names:
        name, physical = Name(schema, identifier), Name(address_schema, address)
        if is_table:
            yield Displaced(name, physical, Replacement.TABLE)
        elif sql is None:
            if (
                is_there
            ):  # Where the relation itself is gone, there is nothing to show: a release builds both again.
                yield Displaced(name, physical, Replacement.NOTHING)
        elif not _as_written(sql, physical) and not leads(query_of(sql), physical, linker):
            yield Displaced(name, physical, Replacement.VIEW)


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
