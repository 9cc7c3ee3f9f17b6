"""The one transaction that makes a generation current in a DuckDB file, and how generations are read back."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import duckdb

from prefect_sluice.domain.displaced_names import TAKE_BACK, describe_displaced
from prefect_sluice.domain.errors import (
    CannotPublish,
    EnvironmentMoved,
    LeaseLost,
    QueryFailed,
    Refused,
)
from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.ledger import LedgerHead
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.runtime import faults
from prefect_sluice.warehouse.base import Linker, Publication, quoted
from prefect_sluice.warehouse.duckdb import adopt, content_digests
from prefect_sluice.warehouse.duckdb.displaced_names import displaced
from prefect_sluice.warehouse.duckdb.literals import bound, literal
from prefect_sluice.warehouse.duckdb.own_tables import has_tables
from prefect_sluice.warehouse.served import ServedRelation

CANDIDATE = "sluice_candidate"
"""The name under which the candidate is attached while it is published."""

_ALWAYS = "environment, number, release, promotion, token, cause, origin, written_at"
_WRITTEN = f"{_ALWAYS}, ledger_number, ledger_digest"
_FOR_GOOD = (
    duckdb.CatalogException,
    duckdb.BinderException,
    duckdb.ParserException,
    duckdb.NotImplementedException,
)
"""What the engine says of the statements themselves, and will say again; a full disk, say, passes."""
_AT_ONCE = 500
"""Rows in one statement."""
_Item = TypeVar("_Item")
Row = Mapping[str, Any]
"""A row of sluice.generation, by column."""

_TABLES = """
create schema if not exists sluice;
create table if not exists sluice.generation (
    environment varchar not null, number bigint not null, release varchar not null, promotion varchar not null,
    token bigint not null, cause varchar not null, origin bigint not null, written_at timestamp not null
);
alter table sluice.generation add column if not exists ledger_number bigint;
alter table sluice.generation add column if not exists ledger_digest varchar;
create table if not exists sluice.pointer (
    environment varchar not null, schema varchar not null, identifier varchar not null,
    address_schema varchar not null, address varchar not null, node varchar not null, kind varchar not null,
    fingerprint varchar not null, inputs varchar not null, since bigint not null, until bigint
);
"""
# The columns that are added are those that an older Sluice did not write. Reading must do without them.
# A pointer holds from generation `since` to before `until`, so that a publish writes what changed and no more.


def load(connection: duckdb.DuckDBPyConnection, environment: str) -> Generation:
    """Return the current generation with its pointers; number 0 when nothing was published."""
    rows = _last(connection, environment) if has_tables(connection) else []
    if not rows:
        return Generation.nothing(environment)
    found = read_generation(rows[0], pointers(connection, environment, int(rows[0]["number"])))
    at = collected(connection).get((environment, found.number))
    return replace(found, collected_at=at) if at else found


def all_generations(connection: duckdb.DuckDBPyConnection) -> tuple[Generation, ...]:
    """Return the generations of every environment, newest first, without pointers."""
    marks = collected(connection)
    found = (read_generation(row, ()) for row in _generations(connection, "order by number desc", []))
    return tuple(replace(item, collected_at=marks.get((item.environment, item.number))) for item in found)


def served(connection: duckdb.DuckDBPyConnection, store: str) -> tuple[ServedRelation, ...]:
    """Return the relations outside Sluice's own schemas."""
    sql = """
        select table_schema, table_name, table_type from information_schema.tables
        where table_catalog = current_database() and table_schema not in ('sluice', ?)
        order by all
    """
    rows = connection.execute(bound(sql, [store])).fetchall()
    return tuple(ServedRelation(Name(row[0], row[1]), row[2] == "VIEW") for row in rows)


def publish(
    connection: duckdb.DuckDBPyConnection, publication: Publication, store: str, place: str, linker: Linker
) -> Generation:
    """Do the whole publication in one transaction, the candidate attached as CANDIDATE. See Warehouse.publish."""
    wanted = publication.generation
    connection.execute("begin transaction")
    try:
        connection.execute(_TABLES)
        current = load(connection, wanted.environment)
        if current.promotion == wanted.promotion and current.number:
            connection.execute("rollback")
            return current
        _permit(connection, publication, current, store)
        _names_are_ours(connection, wanted.environment, linker)
        if publication.zero is not None:
            adopt.adopt(connection, publication, store)
            _record(connection, publication.zero, (), publication.zero.pointers)
            current = publication.zero
            faults.reach(faults.FaultPoint.DEPLOY_ADOPTED)
        _bring(connection, publication, store)
        _keep_contents(connection, publication)
        faults.reach(faults.FaultPoint.DEPLOY_RELATIONS)
        _flip(connection, current, wanted)
        _leave(connection, publication.leaves)
        faults.reach(faults.FaultPoint.DEPLOY_VIEWS)
        connection.execute("commit")
    except BaseException as error:
        with contextlib.suppress(duckdb.Error):  # a commit that failed has ended the transaction itself
            connection.execute("rollback")
        if isinstance(error, duckdb.Error):
            failed = CannotPublish if isinstance(error, _FOR_GOOD) else QueryFailed
            raise failed(f"{place}: nothing was published: {str(error).splitlines()[0]}") from error
        raise
    faults.reach(faults.FaultPoint.DEPLOY_COMMITTED)  # in place, it is in the journal only
    return wanted


