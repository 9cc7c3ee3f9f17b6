"""The room reads DuckDB's SQL. Asked about another dialect's it says that it does not know, and is never wrong."""

from __future__ import annotations

import pytest

from prefect_sluice.sql.canonical import canonical
from prefect_sluice.sql.clock_and_chance import volatile
from prefect_sluice.sql.columns.shape import doubt, shape
from prefect_sluice.sql.countable_tests import counted
from prefect_sluice.sql.side_effects import writes
from tests.postgres import running_postgres

OTHERS = ("postgres", "spark", "snowflake", "bigquery", "mysql", "tsql", "oracle", "no such dialect", "")
QUERY = "select id, sum(amount) as total from s.orders where amount > 0 group by id"


@pytest.mark.parametrize("dialect", OTHERS)
def test_columns_are_not_proven(dialect: str) -> None:
    assert shape(QUERY, "duckdb", "wh") is not None
    assert shape(QUERY, dialect, "wh") is None
    assert doubt(QUERY, dialect, "wh") == "the query cannot be taken apart"


@pytest.mark.parametrize("dialect", OTHERS)
def test_tests_are_not_counted_together(dialect: str) -> None:
    sql = "select id from s.orders where id is null"
    assert counted(sql, "duckdb") is not None
    assert counted(sql, dialect) is None


@pytest.mark.parametrize("dialect", OTHERS)
@pytest.mark.parametrize(
    "sql",
    [
        "insert into s.t select 1",
        "call load_it()",
        "do $$ begin truncate s.t; end $$",
        "refresh materialized view s.t",
        "select 1 as a into s.t",
        "select 1",
    ],
)
def test_what_statements_write_is_not_known(sql: str, dialect: str) -> None:
    assert writes(sql, dialect) is None


@pytest.mark.parametrize("dialect", OTHERS)
def test_nothing_writes_nothing(dialect: str) -> None:
    assert writes(" \n ", dialect) == ()


DIFFERENT_ELSEWHERE = [
    ("select 1--1 as a\nfrom t", "select 1\nfrom t"),  # MySQL: 1 - (-1)
    ("select 'a' 'b'", "select 'a'  'b'"),
    ('select "A b"', 'select "a b"'),  # a string in MySQL and BigQuery
    ("SELECT Qualify FROM t", "SELECT qualify FROM t"),
    ("select 1 # a\n+ 1", "select 1 # b\n+ 1"),
]


@pytest.mark.parametrize("dialect", [name for name in OTHERS if name != "postgres"])
@pytest.mark.parametrize(("one", "other"), DIFFERENT_ELSEWHERE)
def test_a_text_is_its_own_spelling(one: str, other: str, dialect: str) -> None:
    assert canonical(one, dialect) == one
    assert canonical(one, dialect) != canonical(other, dialect)


@pytest.mark.parametrize("dialect", OTHERS)
@pytest.mark.parametrize(
    "sql",
    [
        "select uuid_generate_v4()",
        "select seq4() from t",
        'select "My_Own" (1)',
        "select `mine`(a) from t",
        "select strange /* a */ (1)",
        "select '--' || strange\n(1)",
        "select '/*' || strange(1) || '*/'",
        "select strange -- a\n (1)",
        "select x from t where day = current_date",
        "select x from t where day = date 'yesterday'",
        "select * from t tablesample bernoulli (10)",
    ],
)
def test_a_call_that_is_not_known_may_give_anything(sql: str, dialect: str) -> None:
    assert volatile(sql, dialect)


@pytest.mark.parametrize("dialect", OTHERS)
def test_plain_sql_asks_nothing(dialect: str) -> None:
    sql = (
        f"with a as ({QUERY}) select coalesce(total, 0), cast(id as decimal(10, 2)) from a where id in (1, 2)"
    )
    assert volatile(sql, dialect) == ()


def test_all_that_postgres_calls_volatile_is_taken_for_it() -> None:
    import psycopg

    with running_postgres() as url, psycopg.connect(url) as connection:
        names = connection.execute("select distinct proname from pg_proc where provolatile = 'v'").fetchall()
    missed = [name for (name,) in names if not volatile(f"select {name}(x) from t", "postgres")]
    assert missed == []
    assert len(names) > 100
