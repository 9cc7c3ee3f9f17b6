"""What DuckDB's SQL reads, and the same SQL reading physical addresses."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import References
from prefect_sluice.warehouse.duckdb.linker import DuckLinker

LINKER = DuckLinker("shop")


@dataclass(frozen=True, slots=True)
class Case:
    """A query, the relations it reads (schema main where none is written), and how it reads once relinked, where
    `@a` stands for the physical address of a."""

    sql: str
    reads: Sequence[str]
    linked: str


def address(name: str) -> Name:
    return Name("s", f"{name}__1")


def names(*written: str) -> tuple[Name, ...]:
    return tuple(Name.parse(text if "." in text else f"main.{text}") for text in sorted(written))


def relinked(sql: str, *reads: str) -> str | None:
    return LINKER.relink(sql, {name: address(name.identifier) for name in names(*reads)})


CASES = (
    Case("select * from a", ["a"], 'select * from @a as "a"'),
    Case("select * from main.a", ["a"], 'select * from @a as "a"'),
    Case("select * from shop.main.a", ["a"], 'select * from @a as "a"'),
    Case("select * from shop.a", ["a"], 'select * from @a as "a"'),
    Case('select * from "Shop"."Mart"."A"', ["mart.a"], 'select * from @a as "A"'),
    Case("select * from Mart . A q", ["mart.a"], "select * from @a q"),
    Case("select x.v from a as x", ["a"], "select x.v from @a as x"),
    Case("select a.v from a", ["a"], 'select a.v from @a as "a"'),
    Case("select * from a as q join a r on q.v = r.v", ["a"], "select * from @a as q join @a r on q.v = r.v"),
    Case("select * from a, b", ["a", "b"], 'select * from @a as "a", @b as "b"'),
    Case("from a", ["a"], 'from @a as "a"'),
    Case("from a select v where v > 1", ["a"], 'from @a as "a" select v where v > 1'),
    Case("table a", ["a"], 'table @a as "a"'),
    Case('select "a b".v from "a b"', ["a b"], 'select "a b".v from "s"."a b__1" as "a b"'),
    Case('select * from "we""ird"', ['we"ird'], 'select * from "s"."we""ird__1" as "we""ird"'),
    Case(
        "select 'ß' as x, * from größe, b",
        ["größe", "b"],
        """select 'ß' as x, * from @größe as "größe", @b as "b\"""",
    ),
    Case("select 1", [], "select 1"),
    Case("values (1)", [], "values (1)"),
    Case("select * from range(3)", [], "select * from range(3)"),
    Case("select * from range(3) a, a b", ["a"], "select * from range(3) a, @a b"),
    Case("select * from a; ", ["a"], 'select * from @a as "a"; '),
    # comments and texts are no names
    Case("select 'from b' from a -- from c", ["a"], """select 'from b' from @a as "a" -- from c"""),
    Case("/* from b */ select * from /* the */ a", ["a"], '/* from b */ select * from /* the */ @a as "a"'),
    # common table expressions shadow tables from where they stand, not before
    Case("with a as (select 1 as v) select * from a", [], "with a as (select 1 as v) select * from a"),
    Case(
        "with a as (select * from a) select * from A",
        ["a"],
        'with a as (select * from @a as "a") select * from A',
    ),
    Case(
        "with x as (select * from a), a as (select * from b) from x, a",
        ["a", "b"],
        'with x as (select * from @a as "a"), a as (select * from @b as "b") from x, a',
    ),
    Case("with a as (select 1) select * from main.a", ["a"], 'with a as (select 1) select * from @a as "a"'),
    Case(
        "select * from (with a as (select 1) from a) q, a",
        ["a"],
        'select * from (with a as (select 1) from a) q, @a as "a"',
    ),
    Case(
        "from a where v in (with a as (select 1) from a)",
        ["a"],
        'from @a as "a" where v in (with a as (select 1) from a)',
    ),
    Case("with x as materialized (from a) from x", ["a"], 'with x as materialized (from @a as "a") from x'),
    Case(
        "with recursive r as (select v from a union all select v + 1 from r where v < 5) from r, b",
        ["a", "b"],
        'with recursive r as (select v from @a as "a" union all select v + 1 from r where v < 5) from r, @b as "b"',
    ),
    # everywhere a query can stand
    Case(
        "select (select max(v) from b) from a",
        ["a", "b"],
        'select (select max(v) from @b as "b") from @a as "a"',
    ),
    Case(
        "from a where exists (from b where b.v = a.v)",
        ["a", "b"],
        'from @a as "a" where exists (from @b as "b" where b.v = a.v)',
    ),
    Case(
        "from a, lateral (from b where b.v = a.v) q",
        ["a", "b"],
        'from @a as "a", lateral (from @b as "b" where b.v = a.v) q',
    ),
    Case("from a union all by name from b", ["a", "b"], 'from @a as "a" union all by name from @b as "b"'),
    Case(
        "from a order by (select max(v) from b) limit (select 1 from c)",
        ["a", "b", "c"],
        'from @a as "a" order by (select max(v) from @b as "b") limit (select 1 from @c as "c")',
    ),
    Case("select array(select v from a)", ["a"], 'select array(select v from @a as "a")'),
    Case(
        "select sum(v) filter (v in (from b)) over (order by v) from a",
        ["a", "b"],
        'select sum(v) filter (v in (from @b as "b")) over (order by v) from @a as "a"',
    ),
    Case(
        "from a semi join b using (v) positional join c",
        ["a", "b", "c"],
        'from @a as "a" semi join @b as "b" using (v) positional join @c as "c"',
    ),
    Case("select * from (unpivot a on v)", ["a"], 'select * from (unpivot @a as "a" on v)'),
    Case(
        "select * from (pivot a on v in (1, 2) using sum(w))",
        ["a"],
        'select * from (pivot @a as "a" on v in (1, 2) using sum(w))',
    ),
    Case("from a tablesample 10%", ["a"], 'from @a as "a" tablesample 10%'),
    Case(
        "select list_transform([1], lambda a : a + 1) from a",
        ["a"],
        'select list_transform([1], lambda a : a + 1) from @a as "a"',
    ),
    Case("select * from a_macro(1), a", ["a"], 'select * from a_macro(1), @a as "a"'),
    Case("from information_schema.tables", ["information_schema.tables"], 'from @tables as "tables"'),
    Case("from main.range", ["range"], 'from @range as "range"'),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sql)
