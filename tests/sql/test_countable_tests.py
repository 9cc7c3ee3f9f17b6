"""Which queries of data tests can be counted in one scan, by their text alone."""

from __future__ import annotations

import pytest

from prefect_sluice.sql.countable_tests import CountableQuery, counted

R = '"db"."main"."orders"'
VALUES = f"with all_values as (select s as value_field, count(*) as n_records from {R} group by s) select * from all_values "

SHARED: dict[str, CountableQuery] = {
    f"\n\nselect id\nfrom {R}\nwhere id is null\n": CountableQuery(R, "(id is null)", names=True),
    f"select * from {R}": CountableQuery(R, ""),
    f"select 1 from {R} where a or b -- why": CountableQuery(R, "(a or b)", names=True),
    f'select o."a b", "q""q" from {R} where "a b" is null': CountableQuery(R, '("a b" is null)', names=True),
    f"select * from (select * from {R} where a or b) dbt_subquery where c": CountableQuery(
        R, "(a or b) and (c)"
    ),
    f"with m as(select * from {R} where a), v as (select * from m where b or c) select * from v": CountableQuery(
        R, "(a) and (b or c)"
    ),
    f"select i from {R} where extract(year from d) > (1 + 2)": CountableQuery(
        R, "(extract(year from d) > (1 + 2))", names=True
    ),
    VALUES + "where value_field not in ('a', 'from')": CountableQuery(
        R, "(s not in ('a', 'from'))", exact=False
    ),
    VALUES + "where value_field not in (-1, 2.5, true, null)": CountableQuery(
        R, "(s not in (-1, 2.5, true, null))", exact=False
    ),
}


@pytest.mark.parametrize("sql", SHARED)
def test_it_looks_at_each_row(sql: str) -> None:
    assert counted(sql, "duckdb") == SHARED[sql]


ALONE = [
    f"select s, count(*) as n from {R} where s is not null group by s having count(*) > 1",
    f"select count(*) from {R} where a",
    f"select max(a) from {R} where a",
    f"select distinct a from {R} where b",
    f"select a from {R} where b limit 3",
    f"select a from {R} where b order by a",
    f"select a from {R} where b union all select a from {R} where c",
    f"select a from {R} t where t.b",
    f"select a from {R}, other where b",
    f"select a from {R} join other using (id) where b",
    f"select a from {R} where b in (select b from other)",
    f"select a from {R} where exists (from other)",
    f"select a from {R} where row_number() over () > 1",
    f"select a from {R} where columns(*) is null",
    f"select a from {R} qualify row_number() over () > 1",
    f"select unnest([a, b]) from {R} where a",
    f"select a from {R} having count(*) > 1",
    f"select a from {R} where b;",
    f"select a from {R} where $1",
    f"with m as (select *, 1 as one from {R}) select * from m where one = 1",
    f"with m as (select * from {R} limit 1) select * from m where b",
    f"with m as materialized (select * from {R}) select * from m where b",
    f"with recursive m as (select * from {R}) select * from m where b",
    f"with m as (select * from {R}), m as (select * from {R} where a) select * from m",
    f"select * from (select a from {R}) t where a",
    f"select * from (select * from {R} where a) where b",
    "select 1 where false",
    "from orders",
    "select",
    "",
    "no sql at all",
    "with",
    f"with m as (select * from {R}",
    f"with m as (select * from {R})",
    VALUES + "where value_field not in (other)",
    VALUES + "where value_field not in ()",
    VALUES + "where value_field not in ('a') or true",
    VALUES + "where n_records not in (1)",
    VALUES + "where value_field not in (select 1)",
    VALUES.replace("group by s", "group by t") + "where value_field not in (1)",
    VALUES.replace("group by s", "where a group by s") + "where value_field not in (1)",
    VALUES.replace("count(*)", "sum(a)") + "where value_field not in (1)",
    VALUES.replace("select *", "select value_field") + "where value_field not in (1)",
]


@pytest.mark.parametrize("sql", ALONE)
def test_it_may_be_more_than_that(sql: str) -> None:
    assert counted(sql, "duckdb") is None
