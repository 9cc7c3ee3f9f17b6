"""Contracts and data made up by hypothesis: pandera's own Ibis backend says the same yes or no as our one query."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import ibis  # pyright: ignore[reportMissingTypeStubs] -- it has none
import ibis.expr.datatypes as dt  # pyright: ignore[reportMissingTypeStubs] -- it has none
import pandera.ibis
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from pandera.backends.ibis.register import register_ibis_backends
from pandera.errors import SchemaErrors

from prefect_sluice.contracts.compile import CompiledContract, compile_contract
from prefect_sluice.contracts.describe import describe
from prefect_sluice.contracts.measure import MeasureResult, count, failing_rows
from prefect_sluice.contracts.weakened import losses
from prefect_sluice.domain.verdict import Verdict
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
    found = list(count(compiled, duck, "t"))
    counted = [each for each in found if isinstance(each, MeasureResult)]
    assert counted == found, "nothing here is beyond the warehouse"
    return counted


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
        shown = failing_rows(compiled, failed, duck, "t") if failed else ()
    assert len(duck.asked) <= 3
    for before, after in zip(failed, shown, strict=True):
        assert after.evidence is not None
        assert len(after.evidence.rows) == after.evidence.total == after.failing >= before.failing


@made(60)
@given(schemas())
def test_a_contract_is_never_weaker_than_itself(schema: Any) -> None:
    assert losses(describe(schema), describe(schema)) == ()


@made(60)
@given(st.data(), st.sampled_from([name for name in KINDS if name not in {"many", "flag"}]))
def test_what_is_lost_is_a_value_that_comes_through(data: st.DataObject, name: str) -> None:
    """Where no loss is seen in limits, no value passes now that failed before."""
    made = [data.draw(st.lists(limits(name), max_size=2)) for _ in range(2)]
    old, new = (
        pandera.ibis.DataFrameSchema({name: pandera.ibis.Column(None, checks=each, nullable=True)})
        for each in made
    )
    assume(not losses(describe(old), describe(new)))
    values = data.draw(st.lists(KINDS[name][2], min_size=1, max_size=4))
    rows = [
        tuple(value if each == name else False if each == "flag" else None for each in KINDS)
        for value in values
    ]
    duck = table(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = [compile_contract(each, duck.columns("t"), "duckdb") for each in (old, new)]
        no_before, no_now = (we_say_no(each, answers(each, duck)) for each in said)
    assert no_now or not no_before


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
    shown = failing_rows(compiled, answers(compiled, duck)[::2], duck, "t")
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
    failed = [each for each in answers(compiled, duck) if each.failing]
    for each in failing_rows(compiled, failed, duck, "t"):
        assert each.evidence is not None
        assert (len(each.evidence.rows), each.evidence.total) == (100, 10_000_000)