def _permit(
    connection: duckdb.DuckDBPyConnection, publication: Publication, current: Generation, store: str
) -> None:
    wanted = publication.generation
    if current.number != publication.base:
        raise EnvironmentMoved(wanted.environment, publication.base, current.number)
    sql = "select coalesce(max(token), 0) from sluice.generation where environment = ?"
    if int(connection.execute(bound(sql, [wanted.environment])).fetchall()[0][0]) > wanted.token:
        raise LeaseLost(wanted.environment)
    _not_somebody_elses(connection, wanted, store, frozenset(item.name.folded for item in publication.adopt))


def holders(connection: duckdb.DuckDBPyConnection) -> Mapping[Name, str]:
    """Return the environment that serves each public name, by the name in lower case."""
    if not has_tables(connection):
        return {}
    sql = "select schema, identifier, environment from sluice.pointer where until is null"
    rows = connection.execute(sql).fetchall()
    return {Name(schema, identifier).folded: str(owner) for schema, identifier, owner in rows}


def _not_somebody_elses(
    connection: duckdb.DuckDBPyConnection, wanted: Generation, store: str, adopted: Collection[Name]
) -> None:
    """Raise Refused if a public name is held by another environment, or by a relation that is not Sluice's."""
    owners = holders(connection)
    names = {pointer.name.folded: pointer.name for pointer in wanted.pointers}
    others = sorted(
        name for key, name in names.items() if owners.get(key, wanted.environment) != wanted.environment
    )
    if others:
        owner = owners[others[0].folded]
        told = ", ".join(str(name) for name in others)
        fix = "give each its own schema: environments.<name>.target in sluice.yml"
        raise Refused(f"environment {owner!r} serves these public names: {told}", fix)
    there = served(connection, store)
    taken = {item.name.folded for item in there} - set(owners) - set(adopted)
    clash = ", ".join(str(name) for key, name in sorted(names.items()) if key in taken)
    if clash:
        raise Refused(
            f"these public names hold relations that Sluice did not make: {clash}",
            "rename or drop them, then run the command again",
        )


def _names_are_ours(connection: duckdb.DuckDBPyConnection, environment: str, linker: Linker) -> None:
    """Raise Refused if something else stands at one of the environment's public names: it came since the publish began."""
    found = displaced(connection, environment, linker)
    if found:
        raise Refused(
            f"{environment} does not serve what was published: {describe_displaced(found)}",
            f"take the names back: {TAKE_BACK}",
        )


def _bring(connection: duckdb.DuckDBPyConnection, publication: Publication, store: str) -> None:
    connection.execute(f"create schema if not exists {quoted(store)}")
    for table in publication.tables:
        address = quoted(table.address.schema, table.address.identifier)
        source = quoted(CANDIDATE, table.source.schema, table.source.identifier)
        connection.execute(f"create table if not exists {address} as select * from {source}")
    for view in publication.views:
        address = quoted(view.address.schema, view.address.identifier)
        connection.execute(f"create view if not exists {address} as {view.sql}")


def _keep_contents(connection: duckdb.DuckDBPyConnection, publication: Publication) -> None:
    """Write down what the new relations hold: of tables what was sealed, of adopted ones what their copies hold."""
    adopted = [item.address for item in publication.adopt]
    views = [item.address for item in publication.views]
    held = (*publication.held, *content_digests.of_views(connection, [*views, *adopted]))
    known = {item.address for item in held}
    copies = [(quoted(name.schema, name.identifier), name) for name in adopted if name not in known]
    if copies:
        held += content_digests.of_tables(connection, copies)
    if held:
        content_digests.write(connection, held)


def _flip(connection: duckdb.DuckDBPyConnection, current: Generation, wanted: Generation) -> None:
    before, after = current.by_name(), wanted.by_name()
    gone = [pointer for name, pointer in before.items() if after.get(name) != pointer]
    new = [pointer for name, pointer in after.items() if before.get(name) != pointer]
    catalog = catalog_of(connection)
    for schema in sorted({pointer.name.schema for pointer in new}):
        connection.execute(f"create schema if not exists {quoted(catalog, schema)}")
    for pointer in gone:
        # Before the new ones: a name may come back in another spelling, and DuckDB does not tell Foo from foo.
        if pointer.name not in after:
            public = quoted(catalog, pointer.name.schema, pointer.name.identifier)
            connection.execute(f"drop view if exists {public}")
    for pointer in new:
        # The catalog is in the view's name only: DuckDB does not keep it, and a schema may bear the same name.
        public = quoted(catalog, pointer.name.schema, pointer.name.identifier)
        physical = quoted(pointer.address.schema, pointer.address.identifier)
        connection.execute(f"create or replace view {public} as select * from {physical}")
    _record(connection, wanted, gone, new)


