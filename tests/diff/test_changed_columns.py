"""What a recorded difference says of columns: read back from the very tables that a difference is told by."""

from __future__ import annotations

from prefect_sluice.diff.changed_columns import changed_columns
from prefect_sluice.diff.column_stats import ColumnStats, ColumnStatsPair
from prefect_sluice.diff.relation import ChangedColumn, NameCaseChange, RelationDiff, TypeChange
from prefect_sluice.diff.tables import tables
from prefect_sluice.warehouse.base import Column

STATS = ColumnStats(0, 5)
BOTH = [ColumnStatsPair(name, "INTEGER", STATS, STATS) for name in ("amount", "price", "still")]
NUMBERS = (
    *BOTH,
    ColumnStatsPair("gone", "INTEGER", STATS, None),
    ColumnStatsPair("fresh", "INTEGER", None, STATS),
)


def test_each_kind_of_change_has_its_words() -> None:
    diff = RelationDiff(
        "orders",
        200,
        201,
        ("id",),
        rows_changed=6,
        rows_added=1,
        columns_added=(Column("fresh", "INTEGER"),),
        columns_removed=(Column("gone", "INTEGER"), Column("none", "VARCHAR")),
        columns_retyped=(TypeChange("price", "DOUBLE", "DECIMAL"), TypeChange("width", "INTEGER", "BIGINT")),
        columns_respelled=(NameCaseChange("Day", "day"),),
        columns_changed=(ChangedColumn("amount", 6), ChangedColumn("price", 1)),
        numbers=NUMBERS,
    )
    assert changed_columns(tables(diff)) == {
        "gone": "dropped",
        "none": "dropped",
        "price": "retyped: DECIMAL, was DOUBLE, values change in 0.5 % of the rows",
        "width": "retyped: BIGINT, was INTEGER",
        "day": "spelled day, was Day",
        "amount": "values change in 3.0 % of the rows",
    }


def test_without_a_key_nobody_knows_in_how_many_rows() -> None:
    diff = RelationDiff(
        "orders", 9, 9, rows_changed=None, rows_added=2, rows_removed=2,
        columns_changed=(ChangedColumn("amount", None),), numbers=tuple(BOTH[:1]),
    )  # fmt: skip
    assert changed_columns(tables(diff)) == {"amount": "values change"}
    assert changed_columns(tables(RelationDiff("orders", 9, 9))) == {}
