"""The shapes of queries as dbt projects write them, and the queries that have none."""

from __future__ import annotations

import pytest

from prefect_sluice.domain.node import Name
from prefect_sluice.sql.columns.shape import ColumnOrigin, Shape, doubt, from_json, shape, to_json

DBT = """
with source as (select * from {{ raw }}),
renamed as (select id as order_id, Amount / 100 as amount, upper(status) as status from source where not deleted)
select * from renamed
""".replace("{{ raw }}", '"wh"."raw"."orders"')
JOINED = """
with orders as (select * from wh.stg.orders), customers as (select * from stg.customers),
final as (
    select orders.id, customers.name as customer, sum(orders.amount) as total
    from orders left join customers on orders.customer_id = customers.id group by 1, 2
)
select * from final
"""


def shaped(sql: str) -> Shape:
    """Return the shape of a query that must have one."""
    found = shape(sql, "duckdb", "wh")
    assert found is not None, doubt(sql, "duckdb", "wh")
    return found


def part(sql: str, column: str) -> ColumnOrigin:
    """Return one column of a query that must have it."""
    found = shaped(sql).part(column)
    assert found is not None
    return found


def read(part: ColumnOrigin | None) -> list[str]:
    """Return what a column reads as texts."""
    assert part is not None
    return [f"{name}.{column}" for name, column in part.reads]


def test_a_staging_model() -> None:
    found = shaped(DBT)
    assert [name for name, _ in found.columns] == ["order_id", "amount", "status"]
    assert {name: read(part) for name, part in found.columns} == {
        "order_id": ["raw.orders.id"],
        "amount": ["raw.orders.amount"],
        "status": ["raw.orders.status"],
    }
    assert found.reads == ((Name("raw", "orders"), "deleted"),)
    assert found.relations == (Name("raw", "orders"),)
    assert found.whole == ()


def test_a_model_that_joins() -> None:
    found = shaped(JOINED)
    assert {name: read(part) for name, part in found.columns}["total"] == [
        "stg.customers.orders",
        "stg.orders.amount",
        "stg.orders.orders",
    ]
    assert (Name("stg", "customers"), "id") in found.reads
    assert (Name("stg", "orders"), "customer_id") in found.reads
    assert found.whole == ()


SAME_ROWS = (
    ("select id from s.t", "select id, x + 1 as y from s.t"),
    ("select id, x from s.t where x > 1", "select x, id, z from s.t where x>1 -- more"),
    (DBT, DBT.replace("/ 100", "/ 1000")),
    (
        "select id, sum(x) as n from s.t group by id",
        "select id, sum(x) as n, max(z) as m from s.t group by id",
    ),
    (
        "select id, sum(x) as n from s.t group by all",
        "select id, sum(x) as n, max(z) as m from s.t group by all",
    ),
    (
        "select id from s.t union all select id from s.u",
        "select id, 1 as k from s.t union all select id, 2 from s.u",
    ),
    (
        "select id from s.t where exists (select 1 from s.u)",
        "select id, 2 as x from s.t where exists (select 2 from s.u)",
    ),
)
OTHER_ROWS = (
    ("select id from s.t", "select distinct id from s.t"),
    ("select id from s.t", "select id from s.t where id > 1"),
    ("select 1 as k from s.t", "select 1 as k, count(*) as n from s.t"),
    ("select distinct id from s.t", "select distinct id, x from s.t"),
    ("select t.id from s.t join s.u using (id)", "select t.id from s.t left join s.u using (id)"),
    ("select id from s.t", "select id from s.u"),
    ("select id from s.t union all select id from s.u", "select id from s.t union select id from s.u"),
    ("select id from s.t union select id from s.u", "select id, x from s.t union select id, x from s.u"),
    ("select x as a from s.t group by 1", "select y as a from s.t group by 1"),
    ("select x as a from s.t group by all", "select x as a, y from s.t group by all"),
    ("select x + 1 as a from s.t where a > 1", "select x + 2 as a from s.t where a > 1"),
    (
        "select x as a from s.t qualify rank() over (order by a) = 1",
        "select y as a from s.t qualify rank() over (order by a) = 1",
    ),
    (
        "with q as (select id from s.t) select id from q",
        "with q as (select id from s.t where id > 0) select id from q",
    ),
    (
        "with q as (select id, x as k from s.t) select id from q where k > 1",
        "with q as (select id, y as k from s.t) select id from q where k > 1",
    ),
)