def _leave(connection: duckdb.DuckDBPyConnection, schemas: Iterable[str]) -> None:
    """Drop the schemas in which nothing stands."""
    catalog = catalog_of(connection)
    for schema in schemas:
        within = "database_name = current_database() and schema_name = ?"
        kinds = ("tables", "views", "functions", "sequences", "types")
        stands = " union all ".join(f"select 1 from duckdb_{kind}() where {within}" for kind in kinds)
        if not connection.execute(bound(stands, [schema] * len(kinds))).fetchall():
            connection.execute(f"drop schema if exists {quoted(catalog, schema)}")


def catalog_of(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the name that the connection's own database bears."""
    return str(connection.execute("select current_database()").fetchall()[0][0])


def _record(
    connection: duckdb.DuckDBPyConnection, wanted: Generation, gone: Iterable[Pointer], new: Iterable[Pointer]
) -> None:
    # A few statements, not one for each pointer: the served file is locked meanwhile.
    for some in _pieces([(old.name.schema, old.name.identifier) for old in gone]):
        names = ", ".join(f"({literal(schema)}, {literal(identifier)})" for schema, identifier in some)
        sql = f"update sluice.pointer set until = ? where environment = ? and until is null and (schema, identifier) in ({names})"
        connection.execute(bound(sql, [wanted.number, wanted.environment]))
    for some in _pieces([[wanted.environment, *_fields(pointer), wanted.number, None] for pointer in new]):
        rows = ", ".join(f"({', '.join(map(literal, row))})" for row in some)
        connection.execute(f"insert into sluice.pointer values {rows}")
    connection.execute(
        bound(
            f"insert into sluice.generation ({_WRITTEN}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                wanted.environment,
                wanted.number,
                wanted.release,
                wanted.promotion,
                wanted.token,
                wanted.cause.value,
                wanted.origin,
                wanted.at.astimezone(UTC).replace(tzinfo=None),
                wanted.head.number if wanted.head else None,
                wanted.head.digest if wanted.head else None,
            ],
        )
    )


def _pieces(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    return (items[at : at + _AT_ONCE] for at in range(0, len(items), _AT_ONCE))


def _fields(pointer: Pointer) -> list[str]:
    name, address = pointer.name, pointer.address
    return [
        name.schema,
        name.identifier,
        address.schema,
        address.identifier,
        pointer.node,
        pointer.kind.value,
        pointer.fingerprint,
        pointer.inputs,
    ]


def collected(connection: duckdb.DuckDBPyConnection) -> Mapping[tuple[str, int], datetime]:
    """Return when relations of a generation were collected, by environment and number; whole ones are left out."""
    if not has_tables(connection, "collected"):
        return {}
    sql = "select environment, number, collected_at from sluice.collected"
    return {
        (environment, int(number)): at.replace(tzinfo=UTC)
        for environment, number, at in connection.execute(sql).fetchall()
    }


def _last(connection: duckdb.DuckDBPyConnection, environment: str) -> list[Row]:
    return _generations(connection, "where environment = ? order by number desc limit 1", [environment])


def _generations(connection: duckdb.DuckDBPyConnection, rest: str, parameters: list[Any]) -> list[Row]:
    # All columns there are: a file that an older Sluice wrote has fewer. Those that it did write have to be there.
    answer = connection.execute(bound(f"select *, {_ALWAYS} from sluice.generation {rest}", parameters))
    names = [str(column[0]) for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def pointers(connection: duckdb.DuckDBPyConnection, environment: str, number: int) -> tuple[Pointer, ...]:
    """Return the pointers of a generation, sorted by name."""
    sql = """
        select schema, identifier, address_schema, address, node, kind, fingerprint, inputs from sluice.pointer
        where environment = ? and since <= ? and (until is null or until > ?) order by schema, identifier
    """
    rows = connection.execute(bound(sql, [environment, number, number])).fetchall()
    return tuple(read_pointer(row) for row in rows)


def read_pointer(row: tuple[Any, ...]) -> Pointer:
    """Return the pointer in a row of sluice.pointer."""
    schema, identifier, address_schema, address, node, kind, fingerprint, inputs = row
    return Pointer(
        Name(schema, identifier), Name(address_schema, address), node, NodeKind(kind), fingerprint, inputs
    )


def read_generation(row: Row, pointers: tuple[Pointer, ...]) -> Generation:
    """Return the generation in a row of sluice.generation."""
    number, digest = row.get("ledger_number"), row.get("ledger_digest")
    return Generation(
        row["environment"],
        int(row["number"]),
        row["release"],
        row["promotion"],
        int(row["token"]),
        Cause(row["cause"]),
        int(row["origin"]),
        row["written_at"].replace(tzinfo=UTC),
        pointers,
        head=None if number is None or digest is None else LedgerHead(int(number), str(digest)),
    )
