"""What engines spell differently, asked of the real ones: DuckDB, and PostgreSQL where it is installed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

import duckdb
import psycopg
import pytest

from prefect_sluice.contracts.compile import compile_contract
from prefect_sluice.contracts.measure import MeasureResult, count
from prefect_sluice.diff.compare import compare
from prefect_sluice.diff.sql import ColumnForm, ComparedAs, how
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.errors import BadInput, QueryFailed
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.gates.anomalies.measure import BINS, profile
from prefect_sluice.gates.data_tests.counts import counts, first_rows, rows
from prefect_sluice.warehouse import row_digest
from prefect_sluice.warehouse.base import Reader
from prefect_sluice.warehouse.engines import ENGINES, functions
from prefect_sluice.warehouse.functions import RELATIONS, TypeClass, columns_by_name, columns_of, finite
from tests.contracts.checked import Checked
from tests.gates.duck import DuckReader
from tests.postgres import running_postgres
from tests.postgres_reader import PostgresReader


class Engine(Protocol):
    """A reader of a database that statements can be run in."""

    @property
    def reader(self) -> Reader: ...

    def run(self, *statements: str) -> None: ...


class Duck:
    def __init__(self) -> None:
        self.reader = DuckReader(duckdb.connect())

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.reader.connection.execute(statement)


class Postgres:
    def __init__(self, url: str) -> None:
        self.reader = PostgresReader(psycopg.connect(url, autocommit=True))

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.reader.connection.execute(statement.encode())


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture
def postgres(server: str) -> Iterator[Postgres]:
    """A PostgreSQL with nothing in it."""
    found = Postgres(server)
    found.run("drop schema public cascade", "drop schema if exists own cascade", "create schema public")
    yield found
    found.reader.connection.close()


@pytest.fixture(params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine, with nothing in it."""
    if request.param == "duckdb":
        yield Duck()
        return
    yield request.getfixturevalue("postgres")


def value(engine: Engine, expression: str) -> object:
    return engine.reader.query(f"select {expression}").rows[0][0]


def refused(reader: Reader, sql: str) -> bool:
    try:
        reader.query(sql)
    except QueryFailed:
        return True
    return False


# ---- types --------------------------------------------------------------------------------------------

OWN_TYPES = {
    "duckdb": "select distinct lower(logical_type) from duckdb_types() where logical_type not in"
    " ('LIST', 'STRUCT', 'MAP', 'UNION', 'ARRAY', 'ENUM', 'DECIMAL', 'TYPE', 'NULL')",
    "postgres": "select name from pg_type, unnest(array[format_type(oid, null), typname::text]) name"
    " where typtype in ('b', 'r', 'm') and typcategory <> 'Z' and typnamespace = 'pg_catalog'::regnamespace",
}
"""Every type that the engine has by one name, as it spells it."""


def test_only_numbers_are_numbers_and_only_what_has_an_order_has_ends(engine: Engine) -> None:
    known = functions(engine.reader.dialect)
    names = [str(row[0]) for row in engine.reader.query(OWN_TYPES[engine.reader.dialect]).rows]
    assert len(names) > 20
    wrong: list[str] = []
    for name in names:
        null = f"cast(null as {name})"
        if known.is_number(name):
            wrong += (
                [name] if refused(engine.reader, f"select {known.mean('x')} from (select {null} x) t") else []
            )
        if known.has_order(name):
            wrong += (
                [name] if refused(engine.reader, f"select min(x), max(x) from (select {null} x) t") else []
            )
        if known.type_class(name) is TypeClass.MOMENT:
            asked = f"select {known.epoch('max(x)')} from (select {null} x) t"
            wrong += [name] if refused(engine.reader, asked) else []
        if known.type_class(name) is TypeClass.FLOAT:
            wrong += (
                [name] if refused(engine.reader, f"select {finite('x')} from (select {null} x) t") else []
            )
    assert wrong == []