@pytest.mark.parametrize(("one", "other"), SAME_ROWS)
def test_the_rows_stay(one: str, other: str) -> None:
    assert shaped(one).rows == shaped(other).rows


@pytest.mark.parametrize(("one", "other"), OTHER_ROWS)
def test_the_rows_may_be_others(one: str, other: str) -> None:
    assert shaped(one).rows != shaped(other).rows


OTHER_COLUMN = (
    ("select x as c from s.t", "select y as c from s.t"),
    ("select x + 1 as k, k * 2 as c from s.t", "select x + 2 as k, k * 2 as c from s.t"),
    (
        "with q as (select x as k from s.t) select k as c from q",
        "with q as (select y as k from s.t) select k as c from q",
    ),
    (
        "select (select max(q.x) from s.u q) as c from s.t",
        "select (select max(q.y) from s.u q) as c from s.t",
    ),
    (
        "select x as c from s.t union all select x from s.u",
        "select x as c from s.t union all select y from s.u",
    ),
    ("select a.x as c from s.t a, s.t b", "select b.x as c from s.t a, s.t b"),
    ("select 'a  b' as c", "select 'a b' as c"),
    ("select * from (select x as c from s.t)", "select * from (select y as c from s.t)"),
    ("select * replace (x as c) from s.t", "select * replace (y as c) from s.t"),
)


@pytest.mark.parametrize(("one", "other"), OTHER_COLUMN)
def test_the_column_may_be_another(one: str, other: str) -> None:
    assert part(one, "c") != part(other, "c")


SAME_COLUMN = (
    ("select x as c from s.t", "select y, x as C, z from s.t"),
    (
        "with q as (select x as c from s.t) select c from q",
        "with q as (select x as c, y from s.t) select c from q",
    ),
    ("select c from s.t", "select x + 1 as y, c from s.t"),
    ("select * from s.t", "select * from s.t -- all"),
)


@pytest.mark.parametrize(("one", "other"), SAME_COLUMN)
def test_the_column_stays(one: str, other: str) -> None:
    assert part(one, "c") == part(other, "c")


def test_a_star_passes_columns_through() -> None:
    found = shaped("select *, x + 1 as y from s.t")
    assert found.whole == (Name("s", "t"),)
    assert read(found.part("z")) == ["s.t.z"]
    assert read(found.part("y")) == ["s.t.x", "s.t.y"], "the table may have a y of its own"
    assert read(found.part("Z_1")) == ["s.t.z", "s.t.z_1"], "so DuckDB calls the second of two z"


def test_what_is_excluded_is_not_there_and_is_still_needed() -> None:
    found = shaped("select * exclude (x) from s.t")
    assert found.part("x") is None
    assert (Name("s", "t"), "x") in found.reads


def test_a_name_without_a_source_is_read_wherever_it_may_be() -> None:
    assert read(part("select c from s.t, s.u", "c")) == ["s.t.c", "s.u.c"]


def test_a_qualified_name_may_be_a_field() -> None:
    """DuckDB takes `u.c` for a field of a column `u` where the table has no column `c`."""
    assert read(part("select u.c from s.t, s.u", "c")) == ["s.t.u", "s.u.c", "s.u.u"]


def test_a_common_table_expression_hides_a_relation() -> None:
    found = shaped("with t as (select id, x from main.t) select id from t")
    assert found.relations == (Name("main", "t"),)
    assert read(found.part("id")) == ["main.t.id"]


def test_what_nobody_uses_must_still_be_there() -> None:
    found = shaped("with q as (select id, x from s.t), unused as (select z from s.u) select id from q")
    assert found.reads == ((Name("s", "t"), "x"), (Name("s", "u"), "z"))


