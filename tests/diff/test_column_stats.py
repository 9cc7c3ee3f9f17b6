"""The numbers of columns that the comparison tells, what it remembers, and the tables of its finding."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from statistics import fmean

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_sluice.diff import measure
from prefect_sluice.diff.column_stats import ColumnStats, ColumnStatsPair, readable
from prefect_sluice.diff.compare import compare
from prefect_sluice.diff.relation import RelationDiff
from prefect_sluice.diff.remembered import read
from prefect_sluice.diff.tables import tables
from tests.gates.duck import DuckReader
from tests.gates.keeping import Kept


def reader(before: str, after: str) -> DuckReader:
    duck = DuckReader(duckdb.connect())
    duck.connection.execute(f"CREATE TABLE before AS {before}")
    duck.connection.execute(f"CREATE TABLE after AS {after}")
    return duck


def differ(before: str, after: str, *key: str) -> RelationDiff:
    return compare(reader(before, after), "before", "after", key, "t")


def numbers(diff: RelationDiff) -> Mapping[str, ColumnStatsPair]:
    return {each.name: each for each in diff.numbers}


# --- against Python ---

_rows = st.dictionaries(
    st.integers(0, 9),
    st.tuples(
        st.sampled_from([None, "", "a", "ä", "B", "z"]),
        st.sampled_from([None, 0.5, 1.5, -1.5, math.inf]),
        st.sampled_from([None, 0, 1, 7]),
    ),
    max_size=10,
)


Cell = str | float | int | None


def _oracle(values: Sequence[Cell]) -> ColumnStats:
    known = [value for value in values if value is not None]
    texts = [value for value in known if isinstance(value, str)]
    plain = [value for value in known if not isinstance(value, str)]
    # DuckDB orders texts by their UTF-8 bytes.
    ends: Sequence[Cell] = sorted(texts, key=str.encode) or sorted(plain)
    return ColumnStats(
        len(values) - len(known),
        len(set(known)),
        False,
        str(ends[0]) if ends else None,
        str(ends[-1]) if ends else None,
        float(f"{fmean(plain):.12g}") if plain else None,
    )


@settings(max_examples=40, deadline=None)
@given(before=_rows, after=_rows)
def test_numbers_are_what_python_finds(
    before: Mapping[int, tuple[Cell, ...]], after: Mapping[int, tuple[Cell, ...]]
) -> None:
    duck = DuckReader(duckdb.connect())
    for name, rows in (("before", before), ("after", after)):
        duck.connection.execute(f"CREATE TABLE {name} (id INTEGER, a VARCHAR, b DOUBLE, c INTEGER)")
        for key, row in rows.items():
            duck.connection.execute(f"INSERT INTO {name} VALUES (?, ?, ?, ?)", (key, *row))
    diff = compare(duck, "before", "after", ("id",), "t")
    found = numbers(diff)
    assert {each.name for each in diff.columns_changed} <= found.keys()
    for n, column in enumerate("abc"):
        old = _oracle([row[n] for row in before.values()])
        new = _oracle([row[n] for row in after.values()])
        if column in found:
            assert (found[column].before, found[column].after) == (old, new)
        else:
            assert old == new
    assert read(json.loads(json.dumps(diff.as_json(), allow_nan=False))) == diff


# --- bad cases ---

_HUGE = 170141183460469231731687303715884105727
NUMBERED = {
    "NaN": (
        "DOUBLE", "VALUES (1, 1.5), (2, 2)", "VALUES (1, 'nan'), (2, 2)",
        ("0", "2", "1.5 → 2.0", "2.0 → nan", "1.75 → nan"),
    ),
    "decimals": (
        "DECIMAL(9, 2)", "VALUES (1, 1.25)", "VALUES (1, 2.50)",
        ("0", "1", "1.25 → 2.50", "1.25 → 2.50", "1.25 → 2.5"),
    ),
    "time zones": (
        "TIMESTAMPTZ", "VALUES (1, '2026-01-01 00:00:00+00')", "VALUES (1, '2026-01-01 00:00:00+05:30')",
        ("0", "1", "2026-01-01 00:00:00+00 → 2025-12-31 18:30:00+00", "2026-01-01 00:00:00+00 → 2025-12-31 18:30:00+00", ""),
    ),
    "lists": ("INTEGER[]", "VALUES (1, [1])", "VALUES (1, [NULL])", ("0", "1", "", "", "")),
    "an empty list is a value": ("INTEGER[]", "VALUES (1, NULL)", "VALUES (1, [])", ("1 → 0", "0 → 1", "", "", "")),
    "structs": (
        "STRUCT(a INTEGER)", "VALUES (1, {'a': 1}), (2, NULL)", "VALUES (1, {'a': NULL}), (2, NULL)",
        ("1", "1", "", "", ""),
    ),
    "booleans": ("BOOLEAN", "VALUES (1, true)", "VALUES (1, NULL)", ("0 → 1", "1 → 0", "true → none", "true → none", "")),
    "huge": (
        "HUGEINT", f"VALUES (1, {_HUGE}), (2, {_HUGE})", "VALUES (1, 1), (2, 1)",
        ("0", "1", f"{_HUGE} → 1", f"{_HUGE} → 1", "1.70141e+38 → 1"),
    ),
    "texts": ("VARCHAR", f"VALUES (1, '{'é' * 80}')", "VALUES (1, 'ß')", ("0", "1", f"{'é' * 59}… → ß", f"{'é' * 59}… → ß", "")),
    "blobs": ("BLOB", "VALUES (1, '\\xAA'::BLOB)", "VALUES (1, '\\xAB'::BLOB)", ("0", "1", "", "", "")),
    "json": ("JSON", "VALUES (1, '{\"a\": 1}')", "VALUES (1, '{\"a\": 2}')", ("0", "1", "", "", "")),
    "an enum": ("ENUM('b', 'a')", "VALUES (1, 'a'), (2, 'b')", "VALUES (1, 'a'), (2, 'a')", ("0", "2 → 1", "b → a", "a", "")),
}  # fmt: skip


@pytest.mark.parametrize("case", NUMBERED)
def test_every_kind_of_value_has_numbers(case: str) -> None:
    kind, before, after, shown = NUMBERED[case]
    duck = DuckReader(duckdb.connect())
    duck.connection.execute("SET TimeZone = 'UTC'")
    for name, values in (("before", before), ("after", after)):
        duck.connection.execute(f'CREATE TABLE {name} (id INTEGER, "a b" {kind})')
        duck.connection.execute(f"INSERT INTO {name} {values}")
    diff = compare(duck, "before", "after", ("id",), "t")
    assert numbers(diff)["a b"].shown() == shown
    assert read(json.loads(json.dumps(diff.as_json(), allow_nan=False))) is not None


def test_a_retyped_decimal_is_compared_by_its_value() -> None:
    diff = differ("SELECT 1 AS id, 1.5::DECIMAL(9, 1) AS v", "SELECT 1 AS id, 1.5::DECIMAL(9, 2) AS v", "id")
    assert diff.rows_changed == 0
    assert numbers(diff)["v"].shown() == ("0", "1", "1.5 → 1.50", "1.5 → 1.50", "1.5")


def test_columns_that_come_and_go_have_the_numbers_of_their_side() -> None:
    diff = differ("SELECT 1 AS id, 2 AS old", "SELECT 1 AS id, NULL::INTEGER AS new", "id")
    assert {each.name: each.shown() for each in diff.numbers} == {
        "new": ("1", "0", "", "", ""),
        "old": ("0", "1", "2", "2", "2"),
    }


def test_without_columns_in_common_each_side_is_told_alone() -> None:
    diff = differ("SELECT 1 AS a", "SELECT 2 AS b")
    assert [(each.name, each.before is None) for each in diff.numbers] == [("b", True), ("a", False)]


def test_many_distinct_values_are_estimated_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "EXACT_VALUES", 100)
    diff = differ(
        "SELECT range AS id, range AS v FROM range(999)",
        "SELECT range AS id, -range AS v FROM range(999)",
        "id",
    )
    shown = numbers(diff)["v"].shown()[1]
    assert shown.startswith("≈ ")
    assert 700 <= float(shown.split(" ")[1]) <= 1300


def test_one_scan_per_side() -> None:
    duck = reader(
        "SELECT range AS id, 0 AS a, 0 AS b FROM range(9)", "SELECT range AS id, 1 AS a, 2 AS b FROM range(9)"
    )
    compare(duck, "before", "after", ("id",), "t")
    assert len([sql for sql in duck.asked if 'DISTINCT "a"' in sql]) == 2
    assert len(duck.asked) == 8


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.0, "0"), (1234567.891, "1234568"), (0.123456789, "0.12346"), (12.5, "12.5"), (1e20, "1e+20"),
     (math.nan, "nan"), (-3.0, "-3")],
)  # fmt: skip
def test_a_mean_is_readable(value: float | None, text: str) -> None:
    assert readable(value) == text


# --- what is remembered ---


def _remembering(duck: DuckReader, memory: Kept, *key: str) -> tuple[RelationDiff, int]:
    asked = len(duck.asked)
    return compare(duck, "before", "after", key, "t", memory), len(duck.asked) - asked


@pytest.mark.parametrize("key", [("id",), (), ("id", "v")])
def test_the_same_pair_is_never_compared_twice(key: tuple[str, ...]) -> None:
    before = "SELECT range AS id, range AS v, [range] AS l, 1 AS old FROM range(50)"
    duck, memory = reader(before, f"SELECT id, v + 1 AS v, l, 2 AS new FROM ({before})"), Kept()
    first, many = _remembering(duck, memory, *key)
    again, few = _remembering(duck, memory, *key)
    assert again == first
    assert few == 2 < many
    # Elsewhere, in another order, under another name, it is the same pair.
    duck.connection.execute("CREATE TABLE elsewhere AS SELECT * FROM after ORDER BY id DESC")
    elsewhere = compare(duck, "before", "elsewhere", key, "u", memory)
    assert (elsewhere.name, elsewhere.rows_changed, len(memory.written)) == ("u", first.rows_changed, 1)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE after SET v = 7 WHERE id = 3",
        "UPDATE after SET new = 7 WHERE id = 3",
        "UPDATE before SET old = NULL WHERE id = 3",
        "DELETE FROM after WHERE id = 3",
        "ALTER TABLE after RENAME new TO newer",
        "ALTER TABLE after ALTER new TYPE BIGINT",
    ],
)
def test_another_pair_is_compared(change: str) -> None:
    duck = reader(
        "SELECT range AS id, range AS v, 1 AS old FROM range(9)",
        "SELECT range AS id, 1 AS v, 2 AS new FROM range(9)",
    )
    memory = Kept()
    _remembering(duck, memory, "id")
    duck.connection.execute(change)
    found, _ = _remembering(duck, memory, "id")
    assert len(memory.written) == 2
    assert found == compare(duck, "before", "after", ("id",), "t")


def test_another_key_is_another_question() -> None:
    duck, memory = reader("SELECT 1 AS id, 1 AS v", "SELECT 1 AS id, 2 AS v"), Kept()
    assert _remembering(duck, memory, "id")[0].key == ("id",)
    assert _remembering(duck, memory)[0].key == ()


# --- the tables ---


def test_the_tables_of_a_finding() -> None:
    diff = differ(
        "SELECT range AS id, 0 AS v, 1 AS old FROM range(4)",
        "SELECT range AS id, (range = 1)::INTEGER AS v FROM range(1, 6)",
        "id",
    )
    found = {each.title: each for each in tables(diff)}
    assert list(found) == ["rows", "schema", "columns", "rows that go", "rows that come"]
    assert found["rows"].rows == (
        ("before", "4", None),
        ("after", "5", None),
        ("added", "2", "0.5"),
        ("removed", "1", "0.25"),
        ("changed", "1", "0.25"),
    )
    assert found["schema"].rows == (("old", "INTEGER", "none"),)
    [v, *_] = found["columns"].rows
    assert v == ("v", "INTEGER", "0.25", "0", "1 → 2", "0", "0 → 1", "0 → 0.2")
    shares = [
        row[found["columns"].columns.index(bar)]
        for bar in found["columns"].bars
        for row in found["columns"].rows
    ]
    assert all(share is None or 0 <= float(share) <= 1 for share in shares)
    assert tables(differ("SELECT 1 AS id", "SELECT 1 AS id", "id")) == ()
