"""What a query asks of the clock and of chance is found, and the installed DuckDB has nothing that is missed."""

from __future__ import annotations

import duckdb
import pytest

from prefect_sluice.sql.clock_and_chance import STEADY, volatile
from prefect_sluice.sql.duckdb_functions import AGGREGATES, PURE, RANKS, SCALAR

CASES = {
    "select 1": (),
    "select id from t where at > date '2020-01-01'": (),
    "select current_date": ("clock:day",),
    "select today() - 7": ("clock:day",),
    'select "current_date"': ("clock:day",),
    "select Now() , CURRENT_DATE": ("clock:day", "clock:now"),
    "select current_timestamp, localtime, localtimestamp": ("clock:now",),
    "select current_localtime()": ("clock:now",),
    "select epoch_ms(now()), x.now()": ("clock:now",),
    "select getvariable('day')": ("clock:now",),
    "select age(born)": ("clock:now",),
    "select age(date_trunc('day', born))": ("clock:now",),
    "select age(died, born)": (),
    "select age(greatest(a, b), born)": (),
    "select age from t": (),
    "select born.age(died)": ("clock:now",),
    "select random(), uuid()": ("random",),
    "select nextval('s')": ("random",),
    "select x::uuid, random from t": (),
    "select 'now()' as now -- random()": (),
    "select t.current_date, 1 as current_date from t": (),
    "select * from t using sample 3": ("random",),
    "select * from t tablesample 10%": ("random",),
    "select * from t tablesample reservoir(20) repeatable (7)": (),
    "select sample from t": (),
    "select 'now'::timestamp": (),
    "select 'open string, now": ("clock:now",),
    "{{ x }} random current_date": ("clock:day", "random"),
}


@pytest.mark.parametrize("sql", CASES)
def test_what_is_asked(sql: str) -> None:
    assert volatile(sql, "duckdb") == CASES[sql]


def test_postgres_casts_strings_to_moments() -> None:
    assert volatile("select 'now'::timestamp, date 'Yesterday'", "postgres") == ("clock:day", "clock:now")


def catalogue(what: str) -> list[str]:
    """Return one column of DuckDB's list of functions."""
    with duckdb.connect() as connection:
        return [str(row[0]) for row in connection.execute(f"select distinct {what}").fetchall()]


def test_all_that_duckdb_calls_volatile_is_known() -> None:
    unsteady = catalogue("function_name from duckdb_functions() where stability <> 'CONSISTENT'")
    assert [
        name for name in unsteady if not volatile(f"select {name}()", "duckdb") and name not in STEADY
    ] == []


def test_all_that_duckdb_builds_on_what_is_volatile_is_known() -> None:
    with duckdb.connect() as connection:
        macros = connection.execute(
            "select function_name, macro_definition from duckdb_functions() where macro_definition is not null"
        ).fetchall()
    assert [
        name
        for name, text in macros
        if volatile(f"select {text}", "duckdb") and not volatile(f"select {name}()", "duckdb")
    ] == []


def test_all_that_is_named_after_the_clock_is_known() -> None:
    """DuckDB calls `current_localtime` consistent: its word alone is not enough."""
    names = catalogue(
        "function_name from duckdb_functions() where function_name ~ '^current_|now|today|random|uuid'"
    )
    known = {"uuid_extract_timestamp", "uuid_extract_version", "current_setting"} | STEADY
    assert [name for name in names if not volatile(f"select {name}()", "duckdb") and name not in known] == []


def test_pure_functions_are_consistent() -> None:
    unsteady = set(catalogue("function_name from duckdb_functions() where stability <> 'CONSISTENT'"))
    assert unsteady & PURE == set()
    assert {name for name in PURE if volatile(f"select {name}(1, 2)", "duckdb")} == set()


def test_pure_functions_are_duckdbs() -> None:
    aggregates = set(catalogue("function_name from duckdb_functions() where function_type = 'aggregate'"))
    others = set(
        catalogue("function_name from duckdb_functions() where function_type in ('scalar', 'macro')")
    )
    assert aggregates >= AGGREGATES | RANKS
    assert others >= SCALAR
    assert SCALAR & aggregates == set()
    assert others & AGGREGATES == set(), (
        "what is an aggregate in one place and none in another decides no rows"
    )
