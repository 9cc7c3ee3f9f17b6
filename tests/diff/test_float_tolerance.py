"""Floats that differ in their last digits only are no change; a real change always is."""

from __future__ import annotations

import random
from collections.abc import Sequence

import duckdb
import pytest

from prefect_sluice.diff.compare import compare
from prefect_sluice.diff.float_tolerance import RELATIVE, Tolerance
from prefect_sluice.diff.relation import RelationDiff
from tests.gates.duck import DuckReader

Rows = Sequence[tuple[object, ...]]


def compared(
    types: str, before: Rows, after: Rows, *key: str, tolerance: float = RELATIVE, after_types: str = ""
) -> RelationDiff:
    """Compare two tables of columns a, b, … of these types."""
    connection = duckdb.connect()
    for name, kinds, rows in (("before", types, before), ("after", after_types or types, after)):
        columns = ", ".join(
            f"{letter} {kind}" for letter, kind in zip("abcd", kinds.split("; "), strict=False)
        )
        connection.execute(f"CREATE TABLE {name} ({columns})")
        if rows:
            values = ", ".join(f"({', '.join(str(cell) for cell in row)})" for row in rows)
            connection.execute(f"INSERT INTO {name} VALUES {values}")
    return compare(DuckReader(connection), "before", "after", key, "t", tolerance=lambda _: tolerance)


NEAR = {
    "in the last digit": ("DOUBLE", "0.1::DOUBLE + 0.2::DOUBLE", "0.3"),
    "of 32 bits": ("FLOAT", "1.1", "1.1000001"),
    "huge, and of two signs beyond what a double holds": ("DOUBLE", "1.7e308", "1.7000000000000002e308"),
    "a list": ("DOUBLE[]", "[0.3, NULL, 1]", "[0.1::DOUBLE + 0.2::DOUBLE, NULL, 1]"),
    "an array": ("DOUBLE[2]", "[0.3, 1]", "[0.1::DOUBLE + 0.2::DOUBLE, 1]"),
    "lists in a struct": (
        'STRUCT("an ""x" DOUBLE[], n VARCHAR)',
        "row([0.3], 'it')",
        "row([0.1::DOUBLE + 0.2::DOUBLE], 'it')",
    ),
    "structs in a list": (
        "STRUCT(x DOUBLE)[]",
        "[{'x': 0.3}]",
        "[{'x': 0.1::DOUBLE + 0.2::DOUBLE}]",
    ),
}
FAR = {
    "NULL and a number": ("DOUBLE", "NULL", "0"),
    "NaN and a number": ("DOUBLE", "'nan'", "1"),
    "NaN and NULL": ("DOUBLE", "'nan'", "NULL"),
    "infinity and the largest": ("DOUBLE", "'inf'", "1.79e308"),
    "infinities of two signs": ("DOUBLE", "'inf'", "'-inf'"),
    "the largest of two signs": ("DOUBLE", "1.7e308", "-1.7e308"),
    "ids that became floats": ("DOUBLE", "10000000001", "10000000002"),
    "a tiny value, doubled": ("DOUBLE", "1e-300", "2e-300"),
    "a millionth of 32 bits": ("FLOAT", "1.0", "1.000001"),
    "lists of two lengths": ("DOUBLE[]", "[0.3]", "[0.3, 0.3]"),
    "no list and an empty one": ("DOUBLE[]", "NULL", "[]"),
    "a list of nothing and an empty one": ("DOUBLE[]", "[NULL]", "[]"),
    "a text beside the float": ("STRUCT(x DOUBLE, n VARCHAR)", "{'x': 1, 'n': 'a'}", "{'x': 1, 'n': 'b'}"),
    "a decimal, to the last digit": ("DECIMAL(18,8)", "1000000000.00000001", "1000000000.00000002"),
}


@pytest.mark.parametrize("case", [*NEAR, *FAR])
def test_what_is_the_same_number(case: str) -> None:
    kind, one, two = NEAR.get(case) or FAR[case]
    near = case in NEAR
    before, after = ([(n, value, 5) for n, value in enumerate([each, "NULL", "NULL"])] for each in (one, two))
    types = f"INTEGER; {kind}; DOUBLE"
    by_key, without = compared(types, before, after, "a"), compared(types, before, after)
    assert (by_key.identical, without.identical) == (near, near)
    assert (by_key.rows_close, without.rows_close) == (near, near)
    assert (by_key.rows_changed, without.rows_added, without.rows_removed) == (not near, not near, not near)
    assert by_key.columns_close == without.columns_close == (("b",) if near else ())
    assert not compared(types, before, after, "a", tolerance=0.0).identical


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("key", [("a",), ()])
def test_a_sum_in_another_order_is_no_change(seed: int, key: tuple[str, ...]) -> None:
    """Of prices, of what goes out and comes in, and of what spans twelve orders of magnitude; rows with the same texts, too."""
    draw = random.Random(seed)
    kinds = (
        lambda: draw.randrange(1, 10**6) / 100,
        lambda: draw.randrange(-(10**6), 10**6) / 100,
        lambda: draw.lognormvariate(0, 6),
    )
    groups = [[[draw_one() for _ in range(60)] for draw_one in kinds] for _ in range(80)]
    before = [(n % 40 if not key else n, *(sum(each) for each in group)) for n, group in enumerate(groups)]
    mixed = [[draw.sample(each, len(each)) for each in group] for group in groups]
    after = [(n % 40 if not key else n, *(sum(each) for each in group)) for n, group in enumerate(mixed)]
    assert before != after
    found = compared("INTEGER; DOUBLE; DOUBLE; DOUBLE", before, draw.sample(after, len(after)), *key)
    assert found.identical
    assert found.rows_close == sum(one != two for one, two in zip(before, after, strict=True))


