"""Contracts and data made up by hypothesis: pandera's own Ibis backend says the same yes or no as our one query."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import permutations
from typing import Any, cast

import duckdb
import ibis  # pyright: ignore[reportMissingTypeStubs] -- it has none
import ibis.expr.datatypes as dt  # pyright: ignore[reportMissingTypeStubs] -- it has none
import numpy as np
import pandera.ibis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pandera.backends.ibis.register import register_ibis_backends
from pandera.errors import SchemaErrors

from prefect_sluice.contracts.compile import CompiledContract, compile_contract
from prefect_sluice.contracts.describe import describe
from prefect_sluice.contracts.measure import MeasureResult, count, failing_rows
from prefect_sluice.contracts.promise import RELATION, MeasureScope
from prefect_sluice.contracts.weakened import losses
from prefect_sluice.domain.digests import canonical
from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.warehouse.base import Column
from tests.contracts.checked import Checked
from tests.gates.duck import DuckReader

register_ibis_backends()
Check: Any = pandera.ibis.Check
DAY, NOON = date(2026, 3, 29), datetime(2026, 3, 29, 12, tzinfo=UTC)
KINDS: dict[str, tuple[str, Any, Any, Any]] = {
    # name -> DuckDB's type, pandera's, values, and what values are compared with
    "id": ("BIGINT", dt.int64, st.integers(-3, 3), st.integers(-3, 3)),
    "a b": ("INTEGER", dt.int32, st.integers(-3, 3), st.integers(-3, 3)),
    "größe": (
        "DOUBLE",
        dt.float64,
        st.sampled_from([-1.5, 0.0, 0.5, 2.0]),
        st.sampled_from([-1.0, 0.0, 0.5]),
    ),
    "price": (
        "DECIMAL(9,2)",
        dt.Decimal(9, 2),
        st.sampled_from([Decimal("-1.00"), Decimal("0.01"), Decimal("9.99")]),
        st.sampled_from([-1, 0, 9]),
    ),
    "carrier": (
        "VARCHAR",
        dt.string,
        st.sampled_from(["", "AA", "UA", "ü", "a'b"]),
        st.sampled_from(["AA", "b"]),
    ),
    "day": ("DATE", dt.date, st.dates(DAY - timedelta(2), DAY + timedelta(2)), st.just(DAY)),
    "at": (
        "TIMESTAMPTZ",
        dt.Timestamp(timezone="UTC", scale=6),
        st.sampled_from([NOON - timedelta(hours=1), NOON, NOON + timedelta(hours=1)]),
        st.just(NOON),
    ),
    "flag": ("BOOLEAN", dt.boolean, st.booleans(), st.booleans()),
    "many": ("BIGINT[]", None, st.lists(st.integers(0, 2), max_size=2), st.nothing()),
}
ORDERED = ("id", "a b", "größe", "price", "carrier", "day", "at")


def own(limit: Any) -> Any:
    """Return a check of a project's own."""

    def holds(data: Any) -> Any:
        return data.table[data.key] >= limit

    return Check(holds, name="own")


def ordered(data: Any) -> Any:
    """A check of the whole table: a boolean for each row."""
    return data.table.id <= data.table["a b"]


def limits(name: str) -> st.SearchStrategy[Any]:
    """Return pandera's checks that a column of this kind may have."""
    value = KINDS[name][3]
    listed = st.lists(value, min_size=1, max_size=2)
    found = [
        st.builds(Check.eq, value),
        st.builds(Check.ne, value),
        st.builds(Check.isin, listed),
        st.builds(Check.notin, listed),
    ]
    if name in ORDERED:
        found += [st.builds(each, value) for each in (Check.ge, Check.gt, Check.le, Check.lt)]
        ends = st.tuples(value, value).map(sorted)
        found.append(ends.map(lambda two: Check.in_range(two[0], two[1], raise_warning=False)))
        found.append(value.map(own))
        found.append(st.builds(Check.ge, value, raise_warning=st.just(True), n_failure_cases=st.just(1)))
    if name == "carrier":
        found += [
            st.builds(Check.str_length, st.integers(0, 1), st.integers(1, 3)),
            st.builds(Check.str_matches, st.sampled_from(["A", "[A-Z]{2}$", "ü"])),
            st.builds(Check.str_contains, st.sampled_from(["A", "'"])),
            st.builds(Check.str_startswith, st.sampled_from(["A", ""])),
            st.builds(Check.str_endswith, st.sampled_from(["A", "b"])),
        ]
    return st.one_of(found)