def test_what_a_query_reads(case: Case) -> None:
    # What a macro reads, nobody can say.
    assert LINKER.references(case.sql) == References(names(*case.reads), everything="a_macro(" in case.sql)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sql)
def test_the_same_query_of_physical_addresses(case: Case) -> None:
    assert relinked(case.sql, *case.reads) == re.sub(r"@(\w+)", r'"s"."\1__1"', case.linked)


@pytest.mark.parametrize("case", [case for case in CASES if case.reads], ids=lambda case: case.sql)
def test_a_relation_without_an_address_cannot_be_linked(case: Case) -> None:
    for missing in case.reads:
        assert relinked(case.sql, *(name for name in case.reads if name != missing)) is None


@pytest.mark.parametrize(
    "sql",
    [
        "pivot a on v using sum(w)",
        "select 1; select 2",
        "create table x as from a",
        "not a query",
        "",
        "select * from",
    ],
)
def test_what_the_parser_cannot_tell(sql: str) -> None:
    assert LINKER.references(sql) is None
    assert relinked(sql, "a") is None


@pytest.mark.parametrize(
    ("sql", "files", "elsewhere"),
    [
        ("from 'data/x.csv'", ("data/x.csv",), ()),
        ("from read_csv('x.csv')", ("x.csv",), ()),
        ("from read_csv(['x.csv', 'y.csv'], header = true)", ("x.csv", "y.csv"), ()),
        ("from READ_PARQUET('*.parquet') join 'b.json' using (v)", ("*.parquet", "b.json"), ()),
        ("select count(*) from glob('*.csv')", ("*.csv",), ()),
        ("from sqlite_scan('f.db', 't')", ("f.db",), ()),
        ("from read_csv(getvariable('file'))", (), ("read_csv()",)),
        ("from read_parquet('a' || 'b')", (), ("read_parquet()",)),
        ("from read_csv(['x.csv', lower('Y.csv')])", (), ("read_csv()",)),
        ("from read_csv([])", (), ("read_csv()",)),
        ("from postgres_query('db', 'select 1')", (), ("postgres_query()",)),
        ("from duckdb_tables()", (), ("duckdb_tables()",)),
        ("from pragma_database_size()", (), ("pragma_database_size()",)),
        ("from other.main.a", (), ('"other"."main"."a"',)),
        ("with x as (from other.main.a) from x where v in (from read_text('n.txt'))", ("n.txt",), ('"other"."main"."a"',)),
    ],
)  # fmt: skip
def test_what_is_read_outside_the_database(
    sql: str, files: tuple[str, ...], elsewhere: tuple[str, ...]
) -> None:
    assert LINKER.references(sql) == References((), files, elsewhere)
    assert relinked(sql, "a") is None, "a view over it would show rows that no gate has seen"


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("from query_table('main.a')", "a"),
        ("from query_table(['a', 'shop.main.b', '\"main\".\"c\"'], true)", "a b c"),
        ("from query('select * from main.a join b using (v)')", "a b"),
        ("from query('from query_table(''c'')') join a using (v)", "a c"),
        ("select (select count(*) from query_table($$a$$)) from b", "a b"),
        ("from histogram('a', 'v')", "a"),
        ("from pragma_table_info('main.a')", "a"),
        ("from duckdb_table_sample('a')", "a"),
    ],
)
def test_a_relation_that_a_text_names_is_read(sql: str, reads: str) -> None:
    assert LINKER.references(sql) == References(names(*reads.split()), by_name=True)
    assert relinked(sql, *reads.split()) is None, "the text would go on to name the public relation"