@pytest.mark.parametrize("exponent", [-250, -9, 7, 300])
@pytest.mark.parametrize("key", [("a",), ()])
def test_a_millionth_is_a_change_whatever_the_size(exponent: int, key: tuple[str, ...]) -> None:
    draw = random.Random(exponent)
    before = [(n, draw.uniform(1, 10) * draw.choice((-1, 1)) * 10.0**exponent) for n in range(50)]
    after = [(n, value * (1 + 1e-6 * draw.choice((-1, 1)))) for n, value in before]
    found = compared("INTEGER; DOUBLE", before, after, *key)
    assert (found.rows_changed if key else found.rows_added, found.rows_close) == (50, 0)


@pytest.mark.parametrize("key", [("a",), ()])
def test_what_a_sum_to_nothing_leaves_is_nothing_beside_large_values(key: tuple[str, ...]) -> None:
    left, large = [(1, 1.4e-11), (2, -3e-12)], [(3, 250_000.5)]
    nothing: Rows = [(1, 0.0), (2, 0.0)]
    assert compared("INTEGER; DOUBLE", [*left, *large], [*nothing, *large], *key).identical
    assert not compared("INTEGER; DOUBLE", left, nothing, *key).identical


def test_close_rows_are_counted_apart_and_said() -> None:
    before = [(1, 0.3, "'x'"), (2, 0.3, "'x'"), (3, 0.5, "'x'")]
    after = [(1, 0.1 + 0.2, "'x'"), (2, 0.1 + 0.2, "'y'"), (3, 0.7, "'x'")]
    found = compared("INTEGER; DOUBLE; VARCHAR", before, after, "a")
    assert [(each.name, each.rows) for each in found.columns_changed] == [("b", 1), ("c", 1)]
    assert [[cell.column for cell in row.cells] for row in found.changed] == [["c"], ["b"]]
    assert found.headline == (
        "2 of 3 rows changed (66.7 %), 2 columns; 1 row differs only in the last digits of b"
    )
    same = compared("INTEGER; DOUBLE; VARCHAR", before[:1], after[:1], "a")
    assert same.headline == "identical, 1 row; 1 row differs only in the last digits of b"


def test_without_a_key_rows_that_come_and_go_are_told_from_close_ones() -> None:
    before = [(1, 0.3), (1, 0.3), (1, 0.3), (2, 7.5), (3, 1.5)]
    after = [(1, 0.1 + 0.2), (1, 0.1 + 0.2), (2, 7.5), (3, 2.5), (4, 0.3)]
    found = compared("INTEGER; DOUBLE", before, after)
    assert (found.rows_close, found.rows_removed, found.rows_added) == (2, 2, 2)
    assert found.removed is not None
    assert found.removed.rows == (("1", "0.3"), ("3", "1.5"))
    assert [each.name for each in found.columns_changed] == ["a", "b"]


def test_a_key_of_floats_whose_last_digits_move_is_of_no_use() -> None:
    found = compared("DOUBLE; INTEGER", [(0.3, 1), (0.5, 1)], [(0.1 + 0.2, 1), (0.5, 2)], "a")
    assert (found.key_problem, found.rows_close, found.rows_added) == (
        "key a differs in its last digits",
        1,
        1,
    )
    ids = compared("DOUBLE; INTEGER", [(10**10, 1), (5, 1)], [(10**10 + 1, 1), (5, 2)], "a")
    assert (ids.key, ids.rows_added, ids.rows_removed, ids.rows_changed) == (("a",), 1, 1, 1)


@pytest.mark.parametrize(
    ("types", "after_types", "before", "after", "close"),
    [
        ("INTEGER; FLOAT", "INTEGER; DOUBLE", "1.1", "1.1", 1),
        ("INTEGER; DECIMAL(18,3)", "INTEGER; DOUBLE", "0.3", "0.1::DOUBLE + 0.2::DOUBLE", 1),
        ("INTEGER; DECIMAL(18,3)", "INTEGER; DOUBLE", "0.3", "0.301", 0),
        ("INTEGER; BIGINT", "INTEGER; DOUBLE", "9007199254740993", "9007199254740992", 0),
    ],
)
def test_a_type_that_became_a_float(
    types: str, after_types: str, before: str, after: str, close: int
) -> None:
    found = compared(types, [(1, before)], [(1, after)], "a", after_types=after_types)
    assert (found.rows_close, found.rows_changed) == (close, 1 - close)


def test_a_tolerance_is_of_a_column_before_a_relation() -> None:
    own = Tolerance(1e-6, {"orders": 1e-7, "mart_*": 0.0, "Orders.Fee": 0.01, "*.noise": 0.1})
    names = ("orders", "main.orders")
    told = {column: own.of(names, column) for column in ("amount", "FEE", "noise")}
    assert told == {"amount": 1e-7, "FEE": 0.01, "noise": 0.1}
    assert (own.of(("mart_a",), "x"), own.of(("other",), "x")) == (0.0, 1e-6)
