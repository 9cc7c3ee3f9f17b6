"""Whenever shapes say that columns stay what they are, DuckDB gives the same values for them, jointly and row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_sluice.domain.node import Name
from prefect_sluice.sql.columns.shape import ALL, ColumnOrigin, Shape, shape
from tests.sql.mutants import TABLES, mutated, query

SEEDS = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("create schema s")
        yield connection


def fill(connection: duckdb.DuckDBPyConnection, chance: Random) -> None:
    """Make the tables anew, with few values and many ties."""
    for table, columns in TABLES.items():
        connection.execute(
            f"create or replace table s.{table} ({', '.join(f'{name} integer' for name in columns)})"
        )
        rows = [
            ", ".join(chance.choice(("null", "0", "1", "1", "2", "3")) for _ in columns)
            for _ in range(chance.randint(2, 6))
        ]
        connection.execute(f"insert into s.{table} values ({'), ('.join(rows)})")
    connection.execute("create or replace table s.b as select id, x, z, {'id': x + 1, 'x': z} as a from s.b")


@dataclass
class Answer:
    """A table that a query made: names as DuckDB gives them, and rows."""

    names: list[str]
    rows: list[tuple[object, ...]]

    def of(self, names: list[str]) -> Counter[str]:
        """Return how often each row is there, of these columns alone."""
        places = [[name.lower() for name in self.names].index(name) for name in names]
        return Counter(repr([row[environment] for environment in places]) for row in self.rows)


def asked(connection: duckdb.DuckDBPyConnection, sql: str) -> Answer | None:
    """Return what a table made by `sql` holds, None if it fails."""
    try:
        connection.execute(f"create or replace table answer as {sql}")
    except duckdb.Error:
        return None
    answer = connection.execute("select * from answer")
    return Answer([column[0] for column in answer.description], answer.fetchall())


def parts(found: Shape, names: list[str]) -> Mapping[str, ColumnOrigin]:
    """Return the part of each column; every column that is there has one."""
    parts = {name.lower(): found.part(name) for name in names}
    assert None not in parts.values(), f"a column of {names} has no part"
    return {name: part for name, part in parts.items() if part is not None}


def query_changes(connection: duckdb.DuckDBPyConnection, seed: int) -> str:
    """Change a query, and compare the columns that shapes call unchanged. Return what came of it."""
    chance = Random(seed)
    one = query(chance)
    before, after = str(one), str(mutated(chance, one))
    old, new = shape(before, "duckdb", "memory"), shape(after, "duckdb", "memory")
    if old is None or new is None:
        return "doubt"
    fill(connection, chance)
    first, second = asked(connection, before), asked(connection, after)
    if first is None or second is None:
        return "fails"
    olds, news = parts(old, first.names), parts(new, second.names)
    if old.rows != new.rows:
        return "other rows"
    same = sorted(name for name in olds.keys() & news.keys() if olds[name] == news[name])
    assert first.of(same) == second.of(same), f"\n{before}\n{after}\n{same}"
    return "same" if same else "no column"


def data_changes(connection: duckdb.DuckDBPyConnection, seed: int) -> str:
    """Change, drop or add a column of a table, and compare the columns that do not read it. Return what came of it."""
    chance = Random(seed)
    sql = str(query(chance))
    found = shape(sql, "duckdb", "memory")
    if found is None:
        return "doubt"
    fill(connection, chance)
    first = asked(connection, sql)
    if first is None:
        return "fails"
    table = chance.choice(tuple(TABLES))
    changed = change(connection, chance, table)
    second = asked(connection, sql)
    hit = {(Name("s", table), changed), (Name("s", table), ALL)}
    if hit & set(found.reads):
        return "other rows"
    every = parts(found, first.names)
    assert (
        second is not None or hit & {read for part in every.values() for read in part.reads} or found.whole
    ), sql
    if second is None:
        return "fails now"
    same = sorted(
        name
        for name, part in every.items()
        if not hit & set(part.reads) and name in [each.lower() for each in second.names]
    )
    assert first.of(same) == second.of(same), f"\n{sql}\n{table}.{changed}\n{same}"
    gone = {name for name, part in every.items() if not hit & set(part.reads)} - set(same)
    assert not gone, f"\n{sql}\n{table}.{changed}\n{gone} gone"
    return "same" if same else "no column"


def change(connection: duckdb.DuckDBPyConnection, chance: Random, table: str) -> str:
    """Give one column of the table other values, drop it, or add one; return its name."""
    columns = TABLES[table]
    kind = chance.choice(("values", "values", "drop", "add", "add"))
    if kind == "add":
        name = chance.choice(
            [name for name in ("x", "y", "z", "g", "w", "k", "t", "u", "a", "id_1") if name not in columns]
        )
        struct = "{'id': 7, 'x': 8}" if chance.random() < 0.3 else "5"
        connection.execute(
            f"create or replace table s.{table} as select *, {struct} as {name} from s.{table}"
        )
        return name
    name = chance.choice(columns)
    if kind == "drop":
        connection.execute(f"create or replace table s.{table} as select * exclude ({name}) from s.{table}")
    elif name == "a":
        connection.execute("update s.b set a = {'id': 11, 'x': 12}")
    else:
        connection.execute(f"update s.{table} set {name} = coalesce({name}, 0) * 3 + 1")
    return name


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS)
def test_columns_that_a_changed_query_leaves_alone(connection: duckdb.DuckDBPyConnection, seed: int) -> None:
    query_changes(connection, seed)


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS)
def test_columns_that_do_not_read_what_changed(connection: duckdb.DuckDBPyConnection, seed: int) -> None:
    data_changes(connection, seed)


def test_the_oracle_finds_something_to_compare(connection: duckdb.DuckDBPyConnection) -> None:
    """A generator whose queries are all in doubt, or all fail, would prove nothing."""
    changed = Counter(query_changes(connection, seed) for seed in range(80))
    moved = Counter(data_changes(connection, seed) for seed in range(80))
    assert changed["same"] > 5, changed
    assert moved["same"] > 5, moved