def test_of_two_columns_with_one_name_the_first_keeps_it() -> None:
    assert part("select *, x as y from s.t", "y") != part("select x as y, * from s.t", "y")


def test_a_set_of_everything_is_read_whole() -> None:
    found = shaped("select * from s.t union all select * from s.u")
    assert found.reads == ((Name("s", "t"), "*"), (Name("s", "u"), "*"))
    assert found.whole == (Name("s", "t"), Name("s", "u"))
    assert read(found.part("id")) == []


def test_a_row_is_all_its_columns() -> None:
    assert "s.t.*" in read(part("select t as c from s.t", "c"))


@pytest.mark.parametrize(
    ("written", "name"),
    [("T", "main.t"), ("wh.t", "main.t"), ("wh.main.t", "main.t"), ('"S"."T"', "s.t"), ("wh.s.t", "s.t")],
)
def test_relations_are_named_as_the_engine_finds_them(written: str, name: str) -> None:
    assert shaped(f"select id from {written}").relations == (Name.parse(name),)


IN_DOUBT = (
    "select id from s.t limit 1",
    "select id, row_number() over (order by id) as n from s.t",
    "select id, lag(x) over (order by id) as n from s.t",
    "select sum(x) over (order by id rows between 1 preceding and current row) as n from s.t",
    "select sum(x) over w as n from s.t window w as (order by id rows 2 preceding)",
    "select first(x) as c, any_value(y) as d from s.t",
    "select list(x) as c from s.t",
    "select string_agg(x, ',') as c from s.t",
    "select arg_max(x, y) as c from s.t",
    "select mode(x) as c from s.t",
    "select array(select id from s.t) as c",
    "select id from s.t using sample 10",
    "select random() as r from s.t",
    "select current_date as d from s.t",
    "select current_user as u from s.t",
    "select getvariable('x') as u from s.t",
    "select unnest([1, 2]) as c from s.t",
    "select distinct on (id) id, x from s.t",
    "select columns('a.*') from s.t",
    "select my_macro(id) as c from s.t",
    "select s.lower(id) as c from s.t",
    "select id.lower() as c from s.t",
    "select rowid as c from s.t",
    "select id from s.t natural join s.u",
    "select id from s.t asof join s.u using (id)",
    "select id from s.t positional join s.u",
    "select id from range(3)",
    "select id from 'file.csv'",
    'select id from "file.csv"',
    "select id from other.s.t",
    "select id from information_schema.tables",
    "select id from duckdb_tables",
    "select id from s.t as t(id)",
    "with t(id) as (select 1 as x) select id from t",
    "with recursive t as (select 1 as x) select x from t",
    "from s.t",
    "from s.t select id",
    "pivot s.t on x using sum(y)",
    "select x: id from s.t",
    "select count(*) from s.t",
    "select id, id from s.t",
    "select id from s.t group by rollup (id)",
    "select id from s.t group by 2",
    "select *, x from s.t group by 2",
    "select (select sum(t.x)) as q from s.t",
    "select id from s.t; select 1",
    "select (id from s.t",
    "select 'open",
    "select id from s.t where name = 'x' collate nocase",
    "values (1)",
    "insert into s.t select 1",
    "",
    ";",
    "select",
    "select from s.t",
    "with",
    "select id from",
    "select id from s.t where",
)


@pytest.mark.parametrize("sql", IN_DOUBT)
def test_in_doubt_there_is_no_shape(sql: str) -> None:
    assert shape(sql, "duckdb", "wh") is None
    assert doubt(sql, "duckdb", "wh")


def test_other_dialects_are_in_doubt() -> None:
    assert shape("select 1 as x", "postgres", "wh") is None


def test_deep_queries_end_in_doubt_not_in_an_error() -> None:
    nested = "select 1 as x"
    for _ in range(2000):
        nested = f"select x from ({nested})"
    assert shape(nested, "duckdb", "wh") is None


@pytest.mark.parametrize(
    "sql", [DBT, JOINED, "select * exclude (x) from s.t", "select * from s.t union select * from s.u"]
)
def test_a_shape_survives_json(sql: str) -> None:
    found = shaped(sql)
    assert from_json(to_json(found)) == found
