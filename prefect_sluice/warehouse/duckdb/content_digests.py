"""Content digests in a DuckDB file: one aggregate over one scan of a table, kept in a table beside the generations.

`hash()` of the values is a twentieth of what MD5 of their texts costs (0.35 s of processor time for 10 million rows of 8 columns,
16 s), and may give other numbers in another version of DuckDB: so that version is in the algorithm's name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from time import monotonic

import duckdb

from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse import content
from prefect_sluice.warehouse.base import IncomingTable, SideLinks, quoted
from prefect_sluice.warehouse.content import RelationContent, RereadRelation
from prefect_sluice.warehouse.duckdb.literals import bound, literal

Connection = duckdb.DuckDBPyConnection

ROWS = f"hash-1 duckdb {duckdb.__version__}"
QUERY = f"{content.QUERY}-1 duckdb {duckdb.__version__}"
"""How tables and views are digested."""

_TABLE = """
create schema if not exists sluice;
create table if not exists sluice.content (
    address_schema varchar not null, address varchar not null, algorithm varchar not null,
    rows bigint not null, digest varchar not null
);
"""
_EXACT = re.compile(
    r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|BOOLEAN|DECIMAL\(.*\)|BLOB|UUID|DATE|TIME(_NS)?"
    r"|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?|ENUM\((?s:.*)\)"
)
"""Types (not lists of them) of which two values that are not the same have two hashes, but for one in 2^64."""
_NAME = r'(?:"(?:[^"]|"")*"|[^\s".]+)'
_CREATED = re.compile(rf"CREATE VIEW {_NAME}(?:\.{_NAME})* AS (.*?);?\s*", re.DOTALL)
"""How the catalogue writes a view that was made without a list of columns, as all of ours are."""
_VIEWS = "select schema_name, view_name, sql from duckdb_views() where database_name = current_database() and not internal"


def sealed(
    connection: Connection, catalog: str, links: SideLinks, pinned: Sequence[Name], unread: Collection[Name]
) -> tuple[RelationContent, ...]:
    """Return what the tables of a side database hold that will be published; the `pinned` stand at their address there."""
    tables = [item for item in links.tables if item.address not in {*pinned, *unread}]
    tables += [IncomingTable(address, address) for address in pinned if address not in unread]
    return of_tables(
        connection,
        [(quoted(catalog, item.source.schema, item.source.identifier), item.address) for item in tables],
    )


def of_tables(connection: Connection, tables: Iterable[tuple[str, Name]]) -> tuple[RelationContent, ...]:
    """Return what tables hold, each given as quoted SQL with its physical address."""
    # A time with a zone within a list or struct is hashed as text, which is that of the session's zone.
    connection.execute("set timezone = 'UTC'")
    return tuple(_of_table(connection, relation, address) for relation, address in tables)


def _of_table(connection: Connection, relation: str, address: Name) -> RelationContent:
    columns = [
        (str(row[0]), str(row[1]))
        for row in connection.execute(f"describe select * from {relation}").fetchall()
    ]
    values = ", ".join(part for name, kind in columns for part in _parts(quoted(name), kind))
    # Twice: DuckDB's hash of several values is linear in the last one, and a sum would not see it exchanged between rows.
    sql = f"select count(*), sum(hash(hash({values}))::hugeint) from {relation}"
    rows, total = connection.execute(sql).fetchall()[0]
    return RelationContent(
        address, ROWS, int(rows), digest([[list(column) for column in columns], str(total)])
    )


def _parts(column: str, kind: str) -> Sequence[str]:
    """Return what is hashed of a column, so that each change of a value changes it."""
    if kind in {"FLOAT", "DOUBLE"}:
        return column, f"signbit({column})"  # 0.0 and -0.0 have one hash
    if kind == "VARCHAR":
        return (f"encode({column})",)  # a column may have a collation, by which 'a' is 'A'
    # Of others equal values may differ (30 days and a month), of nested ones [], [NULL] and NULL have one hash, and in a text
    # 1 and '1' are the same.
    return (column,) if _EXACT.fullmatch(kind) else (column, f"{column}::varchar", f"{column} is null")


def of_views(connection: Connection, addresses: Collection[Name]) -> tuple[RelationContent, ...]:
    """Return what views hold: their queries. A view whose text the parser cannot take apart is left out."""
    if not addresses:
        return ()
    texts = _texts(connection)
    queries = {name: _query(connection, texts[name.folded]) for name in addresses if name.folded in texts}
    return tuple(RelationContent(name, QUERY, 0, digest(query)) for name, query in queries.items() if query)


def _texts(connection: Connection) -> Mapping[Name, str]:
    return {Name(row[0], row[1]).folded: str(row[2]) for row in connection.execute(_VIEWS).fetchall()}


def _query(connection: Connection, text: str) -> str:
    """Return a view's query in the spelling that a parsed one has: the catalogue gives another one to the session that made the
    view (`CAST(a AS "DATE")`) than to those that read it from the file (`CAST(a AS DATE)`)."""
    found = _CREATED.fullmatch(text)
    if found is None:
        return ""
    sql = f"select json_deserialize_sql(json_serialize_sql({literal(found[1])}))"
    try:
        return str(connection.execute(sql).fetchall()[0][0])
    except duckdb.Error:
        return ""


def write(connection: Connection, contents: Sequence[RelationContent]) -> None:
    """Keep contents, in place of what is kept of these relations, in the transaction that is open."""
    connection.execute(_TABLE)
    forget(connection, [item.address for item in contents])
    for item in contents:
        row = [item.address.schema, item.address.identifier, item.algorithm, item.rows, item.digest]
        connection.execute(bound("insert into sluice.content values (?, ?, ?, ?, ?)", row))


def forget(connection: Connection, addresses: Sequence[Name]) -> None:
    """Forget what is kept of relations, in the transaction that is open."""
    if addresses and _is_there(connection):
        names = ", ".join(f"({literal(name.schema)}, {literal(name.identifier)})" for name in addresses)
        connection.execute(f"delete from sluice.content where (address_schema, address) in ({names})")


def stored_digests(connection: Connection) -> Mapping[Name, RelationContent]:
    """Return what is kept, by address."""
    if not _is_there(connection):
        return {}
    sql = "select address_schema, address, algorithm, rows, digest from sluice.content"
    return {
        Name(row[0], row[1]): RelationContent(Name(row[0], row[1]), row[2], int(row[3]), row[4])
        for row in connection.execute(sql).fetchall()
    }


def reread(
    connection: Connection, addresses: Iterable[Name], within: timedelta | None
) -> tuple[RereadRelation, ...]:
    """Read relations again, in this order, until the time is over; the first one is read whatever it takes."""
    was, found = stored_digests(connection), list[RereadRelation]()
    there = {name.folded for name in _tables(connection)}  # somebody may have made one anew in other letters
    begun = monotonic()
    for address in addresses:
        if found and within is not None and monotonic() - begun > within.total_seconds():
            break
        if address.folded in there:
            now = of_tables(connection, [(quoted(address.schema, address.identifier), address)])
        else:
            now = of_views(connection, [address]) or _unlike(connection, address, was.get(address))
        found.append(RereadRelation(address, was.get(address), now[0] if now else None))
    return tuple(found)


def _unlike(
    connection: Connection, address: Name, was: RelationContent | None
) -> tuple[RelationContent, ...]:
    """Return what stands for a view that cannot be taken apart: another than what was a table, or was one that this engine
    could take apart. Of any other nobody can tell."""
    could_not = was is None or (was.is_query and was.algorithm != QUERY)
    return (
        ()
        if could_not or address.folded not in _texts(connection)
        else (RelationContent(address, QUERY, 0, ""),)
    )


def _is_there(connection: Connection) -> bool:
    return Name("sluice", "content") in _tables(connection)


def _tables(connection: Connection) -> frozenset[Name]:
    sql = "select schema_name, table_name from duckdb_tables() where database_name = current_database()"
    return frozenset(Name(row[0], row[1]) for row in connection.execute(sql).fetchall())