@pytest.mark.parametrize("dialect", ENGINES)
@pytest.mark.parametrize(
    "kind",
    ["int4range", "int8multirange", "daterange", "datemultirange", "int_pair", '"integer thing"', "timespan", "intervals",
     "integer[]", "INTEGER[3]", "STRUCT(a INTEGER)", "MAP(INTEGER, INTEGER)", "numrange"],
)  # fmt: skip
def test_a_type_is_not_what_its_name_begins_with(dialect: str, kind: str) -> None:
    known = functions(dialect)
    assert known.type_class(kind) is TypeClass.OTHER
    assert not known.is_number(kind)
    assert not known.has_order(kind)


@pytest.mark.parametrize(
    ("dialect", "kind", "expected"),
    [
        ("duckdb", "DECIMAL(18,3)", TypeClass.DECIMAL),
        ("duckdb", "UHUGEINT", TypeClass.WHOLE),
        ("duckdb", "ENUM('a[', 'b)')", TypeClass.WORD),
        ("duckdb", "TIMESTAMP WITH TIME ZONE", TypeClass.MOMENT),
        ("duckdb", "TIME", TypeClass.OTHER),
        ("postgres", "character varying(10)", TypeClass.WORD),
        ("postgres", "timestamp(3) without time zone", TypeClass.MOMENT),
        ("postgres", "double precision", TypeClass.FLOAT),
    ],
)
def test_a_types_size_does_not_count(dialect: str, kind: str, expected: TypeClass) -> None:
    assert functions(dialect).type_class(kind) is expected


def test_a_decimal_without_size_is_narrowed_to_nothing() -> None:
    """PostgreSQL's numeric holds any number: compared as numeric(18, 3), 0.0001 would be 0."""
    for pair in (("numeric", "numeric(18,3)"), ("numeric(18,3)", "numeric"), ("integer", "numeric")):
        assert how(functions("postgres"), *pair) == ColumnForm(ComparedAs.TYPE, "numeric")


def test_an_engine_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(BadInput, match="engine 'oracle' is not known") as refusal:
        functions("oracle")
    assert refusal.value.fix == "known are: duckdb, postgres"


# ---- expressions --------------------------------------------------------------------------------------


def test_a_hash_is_never_null_and_sums_do_not_overflow(engine: Engine) -> None:
    known = functions(engine.reader.dialect)
    engine.run("create table t as select 1 as a, cast(null as varchar(9)) as b union all select 1, null")
    [(count, one, total)] = engine.reader.query(
        f"select count({known.row_hash(['a', 'b'])}), max({known.row_hash(['a', 'b'])}),"
        f" {known.total(known.row_hash(['a', 'b']))} from t"
    ).rows
    assert (count, int(str(total))) == (2, 2 * int(str(one)))


def test_values_are_dealt_into_parts(engine: Engine) -> None:
    known = functions(engine.reader.dialect)
    engine.run("create table t as select * from generate_series(1, 2000) as g(a)")
    found = engine.reader.query(
        f"select {known.bucket('a', BINS)}, count(*) from t group by 1 order by 1"
    ).rows
    assert [int(str(part)) for part, _ in found] == list(range(BINS))
    assert min(int(str(number)) for _, number in found) > 150


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamp with time zone"])
def test_a_moment_in_seconds(engine: Engine, kind: str) -> None:
    epoch = functions(engine.reader.dialect).epoch(f"cast('2026-03-02' as {kind})")
    if "zone" in kind:
        epoch = epoch.replace("2026-03-02", "2026-03-02 00:00:00+00")
    assert float(str(value(engine, epoch))) == datetime(2026, 3, 2, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("number", "holds"),
    [("1", True), ("-1e308", True), ("'NaN'", False), ("'-Infinity'", False), ("null", None)],
)
def test_a_finite_number(engine: Engine, number: str, holds: bool | None) -> None:
    assert value(engine, finite(f"cast({number} as double precision)")) is holds


def test_numbers_of_all_types_have_one_text(engine: Engine) -> None:
    known = functions(engine.reader.dialect)
    texts = {
        value(engine, known.number_text(f"cast(7 as {kind})"))
        for kind in ("smallint", "bigint", "decimal(9, 2)", "double precision")
    }
    assert texts == {"7"}


