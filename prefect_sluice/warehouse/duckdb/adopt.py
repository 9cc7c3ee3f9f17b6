"""What stood under the public names before Sluice: looked at before a build, moved into the store by the first publish."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import duckdb

from prefect_sluice.domain.adoption import Adopted
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.errors import QueryFailed, Refused
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse import row_digest
from prefect_sluice.warehouse.base import Linker, Publication, Reader, quoted
from prefect_sluice.warehouse.duckdb.reader import DuckReader

Connection = duckdb.DuckDBPyConnection
_DIGITS = 12
_NAME = r'(?:"(?:[^"]|"")*"|[^\s".(]+)'
_VIEW = re.compile(
    rf"create\s+view\s+{_NAME}(?:\.{_NAME})*\s*(?P<columns>\((?:\s*{_NAME}\s*,?)+\))?\s*as\s+(?P<query>.*?);?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_TABLES = """
    select schema_name, table_name, index_count, has_primary_key, check_constraint_count, comment is not null
    from duckdb_tables() where database_name = current_database()
"""
_FOREIGN_KEYS = """
    select schema_name, table_name, referenced_table from duckdb_constraints()
    where database_name = current_database() and constraint_type = 'FOREIGN KEY'
"""
_VIEWS = "select schema_name, view_name, sql from duckdb_views() where database_name = current_database() and not internal"


def adoptable(
    connection: Connection, names: Iterable[Name], store: str, linker: Linker
) -> tuple[Adopted, ...]:
    """Return what stands under these names, as it would move. Reads every row of a table, and changes nothing."""
    wanted = {name.folded for name in names}
    reader = DuckReader(connection)
    tables = [
        _table(reader, Name(schema, name), store, losses)
        for schema, name, *losses in connection.execute(_TABLES).fetchall()
        if Name(schema, name).folded in wanted
    ]
    texts = {
        Name(schema, name): str(sql)
        for schema, name, sql in connection.execute(_VIEWS).fetchall()
        if Name(schema, name).folded in wanted
    }
    addresses = {item.name.folded: item.address for item in tables}
    addresses |= {name.folded: _address(store, name, digest(sql)) for name, sql in texts.items()}
    views = [_view(reader, name, sql, addresses, linker) for name, sql in texts.items()]
    return tuple(sorted((*tables, *views), key=lambda item: item.name))


def _table(reader: Reader, name: Name, store: str, losses: Sequence[object]) -> Adopted:
    indexes, key, checks, comment = losses
    words = (
        ("indexes", indexes),
        ("its primary key", key),
        ("check constraints", checks),
        ("comments", comment),
    )
    content = row_digest.content(_written(name), reader)
    return Adopted(
        name, _address(store, name, content), False, content, loses=tuple(word for word, has in words if has)
    )


def _address(store: str, name: Name, content: str) -> Name:
    return Name(store, f"{name.identifier}__adopted_{content[:_DIGITS]}")


def _view(reader: Reader, name: Name, sql: str, addresses: Mapping[Name, Name], linker: Linker) -> Adopted:
    """Relink a view that reads what is adopted with it; what else it reads, it goes on reading."""
    address, content = addresses[name.folded], digest(sql)
    try:
        reader.columns(_written(name))
    except QueryFailed as error:
        raise Refused(
            f"the view {name} does not work, and cannot be adopted: {error}", "mend it, or drop it"
        ) from error
    query = query_of(sql)
    found = linker.references(query) if query else None
    if found is None:
        return Adopted(name, address, True, content)
    # What is not adopted keeps its name; the database's own name goes, so that the file can be renamed.
    same = {item: item for item in found.relations}
    linked = linker.relink(query, {**same, **addresses})
    reads_adopted = any(item in addresses for item in found.relations)
    return Adopted(name, address, True, content, linked or ("" if reads_adopted else query))


def query_of(sql: str) -> str:
    """Return the query of a view as `duckdb_views` writes it, "" when it cannot be told."""
    match = _VIEW.match(sql)
    if match is None:
        return ""
    columns = match["columns"]
    return f"select * from ({match['query']}) as v{columns}" if columns else match["query"]


def adopt(connection: Connection, publication: Publication, store: str) -> None:
    """Move the relations into the store, in the transaction that is open. Raises Refused when one is not as it was planned."""
    if not publication.adopt:
        return
    connection.execute(f"create schema if not exists {quoted(store)}")
    reader = DuckReader(connection)
    views = {Name(schema, name): str(sql) for schema, name, sql in connection.execute(_VIEWS).fetchall()}
    for item in publication.adopt:
        _unchanged(item, digest(views[item.name]) if item.name in views else "", item.is_view)
    for item in publication.adopt:
        if not item.sql:
            _copied(connection, reader, item)
    linked = {item.address: item for item in publication.adopt if item.sql}
    for address in in_order({address: item.sql for address, item in linked.items()}):
        _linked(connection, reader, linked[address])
    # The originals go last: until then every name still answers, for views that become tables.
    for item in _droppable(connection, publication.adopt):
        what = "view" if item.is_view else "table"
        connection.execute(f"drop {what} {_written(item.name)}")


def _unchanged(item: Adopted, found: str, is_view: bool) -> None:
    if (found != item.content) if is_view else bool(found):
        raise _moved(item)


def _moved(item: Adopted) -> Refused:
    return Refused(
        f"{item.name} changed since the plan was made; nothing was published",
        "run the command again: it plans anew",
    )


def _copied(connection: Connection, reader: Reader, item: Adopted) -> None:
    connection.execute(f"create table {_written(item.address)} as select * from {_written(item.name)}")
    # The copy is read, not the original: so it is known to be whole, too.
    if not item.is_view and row_digest.content(_written(item.address), reader) != item.content:
        raise _moved(item)


def in_order(views: Mapping[Name, str]) -> Sequence[Name]:
    """Return the names of views, each after those that its query reads (queries by name, names in them quoted)."""
    ordered: list[Name] = []
    missing = list(views)
    while missing:
        free = [
            name
            for name in missing
            if not any(_written(other) in views[name] for other in missing if other != name)
        ]
        ordered += free or missing
        missing = [name for name in missing if free and name not in free]
    return ordered


def _linked(connection: Connection, reader: Reader, item: Adopted) -> None:
    """Make the view; where relinked it gives other columns than it did, it becomes a table."""
    expected = reader.columns(_written(item.name))
    connection.execute(f"create view {_written(item.address)} as {item.sql}")
    if reader.columns(_written(item.address)) != expected:
        connection.execute(f"drop view {_written(item.address)}")
        _copied(connection, reader, item)


def _droppable(connection: Connection, items: Sequence[Adopted]) -> Sequence[Adopted]:
    """Return them in an order in which they can be dropped: DuckDB keeps a table that another refers to by a foreign key."""
    referring = [
        (Name(schema, table).folded, Name(schema, other).folded)
        for schema, table, other in connection.execute(_FOREIGN_KEYS).fetchall()
    ]
    ours = {item.name.folded for item in items}
    ordered: list[Adopted] = []
    missing = list(items)
    while missing:
        left = {item.name.folded for item in missing}
        held = {to: by for by, to in referring if by != to and (by in left or by not in ours)}
        free = [item for item in missing if item.name.folded not in held]
        if not free:
            name = missing[0].name
            raise Refused(
                f"{name} cannot be adopted: {held[name.folded]} refers to it by a foreign key",
                "drop that key, then run it again",
            )
        ordered += free
        missing = [item for item in missing if item not in free]
    return ordered


def _written(name: Name) -> str:
    return quoted(name.schema, name.identifier)
