"""SQL that asks DuckDB's own lists, sent to the corrected ones; and what else a build may do with what stands in for a table."""

from __future__ import annotations

import pytest

from prefect_sluice.warehouse.duckdb.side_catalogue import corrected, dropping_a_view

OURS = "sluice_catalogue.main"
REFUSED = "Catalog Error: Existing object a is of type View, trying to drop type Table"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("from information_schema.tables", f"from {OURS}.tables"),
        ('from system."INFORMATION_SCHEMA" . "TABLES" t', f"from {OURS}.tables t"),
        ("select information_schema.tables.table_name", f"select {OURS}.tables.table_name"),
        ("from duckdb_tables() t, duckdb_views ()", f"from {OURS}.duckdb_tables() t, {OURS}.duckdb_views ()"),
        ("from system.main.duckdb_views()", f"from {OURS}.duckdb_views()"),
        ("from information_schema.columns", f"from {OURS}.columns"),
        ("from information_schema.tables_of_mine", "from information_schema.tables_of_mine"),
        ("from my_information_schema.tables", "from my_information_schema.tables"),
        ("from x.information_schema.tables", "from x.information_schema.tables"),
        ("select 'information_schema.tables'", "select 'information_schema.tables'"),
        ("-- information_schema.tables\nselect 1", "-- information_schema.tables\nselect 1"),
        ("/* it's duckdb_tables() */ select 1", "/* it's duckdb_tables() */ select 1"),
        ("select duckdb_tables from t", "select duckdb_tables from t"),
    ],
)
def test_what_is_asked_of_the_catalogue(sql: str, expected: str) -> None:
    assert corrected(sql) == expected


@pytest.mark.parametrize(
    ("sql", "error", "expected"),
    [
        ("drop table a", REFUSED, "drop view a"),
        (
            "/* by dbt */\n  DROP TABLE if exists s.a cascade;\n",
            REFUSED,
            "/* by dbt */\n  DROP view if exists s.a cascade;\n",
        ),
        ("drop table a", "Catalog Error: Table with name a does not exist!", ""),
        ("create table b as select 1; drop table a", REFUSED, ""),
    ],
)
def test_a_stand_in_is_dropped_as_what_it_is(sql: str, error: str, expected: str) -> None:
    assert dropping_a_view(sql, error) == expected
