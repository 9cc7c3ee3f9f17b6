"""Asks the warehouse what data tests count: those that look at each row of one relation in one query, others on their own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.data_test import DataTest, counts_rows
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence
from prefect_sluice.sql.countable_tests import CountableQuery, counted
from prefect_sluice.warehouse.base import Reader, quoted

_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "0"})


@dataclass(frozen=True, slots=True)
class TestCount:
    """What one test counted, and what its own limits say of that; `error` is why there is no number."""

    failures: int = 0
    warns: bool = False
    errs: bool = False
    error: str = ""


def counts(tests: Iterable[DataTest], reader: Reader, views: Collection[Name] = ()) -> dict[str, TestCount]:
    """Return what each test counts, by unique id: the number that dbt would get of it. `views` are computed when read."""
    found: dict[str, TestCount] = {}
    computed = tuple(quoted(name.schema, name.identifier).lower() for name in views)
    for relation, shared in _shared(tests, reader.dialect).items():
        found |= _together(relation, shared, reader, once=relation.lower().endswith(computed))
    return {
        test.unique_id: found[test.unique_id] if test.unique_id in found else _alone(test, reader)
        for test in tests
    }


def rows(test: DataTest, failures: int, reader: Reader) -> Evidence | None:
    """Return the first rows that break a test, `failures` in all where it counts rows; None where they cannot be read."""
    known = failures if counts_rows(test.fail_calc) else None
    return first_rows(f"(\n{_limited(test)}\n) dbt_internal_test", reader, known)


def first_rows(source: str, reader: Reader, total: int | None = None) -> Evidence | None:
    """Return first rows of a relation or query, and how many there are (`total`, if known); None where they cannot be read."""
    try:
        named = [quoted(column.name) for column in reader.columns(source)]
        texts = ", ".join(f"cast({name} as varchar) as {name}" for name in named)
        found = reader.query(f"select {texts} from {source} limit {EVIDENCE_ROWS}")
        count = reader.query(f"select count(*) from {source}").rows[0][0] if total is None else total
    except QueryFailed:
        return None
    shown = tuple(tuple(None if value is None else str(value) for value in row) for row in found.rows)
    return Evidence(found.columns, shown, max(int(str(count)), len(shown)))


_Shared = Sequence[tuple[DataTest, CountableQuery]]


def _shared(tests: Iterable[DataTest], dialect: str) -> dict[str, _Shared]:
    """Return the tests that one scan can answer, by what is scanned."""
    found: dict[str, list[tuple[DataTest, CountableQuery]]] = {}
    for test in tests:
        shape = counted(test.sql, dialect) if counts_rows(test.fail_calc) else None
        if shape is not None:
            found.setdefault(shape.relation, []).append((test, shape))
    return dict(found)


def _together(relation: str, shared: _Shared, reader: Reader, *, once: bool) -> dict[str, TestCount]:
    """Return what these tests count, by one query; those that it cannot tell are left out. `once`: the relation is read once.

    One that fails is found by halves: it then fails on its own, in its own words.
    """
    try:
        answer = reader.query(_query(relation, shared, once=once)).rows
    except QueryFailed:
        half = len(shared) // 2
        if not half:
            return {}
        return {
            **_together(relation, shared[:half], reader, once=once),
            **_together(relation, shared[half:], reader, once=once),
        }
    if len(answer[0]) != 3 * len(shared):  # a condition that the engine makes several of
        return {}
    found: dict[str, TestCount] = {}
    for at, (test, shape) in enumerate(shared):
        failures, warns, errs = answer[0][3 * at : 3 * at + 3]
        plain = all(isinstance(truth, bool) for truth in (warns, errs))
        if plain and (shape.exact or failures == 0) and (not shape.names or _reads(test, reader)):
            found[test.unique_id] = _count((failures, warns, errs))
    return found


def _query(relation: str, shared: _Shared, *, once: bool) -> str:
    # The engine knows the least and greatest value of each part of a table: a condition that no row meets reads nothing.
    counted = _in_one_scan(relation, shared) if once else _by_parts(relation, shared)
    judged = ", ".join(
        f"t{at}, t{at} {test.warn_if}, t{at} {test.error_if}" for at, (test, _) in enumerate(shared)
    )
    return f"with counted as (\n{counted}\n)\nselect {judged}\nfrom counted"


def _in_one_scan(relation: str, shared: _Shared) -> str:
    conditions = [shape.condition for _, shape in shared]
    counted = [f"count(*) filter (where {each})" if each else "count(*)" for each in conditions]
    # Rows that break nothing are let go of before anything is counted.
    bad = f"\nwhere {' or '.join(conditions)}" if all(conditions) else ""
    return f"select {_limited_columns(counted, shared)}\nfrom {relation}{bad}"


def _by_parts(relation: str, shared: _Shared) -> str:
    sources = [f"{relation} where {shape.condition}" if shape.condition else relation for _, shape in shared]
    return f"select {_limited_columns([f'(select count(*) from {each})' for each in sources], shared)}"


def _limited_columns(numbers: Iterable[str], shared: _Shared) -> str:
    limited = (
        number if test.limit is None else f"least({number}, {test.limit})"
        for number, (test, _) in zip(numbers, shared, strict=True)
    )
    return ",\n".join(f"{number} as t{at}" for at, number in enumerate(limited))


def _reads(test: DataTest, reader: Reader) -> bool:
    """Say whether the test's own query is one that the warehouse would run: it may select what is not there."""
    try:
        reader.query(f"select * from (\n{test.sql}\n) dbt_internal_test limit 0")
    except QueryFailed:
        return False
    return True


def _alone(test: DataTest, reader: Reader) -> TestCount:
    """Ask what dbt itself would ask."""
    calc = test.fail_calc
    sql = (
        f"select {calc} as failures, {calc} {test.warn_if} as should_warn, {calc} {test.error_if} as should_error"
        f"\nfrom (\n{_limited(test)}\n) dbt_internal_test"
    )
    try:
        answer = reader.query(sql).rows
    except QueryFailed as error:
        return TestCount(error=str(error).splitlines()[0])
    if len(answer) != 1 or len(answer[0]) != 3:
        return TestCount(
            error=f"fail_calc gives {count(len(answer), 'row')}, and is to give one number: {calc}"
        )
    try:
        return _count(answer[0])
    except ValueError as error:
        return TestCount(error=str(error))


def _limited(test: DataTest) -> str:
    return test.sql if test.limit is None else f"{test.sql}\nlimit {test.limit}"


def _count(answer: Sequence[object]) -> TestCount:
    failures, warns, errs = answer
    return TestCount(_whole(failures), _truth(warns), _truth(errs))


def _whole(value: object) -> int:
    """Return the number of failures. Raises ValueError for what dbt does not take for one."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value != int(value):
        raise ValueError(f"fail_calc gives {value!r}, which is no number of failures")
    return int(value)


def _truth(value: object) -> bool:
    """Return what dbt makes of the answer of `warn_if`. Raises ValueError for a text that is neither yes nor no."""
    if not isinstance(value, str):
        return bool(cast("bool | None", value))
    if value.lower() not in _TRUE | _FALSE:
        raise ValueError(f"{value!r} is neither true nor false")
    return value.lower() in _TRUE