@pytest.mark.parametrize(
    ("sql", "elsewhere"),
    [
        ("from query_table(getvariable('x'))", ("query_table()",)),
        ("from query_table(['a', lower('B')])", ("query_table()",)),
        ("from query_table('a b')", ("query_table()",)),
        ("from query('from ' || 'a')", ("query()",)),
        ("from query('pivot a on v')", ("query()",)),
        ("from json_execute_serialized_sql('{}')", ("json_execute_serialized_sql()",)),
        ("from from_substrait('x')", ("from_substrait()",)),
        ("from histogram(a, v)", ("histogram()",)),
        ("from a_macro_of_the_project('a')", ()),
    ],
)
def test_a_call_that_may_read_anything_is_taken_to(sql: str, elsewhere: tuple[str, ...]) -> None:
    found = LINKER.references(sql)
    assert found is not None
    assert (found.everything, found.elsewhere) == (True, elsewhere)


def test_every_table_function_of_the_engine_is_on_a_list_or_may_read_anything() -> None:
    """A newer DuckDB may bring more of them: those that read nothing are to be listed, one by one."""
    with duckdb.connect() as connection:
        sql = "select distinct function_name from duckdb_functions() where function_type in ('table', 'table_macro')"
        there = {str(name) for (name,) in connection.execute(sql).fetchall()}
    free = {
        name
        for name in there
        if (found := LINKER.references(f"from {name}('1 2')")) and found == References()
    }
    assert free <= {
        "generate_series", "icu_calendar_names", "json_each", "json_tree", "pg_timezone_names", "range", "repeat",
        "repeat_row", "test_all_types", "test_vector_types", "unnest", "which_secret",
    }  # fmt: skip


def test_a_database_called_main_has_no_short_names() -> None:
    found = DuckLinker("main").references("from main.a")
    assert found == References(names("a"))


# ---- the same rows -------------------------------------------------------------------------------------

TABLES = ("a", "b", "c")
SCOPE = ("a", "b", "c", "x")
spelled = st.sampled_from(["a", "b", "c", "A", "main.b", "shop.main.c", '"c"', "shop.a", 'main."B"'])


@st.composite
def queries(draw: st.DrawFn, depth: int = 2) -> str:
    """A query with one column, v, over the three tables: with CTEs that shadow them, subqueries and unions."""
    if depth == 0:
        return f"select v from {draw(spelled)}"
    inner = queries(depth=depth - 1)
    name = draw(st.sampled_from(SCOPE))
    match draw(st.integers(0, 7)):
        case 0:
            return f"with {name} as ({draw(inner)}) select v from {name} union all ({draw(inner)})"
        case 1:
            return f"select q.v from ({draw(inner)}) q join {draw(spelled)} as r on q.v = r.v"
        case 2:
            return f"select v from {draw(spelled)} where v in ({draw(inner)})"
        case 3:
            return f"({draw(inner)}) union all ({draw(inner)})"
        case 4:
            return f"select (select max(v) from ({draw(inner)}) z) as v from {draw(spelled)} /* from a */"
        case 5:
            return f"with x as ({draw(inner)}), {name}2 as ({draw(inner)}) select x.v from x, {name}2"
        case 6:
            step = f"select min(v) as v from {draw(spelled)} union select v + 1 from r where v < 4"
            return f"with recursive r as ({step}) select v from r where v not in ({draw(inner)})"
        case _:
            return f"select q.v from {draw(spelled)} q, lateral ({draw(inner)}) r where r.v <= q.v"


@pytest.fixture(scope="module")
def shop() -> Generator[duckdb.DuckDBPyConnection]:
    """The database `shop`: what is public holds other rows than what is linked, so that a name left out shows."""
    with duckdb.connect() as connection:
        for database, public, linked in (("shop", 0, 100), ("linked", 100, 0)):
            connection.execute(f"attach ':memory:' as {database}")
            connection.execute(f"create schema {database}.s")
            for number, table in enumerate(TABLES):
                rows = f"from range({number}, {number + 3}) t(v)"
                connection.execute(f"create table {database}.{table} as select v + {public} as v {rows}")
                connection.execute(f"create table {database}.s.{table}__1 as select v + {linked} as v {rows}")
        yield connection


@given(sql=queries())
def test_relinking_changes_no_row(shop: duckdb.DuckDBPyConnection, sql: str) -> None:
    found = LINKER.references(sql)
    assert found is not None
    assert (found.files, found.elsewhere) == ((), ())
    linked = LINKER.relink(sql, {name: address(name.identifier) for name in found.relations})
    assert linked is not None
    shop.execute("use shop")
    expected = sorted(shop.execute(sql).fetchall())
    shop.execute("use linked")
    assert sorted(shop.execute(linked).fetchall()) == expected