def test_rows_in_an_order_that_is_the_same_each_time(engine: Engine) -> None:
    known = functions(engine.reader.dialect)
    engine.run(
        "create table t (a integer, b varchar(9))", "insert into t values (2, 'x'), (1, null), (1, 'a')"
    )
    first = engine.reader.query(known.in_order("t")).rows
    engine.run("delete from t", "insert into t values (1, 'a'), (2, 'x'), (1, null)")
    assert engine.reader.query(known.in_order("t")).rows == first
    assert len(first) == 3


def test_relations_and_columns_of_the_database(engine: Engine) -> None:
    engine.run(
        "create table zz (a integer)", 'create view aa as select a as "the B" from zz', "create schema own"
    )
    engine.run("create table own.t (c varchar(9))")
    home = {"duckdb": "main", "postgres": "public"}[engine.reader.dialect]
    system = {"information_schema", "pg_catalog"}
    found = [row for row in engine.reader.query(RELATIONS).rows if row[0] not in system]
    assert found == sorted([(home, "aa"), (home, "zz"), ("own", "t")])
    columns = {row[:3] for row in engine.reader.query(columns_of(["own", home])).rows}
    assert columns == {("own", "t", "c"), (home, "aa", "the B"), (home, "zz", "a")}
    assert not engine.reader.query(columns_of([])).rows
    typed = columns_by_name(engine.reader)
    assert [column for column, _ in typed[Name("own", "t")]] == ["c"]
    assert typed[Name(home, "zz")] == [("a", "INTEGER" if home == "main" else "integer")]


# ---- what callers make of them ------------------------------------------------------------------------


def test_a_digest_tells_of_rows_and_not_of_their_order(engine: Engine) -> None:
    table = "create table {0} (a integer, b varchar(9), c double precision)"
    engine.run(*(table.format(name) for name in "stu"))
    engine.run(
        "insert into s values (1, 'x', 0.5), (2, 'y', null)",
        "insert into t values (2, 'y', null), (1, 'x', 0.5)",
    )
    engine.run("insert into u values (1, 'y', 0.5), (2, 'x', null)")
    one, same, other = (row_digest.content(name, engine.reader) for name in "stu")
    assert one == same != other


def test_duckdbs_digests_are_those_of_before() -> None:
    """What a relation's digest is made from does not change: pointers and versions of sources are compared by it."""
    duck = Duck()
    duck.run("create table t as select range as a, 'v' || range as b from range(3)")
    known = functions("duckdb")
    assert known.content("t") == (
        'select count(*), sum(hash(hash("the whole row"))::hugeint), sum(hash("the whole row"::varchar)::hugeint)'
        ' from t as "the whole row"'
    )
    assert known.row_hash(["a", "b"]) == "hash(hash(a, b))"
    assert value(duck, known.bucket("'sluice'", 65536)) == value(duck, "hash('sluice') % 65536")


def test_two_states_are_compared(engine: Engine) -> None:
    columns = "(id integer, word varchar(9), share double precision, price numeric(9, 2))"
    engine.run(f"create table before {columns}", f"create table after {columns}")
    engine.run("insert into before select g, 'w' || g, g / 3.0, g from generate_series(1, 50) as t(g)")
    engine.run("insert into after select * from before where id > 2")
    engine.run(
        "update after set word = 'other' where id = 3", "insert into after values (51, 'new', null, null)"
    )
    engine.run("update after set share = share * (1 + 1e-14) where id = 10")
    found = compare(engine.reader, "before", "after", ("id",), "t")
    assert (found.rows_added, found.rows_removed, found.rows_changed, found.rows_close) == (1, 2, 1, 1)
    assert [each.name for each in found.columns_changed] == ["word"]
    stats = {each.name: each for each in found.numbers}
    assert stats["price"].before is not None
    assert stats["price"].before.mean == 25.5
    loose = compare(engine.reader, "before", "after", (), "t")
    assert (loose.rows_added, loose.rows_removed, loose.rows_close) == (2, 3, 1)
    assert compare(engine.reader, "before", "before", ("id",), "t").identical


