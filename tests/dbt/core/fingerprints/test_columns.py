"""Which readers a changed query reaches: none that reads neither a changed column nor the rows, all that do."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from prefect_sluice.dbt.core.fingerprints.columns import RelationFingerprint, columns_read
from prefect_sluice.domain.node import Name
from prefect_sluice.sql.columns.shape import shape

QUERIES: Mapping[str, str] = {
    "stg": "with source as (select * from raw.orders), renamed as (select id as order_id, amount / 100 as amount, "
    "day, status from source) select * from renamed",
    "all": "select * from main.stg",
    "ids": "select order_id from main.stg",
    "sums": "select status, sum(amount) as total from main.stg group by status",
    "late": "select order_id, day from main.stg where status = 'late'",
    "count": "select count(*) as n from main.stg",
    "over": "select order_id as id from main.all",
    "total": "select sum(total) as total from main.sums",
    "first": "select order_id from main.stg limit 1",
}


def prints(queries: Mapping[str, str], whole: frozenset[str] = frozenset()) -> Mapping[str, str]:
    """Return what each query depends on, in one text; those in `whole` have no shape."""
    done: dict[Name, RelationFingerprint] = {}
    found: dict[str, str] = {}
    for name, sql in queries.items():
        known = shape(sql, "duckdb", "shop")
        read = (
            columns_read(known)
            if known
            else {Name("main", other): None for other in queries if f"main.{other}" in sql}
        )
        above = [done[parent].of(columns) for parent, columns in sorted(read.items()) if parent in done]
        found[name] = str([sql, above])
        done[Name("main", name)] = RelationFingerprint(
            found[name], None if name in whole else known, "config", done
        )
    return found


@pytest.mark.parametrize(
    ("old", "new", "reached"),
    [
        ("status from source", "status, 1 as one from source", "all first"),
        ("status from source", "upper(status) as status from source", "all first sums late total"),
        ("amount / 100", "amount / 10", "all first sums total"),
        ("id as order_id", "id + 1 as order_id", "all first ids late over"),
        ("day, status", "status, day", "all first"),
        ("from source)", "from source where id > 0)", "all first ids sums late count over total"),
        (
            "select * from renamed",
            "select distinct * from renamed",
            "all first ids sums late count over total",
        ),
        ("raw.orders", "raw.orders_2", "all first ids sums late count over total"),
        ("order_id, amount / 100 as amount", "order_id, amount / 100 as Amount", "all first sums total"),
        ("amount / 100 as amount, day,", "day,", "all first sums total"),
    ],
)
def test_a_change_reaches_those_who_read_it(old: str, new: str, reached: str) -> None:
    before = prints(QUERIES)
    changed = {**QUERIES, "stg": QUERIES["stg"].replace(old, new)}
    assert changed["stg"] != QUERIES["stg"]
    after = prints(changed)
    assert {name for name in after if after[name] != before[name]} == {"stg", *reached.split()}


def test_a_star_hands_on_columns_one_by_one() -> None:
    known = shape(QUERIES["over"], "duckdb", "shop")
    assert known is not None
    assert columns_read(known) == {Name("main", "all"): frozenset({"order_id"})}
    star = shape(QUERIES["all"], "duckdb", "shop")
    assert star is not None
    assert columns_read(star) == {Name("main", "stg"): None}


def test_of_what_has_no_shape_all_is_read() -> None:
    """A hook, a contract, an incremental model: whoever reads it depends on all of it."""
    whole = frozenset({"stg"})
    before = prints(QUERIES, whole)
    after = prints(
        {**QUERIES, "stg": QUERIES["stg"].replace("status from source", "status, 1 as one from source")},
        whole,
    )
    assert {name for name in after if after[name] != before[name]} == set(QUERIES)


def test_a_column_that_is_not_there_yet_may_come_to_be_meant() -> None:
    """An unqualified name that only one of two relations has counts as read from both."""
    queries = {
        "a": "select 1 as id, 2 as x",
        "b": "select 1 as id",
        "j": "select x from main.a join main.b on a.id = b.id",
    }
    before = prints(queries)
    after = prints({**queries, "b": "select 1 as id, 3 as x"})
    assert before["j"] != after["j"]


def test_everything_beside_the_query_is_in_each_column() -> None:
    known = shape("select 1 as id", "duckdb", "shop")
    one, two = RelationFingerprint("x", known, "config 1"), RelationFingerprint("x", known, "config 2")
    assert one.rows != two.rows
    assert one.column("id") != two.column("ID")
    assert (one.column("ID"), one.column("none")) == (one.column("id"), "")