@st.composite
def columns(draw: st.DrawFn, name: str) -> Any:
    kind, wrong = KINDS[name][1], name != "many" and draw(st.integers(0, 9)) == 0
    return pandera.ibis.Column(
        dt.time if wrong else draw(st.sampled_from([kind, kind, None])),
        checks=draw(st.lists(limits(name), max_size=2)) if name != "many" else [],
        nullable=draw(st.booleans()),
        coerce=False,
        required=draw(st.booleans()),
    )


@st.composite
def schemas(draw: st.DrawFn) -> Any:
    names = draw(st.lists(st.sampled_from(list(KINDS)), unique=True, min_size=1, max_size=4))
    asked: dict[str, Any] = {name: draw(columns(name)) for name in names}
    if draw(st.integers(0, 4)) == 0:
        asked["nowhere"] = pandera.ibis.Column(dt.int64, required=draw(st.booleans()))
    if draw(st.integers(0, 4)) == 0:
        asked["^(id|a b)$"] = pandera.ibis.Column(
            None, Check.ge(draw(st.integers(-3, 3))), nullable=True, regex=True
        )
    of_all = st.just(Check(ordered, name="of the table"))
    return pandera.ibis.DataFrameSchema(
        asked,
        checks=draw(st.lists(of_all, max_size=1)),
        unique=draw(st.sampled_from([None, None, ["id"], ["id", "carrier"], ["a b", "day"]])),
        strict=draw(st.integers(0, 5)) == 0,
        ordered=draw(st.integers(0, 5)) == 0,
    )


def made(examples: int) -> settings:
    # Not made smaller when they fail: each of the steps asks pandera for a second.
    return settings(
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        phases=[Phase.explicit, Phase.generate],
    )


ROW = st.tuples(
    *(st.one_of(st.none(), each[2]) if name != "flag" else each[2] for name, each in KINDS.items())
)


def table(rows: Sequence[tuple[Any, ...]]) -> DuckReader:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    described = ", ".join(f'"{name}" {each[0]}' for name, each in KINDS.items())
    connection.execute(f"CREATE TABLE t ({described})")
    connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(KINDS))})", rows)
    return DuckReader(connection)


def pandera_says_no(schema: Any, duck: DuckReader) -> bool:
    try:
        schema.validate(ibis.duckdb.from_connection(duck.connection).table("t"), lazy=True)
    except SchemaErrors:
        return True
    return False


def answers(compiled: CompiledContract, duck: DuckReader) -> list[MeasureResult]:
    found = list(count(Checked(compiled, "duckdb"), duck, "t"))
    counted = [each for each in found if isinstance(each, MeasureResult)]
    assert counted == found, "nothing here is beyond the warehouse"
    return counted


def with_rows(
    compiled: CompiledContract, found: Sequence[MeasureResult], duck: DuckReader
) -> list[MeasureResult]:
    """Return those that fail with their rows."""
    shown = failing_rows(Checked(compiled, "duckdb"), found, duck, "t")
    return [each for each in shown if isinstance(each, MeasureResult) and each.failing]