def test_postgres_own_types_are_compared(postgres: Postgres) -> None:
    """A range begins like a number, an array of floats cannot be looked into: neither breaks the comparison."""
    postgres.run(
        "create table before as select g as id, int4range(g, g + 5) as part, daterange('2026-01-01', null) as days,"
        " array[g / 3.0::double precision] as shares, '{}'::json as doc, true as flag, gen_random_uuid() as code"
        " from generate_series(1, 9) g",
        "create table after as select * from before",
        "update after set part = 'empty', flag = not flag where id = 4",
        "delete from after where id = 5",
    )
    found = compare(postgres.reader, "before", "after", ("id",), "t")
    assert [each.name for each in found.columns_changed] == ["part", "flag"]
    assert (found.rows_changed, found.rows_removed) == (1, 1)
    assert len(compare(postgres.reader, "before", "after", (), "t").columns_changed) > 1


NODE = Node(
    "model.shop.t",
    NodeKind.INCREMENTAL,
    Name("main", "t"),
    "models/t.sql",
    "sql",
    (),
    "f1",
    unique_key=("id",),
)


def test_what_a_refresh_brings_is_measured(engine: Engine) -> None:
    engine.run(
        "create table t as select g as id, cast('2026-03-01' as timestamp) + g * interval '1' hour as event_time,"
        " case when g % 4 = 0 then null when g = 9 then cast('NaN' as double precision) else g end as amount,"
        " 'kind ' || (g % 3) as kind from generate_series(1, 20) as s(g)",
        "create table live as select * from t where id <= 8",
    )
    found = profile(engine.reader, NODE, "t", "live", datetime(2026, 3, 2, tzinfo=UTC))
    assert (found.rows, found.total, found.before) == (12, 20, 8)
    assert math.isclose(found.numbers["age"], 4.0)
    assert math.isclose(found.numbers["new missing amount"], 4 / 12)
    assert math.isclose(found.numbers["new mean amount"], (10 + 11 + 13 + 14 + 15 + 17 + 18 + 19) / 8)
    assert found.ranges["new mean amount"] == 9
    shares = [number for metric, number in found.numbers.items() if metric.startswith("new share")]
    assert len(shares) == BINS
    assert math.isclose(sum(shares), 1)
    # PostgreSQL has no sketch of distinct values: that number is left out.
    assert ("new distinct kind" in found.numbers) is (engine.reader.dialect == "duckdb")


def test_data_tests_are_asked_and_rows_shown(engine: Engine) -> None:
    engine.run("create table t as select g as id, g = 2 as flag from generate_series(1, 5) as s(g)")
    sql = "select * from t where id > 3"
    test = DataTest("test.shop.a", sql)
    found = counts([test], engine.reader)[test.unique_id]
    assert (found.failures, found.errs, found.error) == (2, True, "")
    shown = rows(test, 2, engine.reader)
    assert shown is not None
    assert (shown.columns, set(shown.rows), shown.total) == (
        ("id", "flag"),
        {("4", "false"), ("5", "false")},
        2,
    )
    assert first_rows("nowhere", engine.reader) is None


def test_contracts_are_asked(engine: Engine) -> None:
    import pandera.ibis
    from pandera.backends.ibis.register import register_ibis_backends

    register_ibis_backends()
    engine.run(
        "create table t as select g as id, 'w' || g as word, g / 2.0 as half from generate_series(1, 5) as s(g)"
    )
    pa: Any = pandera.ibis
    schema: Any = pa.DataFrameSchema(
        {"id": pa.Column(unique=True, checks=pa.Check.le(3)), "word": pa.Column(nullable=False)}
    )
    compiled = compile_contract(schema, engine.reader.columns("t"), engine.reader.dialect)
    found = list(count(Checked(compiled, engine.reader.dialect), engine.reader, "t"))
    assert all(isinstance(each, MeasureResult) for each in found), found
    assert sum(each.failing for each in found if isinstance(each, MeasureResult)) == 2
