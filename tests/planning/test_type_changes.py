"""Which changes of a type nobody notices, told by DuckDB itself: every value that is there comes back as it was."""

from __future__ import annotations

import duckdb
import pytest

from prefect_sluice.planning.type_changes import narrows, widens

EDGES = {
    "TINYINT": ("-128", "127"),
    "SMALLINT": ("-32768", "32767"),
    "INTEGER": ("-2147483648", "2147483647"),
    "BIGINT": ("-9223372036854775808", "9223372036854775807"),
    "HUGEINT": ("-170141183460469231731687303715884105728", "170141183460469231731687303715884105727"),
    "UTINYINT": ("0", "255"),
    "UINTEGER": ("0", "4294967295"),
    "UBIGINT": ("0", "18446744073709551615"),
    "FLOAT": ("16777217", "0.1", "3.4e38"),
    "DOUBLE": ("9007199254740993", "0.1", "1.7e308"),
    "DECIMAL(4,2)": ("-99.99", "99.99"),
    "DECIMAL(6,2)": ("-9999.99", "9999.99"),
    "DECIMAL(6,4)": ("-99.9999", "99.9999"),
    "DECIMAL(18,3)": ("-999999999999999.999", "123456789012345.678"),
    "DECIMAL(38,0)": ("9" * 38,),
    "DATE": ("'2013-01-31'", "'1700-01-01'"),
    "TIMESTAMP": ("'2013-01-31 12:00:00.123456'",),
    "TIMESTAMP_MS": ("'2013-01-31 12:00:00.123'",),
    "TIMESTAMP_S": ("'2013-01-31 12:00:00'",),
    "VARCHAR": ("'größer'", "'1'"),
    "ENUM('a', 'b')": ("'a'",),
    "ENUM('b', 'a', 'c, d')": ("'c, d'",),
    "INTEGER[]": ("[1, 2]",),
    "BIGINT[]": ("[9223372036854775807]",),
    "INTEGER[2]": ("[1, 2]",),
    "STRUCT(a INTEGER)": ("{'a': 2147483647}",),
    'STRUCT(a BIGINT, "b c" VARCHAR)': ("{'a': 9223372036854775807, 'b c': 'x'}",),
    "BOOLEAN": ("true",),
    "UUID": ("'6a2f41a3-c54c-fce8-32d2-0324e1c32e22'",),
}


@pytest.mark.parametrize("before", EDGES)
def test_what_widens_loses_no_value(before: str) -> None:
    connection = duckdb.connect()
    for after in EDGES:
        if not widens(before, after):
            continue
        for edge in EDGES[before]:
            value = f"({edge})::{before}"
            # DuckDB has no cast from one of its coarser times to another.
            by = "::TIMESTAMP" if before.startswith("TIMESTAMP") else ""
            same = f"SELECT {value}::{after}{by}::{before} IS NOT DISTINCT FROM {value}"
            assert connection.execute(same).fetchone() == (True,), (before, after, edge)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("INTEGER", "BIGINT"),
        ("UINTEGER", "BIGINT"),
        ("BIGINT", "HUGEINT"),
        ("INTEGER", "DOUBLE"),
        ("INTEGER", "DECIMAL(18,3)"),
        ("FLOAT", "DOUBLE"),
        ("DECIMAL(4,2)", "DECIMAL(6,4)"),
        ("DECIMAL(4,2)", "DOUBLE"),
        ("DATE", "TIMESTAMP"),
        ("ENUM('a', 'b')", "VARCHAR"),
        ("ENUM('a', 'b')", "ENUM('b', 'a', 'c, d')"),
        ("INTEGER[]", "BIGINT[]"),
        ("INTEGER[2]", "INTEGER[]"),
        ("STRUCT(a INTEGER)", 'STRUCT(a BIGINT, "b c" VARCHAR)'),
        ('"NULL"', "DATE"),
        ("integer", "bigint"),
        ("character varying(10)", "character varying(20)"),
        ("character varying(10)", "text"),
        ("numeric(10,2)", "numeric(12,2)"),
        ("real", "double precision"),
    ],
)
def test_what_widens_and_back_narrows(before: str, after: str) -> None:
    assert widens(before, after)
    assert narrows(after, before)
    assert not widens(after, before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("INTEGER", "VARCHAR"),
        ("VARCHAR", "INTEGER"),
        ("BIGINT", "DOUBLE"),
        ("BIGINT", "UBIGINT"),
        ("BIGINT", "DECIMAL(18,3)"),
        ("DECIMAL(6,2)", "DECIMAL(6,4)"),
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
        ("BOOLEAN", "INTEGER"),
        ("INTEGER[2]", "INTEGER[3]"),
        ("INTEGER[]", "INTEGER"),
        ("SOMETHING OF ITS OWN", "ANOTHER"),
        ("MAP(VARCHAR, INTEGER)", "MAP(VARCHAR, BIGINT)"),
    ],
)
def test_what_does_not_widen(before: str, after: str) -> None:
    assert not widens(before, after)


@pytest.mark.parametrize("same", [*EDGES, "SOMETHING OF ITS OWN", "STRUCT(", "ENUM('a"])
def test_a_type_is_as_wide_as_itself(same: str) -> None:
    assert widens(same, same)
    assert not narrows(same, same)