def we_say_no(compiled: CompiledContract, found: Sequence[MeasureResult]) -> bool:
    settled = [each.verdict for each in compiled.settled]
    rows = [each.measure.failing for each in found if each.holds is False]
    unsure = [Verdict.INCONCLUSIVE for each in found if each.holds is None]
    return max((*settled, *rows, *unsure), default=Verdict.PASSED) > Verdict.WARNED


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ibis 12 calls what DuckDB 1.5 is to drop
@made(25)
@given(schemas(), st.lists(ROW, min_size=1, max_size=6))
def test_pandera_and_one_query_agree(schema: Any, rows: list[tuple[Any, ...]]) -> None:
    duck = table(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = compile_contract(schema, duck.columns("t"), "duckdb")
        found = answers(compiled, duck)
        assert len(duck.asked) == (1 if compiled.measures else 0)
        assert we_say_no(compiled, found) is pandera_says_no(schema, duck)
        failed = [each for each in found if each.failing]
        shown = with_rows(compiled, found, duck)
    assert len(duck.asked) <= 3
    for before, after in zip(failed, shown, strict=True):
        assert after.evidence is not None
        assert len(after.evidence.rows) == after.evidence.total == after.failing >= before.failing


@made(60)
@given(schemas())
def test_a_contract_is_never_weaker_than_itself(schema: Any) -> None:
    assert losses(describe(schema), describe(schema)) == ()


# What a column may hold (every value beside every limit), and what its checks are compared with.
VALUES: dict[str, list[Any]] = {
    "id": [-1, 0, 1, 2, 3, 4, 5],
    "größe": [-1.5, 0.0, 0.5, 1.0, 2.0, float("nan")],
    "price": [Decimal("-1.00"), Decimal("0.01"), Decimal("1.00"), Decimal("9.99")],
    "carrier": ["", "A", "AA", "AAA", "UA", "b", "ü", "a'b"],
    "day": [DAY + timedelta(n) for n in range(-2, 3)],
    "at": [NOON + timedelta(hours=n) for n in range(-2, 3)],
    "flag": [True, False],
}
NULLS = st.booleans()


@st.composite
def row_check(draw: st.DrawFn, name: str) -> Any:
    """Return a check of rows: of those that pandera has each, NULL let pass or not."""
    value = st.sampled_from([each for each in VALUES[name] if each == each])
    asks = {"ignore_na": draw(st.sampled_from([True, True, True, False]))}
    listed = draw(st.lists(value, min_size=1, max_size=4, unique=True))
    kinds = [
        lambda: Check.isin(listed, **asks),
        lambda: Check.isin([*listed, None], **asks),
        lambda: Check.notin(listed[:2], **asks),
        lambda: Check.eq(listed[0], **asks),
        lambda: Check.ne(listed[0], **asks),
    ]
    if name != "flag":
        low, high = sorted([listed[0], listed[-1]])
        one = listed[0]
        kinds += [
            lambda: Check.ge(one, **asks),
            lambda: Check.gt(one, **asks),
            lambda: Check.le(one, **asks),
            lambda: Check.lt(one, **asks),
            lambda: Check.in_range(low, high, low == high or draw(NULLS), low == high or draw(NULLS), **asks),
        ]
    if name == "carrier":
        kinds += [
            lambda: Check.str_length(*draw(st.sampled_from([(0, 1), (1, 2), (1, 3), (2, 2)])), **asks),
            lambda: Check.str_length(exact_value=draw(st.integers(0, 2)), **asks),
            lambda: Check.str_matches(draw(st.sampled_from(["A", "A|b", "[A-Z]{2}$", "ü", "", "."])), **asks),
            lambda: Check.str_contains(draw(st.sampled_from(["A", "'", "^.?$"])), **asks),
            lambda: Check.str_startswith(draw(st.sampled_from(["A", ""])), **asks),
            lambda: Check.str_endswith(draw(st.sampled_from(["A", "b"])), **asks),
        ]
    return draw(st.sampled_from(kinds))()


@st.composite
def two_contracts(draw: st.DrawFn, name: str) -> tuple[Any, Any]:
    """Return a column's contract and a later one, that keeps some of its checks and has some of its own."""
    checks = draw(st.lists(row_check(name), min_size=1, max_size=3))
    kept = [check for check in checks if draw(st.integers(0, 2))]
    later = [*kept, *draw(st.lists(row_check(name), max_size=2))]
    nullable = draw(NULLS), draw(NULLS)
    old, new = (
        pandera.ibis.DataFrameSchema({name: pandera.ibis.Column(None, each, nullable=null)})
        for each, null in zip((checks, later), nullable, strict=True)
    )
    return old, new


def failing(schema: Any, duck: DuckReader, rows: int) -> set[int]:
    """Return the numbers of the rows that fail a contract, by the conditions that the warehouse is asked."""
    compiled = compile_contract(schema, duck.columns("t"), "duckdb")
    assert not [each for each in compiled.settled if each.verdict > Verdict.WARNED]
    flags = {f"f{n}": each.condition for n, each in enumerate(compiled.measures)}
    if not flags:
        return set()
    sql = str(cast(Any, ibis).to_sql(compiled.table.mutate(**flags), dialect="duckdb")).replace(
        f'"{RELATION}"', "t"
    )
    found = duck.connection.execute(sql).fetchall()
    assert len(found) == rows
    return {n for n, row in enumerate(found) if any(row[-len(flags) :])}


@pytest.fixture(scope="module", params=sorted(VALUES))
def values(request: pytest.FixtureRequest) -> tuple[str, DuckReader, int]:
    name = request.param
    rows = [tuple(value if each == name else None for each in KINDS) for value in (*VALUES[name], None)]
    return name, table(rows), len(rows)


@made(20)
@given(st.data())
def test_what_is_lost_is_a_value_that_comes_through(
    values: tuple[str, DuckReader, int], data: st.DataObject
) -> None:
    """Where no loss is seen in limits, no value (nor NULL) passes now that failed before."""
    name, duck, rows = values
    old, new = data.draw(two_contracts(name))
    if losses(describe(old), describe(new)):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert failing(old, duck, rows) <= failing(new, duck, rows)


NAMES = ["a", "ab", "b", "^a", "^a$", "^.*$"]
ROWS = (
    [{"a": 1, "ab": 1, "b": 1}, {"a": 1, "ab": 2, "b": 2}],
    [{"a": 1, "ab": 1, "b": 1}, {"a": 2, "ab": 1, "b": 2}],
)
RELATIONS = [
    (columns, rows) for size in (1, 2, 3) for columns in permutations(["a", "ab", "b"], size) for rows in ROWS
]


@st.composite
def tables(draw: st.DrawFn) -> Any:
    """Return a contract of a table that asks for columns, their order and what is unique, but nothing of values."""
    names = draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
    return changed(draw, {name: one_column(draw, name) for name in names}, {})


def one_column(draw: st.DrawFn, name: str) -> Any:
    return pandera.ibis.Column(
        draw(st.sampled_from([None, dt.int64, dt.int32])),
        nullable=True,
        required=draw(NULLS),
        unique=draw(st.integers(0, 3)) == 0,
        regex=name.startswith("^"),
    )


def changed(draw: st.DrawFn, asked: dict[str, Any], before: dict[str, Any]) -> Any:
    rare = st.integers(0, 2).map(lambda n: n == 0)
    fresh: dict[str, Any] = {
        "unique": draw(st.sampled_from([None, None, ["a"], ["a", "b"], [["a"], ["b", "ab"]]])),
        "strict": draw(rare),
        "ordered": draw(rare),
        "dtype": draw(st.sampled_from([None, None, None, dt.int64, dt.int32])),
    }
    kept: dict[str, Any] = {key: value for key, value in before.items() if draw(st.integers(0, 3))}
    return pandera.ibis.DataFrameSchema(asked, **{**fresh, **kept})


@st.composite
def two_tables(draw: st.DrawFn) -> tuple[Any, Any]:
    old = draw(tables())
    asked = {name: column for name, column in old.columns.items() if draw(st.integers(0, 4))}
    more = {name: one_column(draw, name) for name in draw(st.lists(st.sampled_from(NAMES), max_size=1))}
    order = draw(st.permutations([*asked, *(name for name in more if name not in asked)]))
    before = {"unique": old.unique, "strict": old.strict, "ordered": old.ordered, "dtype": old.dtype}
    return old, changed(draw, {name: {**asked, **more}[name] for name in order}, before)


def refused(schema: Any, columns: Sequence[str], rows: Sequence[dict[str, int]]) -> bool:
    compiled = compile_contract(schema, [Column(name, "BIGINT") for name in columns], "duckdb")
    return any(each.verdict > Verdict.WARNED for each in compiled.settled) or any(
        len({tuple(row[name] for name in each.condition) for row in rows}) < len(rows)
        for each in compiled.measures
        if each.measure.shape is MeasureScope.DUPLICATES
    )


@made(60)
@given(two_tables())
def test_what_is_lost_is_a_relation_that_comes_through(two: tuple[Any, Any]) -> None:
    """Where no loss is seen in the table, no relation passes now that failed before."""
    old, new = two
    lost = losses(describe(old), json.loads(canonical(describe(new))))
    if not lost:
        more = set(new.columns) - set(old.columns) if old.strict else set[str]()
        for columns, rows in RELATIONS:
            if not more & set(
                columns
            ):  # a column more that must be there is a promise more, also in a strict contract
                assert refused(new, columns, rows) or not refused(old, columns, rows), (columns, rows)


class AtLeast:
    """A check that is an object."""

    def __init__(self, bound: int) -> None:
        self.bound = bound

    def __call__(self, data: Any) -> Any:
        return data.table[data.key] >= self.bound


class Bounds:
    """What a module of a project may keep its numbers in."""

    least = 1


def at_least(data: Any, bound: int) -> Any:
    return data.table[data.key] >= bound


def by_helper(data: Any) -> Any:
    return at_least(data, Bounds.least)


def test_whatever_a_check_of_ones_own_comes_to_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(check: Any) -> Any:
        return describe(pandera.ibis.DataFrameSchema({"id": pandera.ibis.Column(None, check, nullable=True)}))

    pairs = [
        (Check(partial(at_least, bound=2), name="x"), Check(partial(at_least, bound=1), name="x")),
        (Check(at_least, name="x", bound=2), Check(at_least, name="x", bound=1)),
        (Check(AtLeast(2), name="x"), Check(AtLeast(1), name="x")),
        (Check.ge(np.int64(10)), Check.ge(np.int64(9))),
        (Check.ge(timedelta(days=10)), Check.ge(timedelta(days=9))),
        (Check.isin([b"ab"]), Check.isin([b"ba"])),
        (Check.le(1e308), Check.le(float("inf"))),
        (Check.ge(Decimal("0.10000000000000000002")), Check.ge(Decimal("0.1"))),
    ]
    for old, new in pairs:
        assert losses(made(old), made(new)), old
        assert not losses(made(old), made(old)), old
        canonical(made(new))
    before = made(Check(by_helper, name="x"))
    assert not losses(before, made(Check(by_helper, name="x")))
    monkeypatch.setattr(Bounds, "least", 0)
    assert losses(before, made(Check(by_helper, name="x")))
    monkeypatch.setattr(Bounds, "least", 1)
    monkeypatch.setitem(globals(), "at_least", ordered)
    assert losses(before, made(Check(by_helper, name="x")))


def test_a_list_with_none_in_it_lets_no_value_pass_that_it_does_not_name() -> None:
    duck = table([(n, None, None, None, None, None, None, True, None) for n in (1, 2, 3)])
    allowed, forbidden = (
        pandera.ibis.DataFrameSchema({"id": pandera.ibis.Column(None, check, nullable=True)})
        for check in (Check.isin([1, None]), Check.notin([1, None]))
    )
    assert (failing(allowed, duck, 3), failing(forbidden, duck, 3)) == ({1, 2}, {0})


def test_a_check_is_another_one_if_what_it_was_made_with_is() -> None:
    def made(check: Any) -> Any:
        column = pandera.ibis.Column(None, checks=check, nullable=True)
        return describe(pandera.ibis.DataFrameSchema({"id": column}))

    def least(table: Any, bound: int = 1) -> Any:
        return table.table[table.key] >= bound

    def less(table: Any, bound: int = 0) -> Any:
        return table.table[table.key] >= bound

    assert losses(made(own(2)), made(own(-1)))
    assert not losses(made(own(2)), made(own(2)))
    less.__name__ = least.__name__
    assert losses(made(Check(least)), made(Check(less)))


def test_duplicates_are_all_counted_and_shown_together() -> None:
    keys = [None, None, *(n % 7 for n in range(30)), *range(100, 160)]
    duck = table([(key, n, None, None, "AA", None, None, True, None) for n, key in enumerate(keys)])
    schema = pandera.ibis.DataFrameSchema(
        {"carrier": pandera.ibis.Column(checks=Check.eq("UA"))}, unique=["id"]
    )
    compiled = compile_contract(schema, duck.columns("t"), "duckdb")
    shown = with_rows(compiled, answers(compiled, duck), duck)
    by_check = {each.measure.check: each for each in shown}
    evidence = by_check["id unique"].evidence
    assert evidence is not None
    assert (evidence.total, Counter(row[0] for row in evidence.rows)[None]) == (32, 2)
    assert [row[0] for row in evidence.rows[:5]] == ["0"] * 5
    assert by_check["carrier equal_to(UA)"].failing == len(keys)


def test_ten_million_failing_rows_are_counted_and_a_hundred_fetched() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE VIEW t AS SELECT 1::BIGINT AS id, range AS n FROM range(10_000_000)")
    duck = DuckReader(connection)
    schema = pandera.ibis.DataFrameSchema({"id": pandera.ibis.Column(checks=Check.ge(2))}, unique=["id"])
    compiled = compile_contract(schema, duck.columns("t"), "duckdb")
    for each in with_rows(compiled, answers(compiled, duck), duck):
        assert each.evidence is not None
        assert (len(each.evidence.rows), each.evidence.total) == (100, 10_000_000)
