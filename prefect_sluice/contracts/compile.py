"""Turns a contract and a relation's columns into verdicts that need no data, and conditions that do.

Pandera and Ibis are untyped where they are touched here, hence `Any`; `load` and `measure` are that edge too.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, cast

from prefect_sluice.contracts.promise import RELATION, CheckMeasure, MeasureScope, SettledCheck
from prefect_sluice.contracts.wording import complaint, first_line, label
from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.warehouse.base import Column

_LISTS = {"isin", "notin"}
_RANGES = {"greater_than", "greater_than_or_equal_to", "less_than", "less_than_or_equal_to", "in_range"}


@dataclass(frozen=True, slots=True)
class ConditionOfCheck:
    """A measure with its condition; `may_be_null` says that this, which is the project's own, may be NULL for every row there
    is."""

    measure: CheckMeasure
    condition: Any
    may_be_null: bool = False


@dataclass(frozen=True, slots=True)
class CompiledContract:
    """A contract made ready for one relation; its measures speak of `table`, an unbound Ibis table."""

    table: Any
    settled: tuple[SettledCheck, ...]
    measures: tuple[ConditionOfCheck, ...]


def _nowhere(_: BaseException) -> str:
    return ""


class _NotPushable(Exception):
    """The check cannot be answered by the warehouse alone."""


class NotConvertible(Exception):
    """Something of a schema for pandas has no meaning for a relation."""


def compile_contract(
    schema: Any, columns: Sequence[Column], dialect: str, blame: Callable[[BaseException], str] = _nowhere
) -> CompiledContract:
    """Return what `schema` asks of a relation with these columns. Asks the warehouse nothing. `blame` says where in the project
    an error was raised.

    Follows pandera.ibis, but where that keeps silent: `Column(unique=True)` is a uniqueness check, NaN is in
    no range, and with ignore_na=False a NULL answer is a failure.
    """
    table = _unbound(columns, dialect)
    checks = list(_whole_schema(schema, table))
    for name, column in _columns(schema, table):
        checks.extend(_column(schema, column, name, table, {c.name: c.type for c in columns}, blame))
    checks.extend(_check(check, table, None, blame) for check in schema.checks)
    named = list(_without_repeats(checks))
    return CompiledContract(
        table,
        tuple(check for check in named if isinstance(check, SettledCheck)),
        tuple(check for check in named if isinstance(check, ConditionOfCheck)),
    )


def _unbound(columns: Sequence[Column], dialect: str) -> Any:
    ibis: Any = importlib.import_module("ibis")
    types: Any = importlib.import_module("ibis.backends.sql.datatypes")
    mapper = types.get_type_mapper(dialect)
    return ibis.table({column.name: mapper.from_string(column.type) for column in columns}, name=RELATION)


def _without_repeats(
    checks: Sequence[SettledCheck | ConditionOfCheck],
) -> Iterator[SettledCheck | ConditionOfCheck]:
    seen: dict[str, int] = {}
    for check in checks:
        name = check.check if isinstance(check, SettledCheck) else check.measure.check
        seen[name] = seen.get(name, 0) + 1
        yield check if seen[name] == 1 else _renamed(check, f"{name} #{seen[name]}")


def _renamed(check: SettledCheck | ConditionOfCheck, name: str) -> SettledCheck | ConditionOfCheck:
    if isinstance(check, SettledCheck):
        return replace(check, check=name)
    return replace(check, measure=replace(check.measure, check=name))


def _columns(schema: Any, table: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name and the schema of each column under contract, patterns resolved; missing ones too."""
    columns: dict[str, Any] = dict(schema.columns)
    if not columns and schema.dtype is not None:
        pandera: Any = importlib.import_module("pandera.ibis")
        columns = {name: pandera.Column(schema.dtype, name=name) for name in table.columns}
    for name, column in columns.items():
        matching = [name] if name in table.columns else []
        if column.regex:
            matching = [
                column_name for column_name in table.columns if re.search(column.selector, column_name)
            ]
        yield from ((column_name, column) for column_name in matching or ([name] if column.required else []))


def _whole_schema(schema: Any, table: Any) -> Iterator[SettledCheck | ConditionOfCheck]:
    promised = dict.fromkeys(name for name, _ in _columns(schema, table) if name in table.columns)
    if schema.strict is True:
        extra = [name for name in table.columns if name not in promised]
        yield _settled("strict", not extra, f"not in the contract: {', '.join(extra)}", "no other columns")
    if schema.ordered:
        in_order = [name for name in table.columns if name in promised]
        wrong = f"columns are in the order {', '.join(in_order)}, the contract says {', '.join(promised)}"
        yield _settled("ordered", in_order == list(promised), wrong, "columns are in the contract's order")
    for names in unique_sets(schema):
        yield _unique(names, table, surplus_only=schema.report_duplicates != "all")


def _settled(check: str, holds: bool, broken: str, kept: str) -> SettledCheck:
    return SettledCheck(check, Verdict.PASSED, kept) if holds else SettledCheck(check, Verdict.FAILED, broken)


def unique_sets(schema: Any) -> list[list[str]]:
    """Return the sets of columns that a schema wants unique, however it says so."""
    unique: list[Any] = list(schema.unique or ())
    if all(isinstance(names, str) for names in unique):
        return [unique] if unique else []
    return [[names] if isinstance(names, str) else list(names) for names in unique]


def _unique(
    names: Sequence[str], table: Any, *, surplus_only: bool = False
) -> SettledCheck | ConditionOfCheck:
    check = f"unique({', '.join(names)})" if len(names) > 1 else f"{names[0]} unique"
    missing = [name for name in names if name not in table.columns]
    if missing:
        return SettledCheck(check, Verdict.FAILED, f"there is no column {', '.join(missing)}")
    wrong = f"{', '.join(names)} not unique"
    measure = CheckMeasure(check, wrong, MeasureScope.DUPLICATES, surplus_only=surplus_only)
    return ConditionOfCheck(measure, tuple(names))


def _column(
    schema: Any,
    column: Any,
    name: str,
    table: Any,
    types: dict[str, str],
    blame: Callable[[BaseException], str],
) -> Iterator[SettledCheck | ConditionOfCheck]:
    if name not in table.columns:
        wanted = "no column matches" if column.regex else "there is no column"
        yield SettledCheck(
            f"{name} present", Verdict.FAILED, f"{wanted} {name}; there are {', '.join(table.columns)}"
        )
        return
    expected = column.dtype if schema.dtype is None else schema.dtype
    yield _type(name, expected, table, types[name])
    if not column.nullable:
        yield _not_null(name, table)
    if column.unique:
        yield _unique([name], table, surplus_only=column.report_duplicates != "all")
    for check in column.checks:
        yield _check(check, table, name, blame)


def _type(name: str, expected: Any, table: Any, spelled: str) -> SettledCheck:
    if expected is None:
        return SettledCheck(f"{name} present", Verdict.PASSED, f"column {name} is there")
    check, actual = f"{name} {expected}", table[name].type()
    if actual.is_unknown():
        return SettledCheck(
            check, Verdict.INCONCLUSIVE, f"{name} is {spelled}, a type that Ibis does not know"
        )
    engine: Any = importlib.import_module("pandera.engines.ibis_engine")
    try:
        holds = expected.check(engine.Engine.dtype(actual), table[name]) is True
    except TypeError:
        holds = False
    wrong = f"{name} is {spelled} ({actual}), the contract says {expected}"
    return _settled(check, holds, wrong, f"{name} is {spelled}")


def _not_null(name: str, table: Any) -> ConditionOfCheck:
    floating = table[name].type().is_floating()
    empty = table[name].isnull()
    condition = empty | table[name].isnan() if floating else empty
    wrong = f"{name} is NULL or NaN" if floating else f"{name} is NULL"
    return ConditionOfCheck(CheckMeasure(f"{name} not null", wrong, MeasureScope.ROWS), condition)


def _check(
    check: Any, table: Any, key: str | None, blame: Callable[[BaseException], str]
) -> SettledCheck | ConditionOfCheck:
    builtin = builtin_of(check)
    named = label(check, builtin, key)
    try:
        holds, scalar = _holds(check, builtin, table, key)
        condition = holds if scalar else _fails(check, builtin, holds, table, key)
        wrong = complaint(check, builtin, key)
    except _NotPushable as reason:
        return SettledCheck(named, Verdict.INCONCLUSIVE, f"not checked: {reason}")
    except NotConvertible as reason:
        return SettledCheck(named, Verdict.ERRORED, f"not checked: {reason}")
    except (Exception, SystemExit) as error:
        if "unbound" in str(error):
            why = "it runs a query of its own; return an Ibis expression instead"
            return SettledCheck(named, Verdict.INCONCLUSIVE, f"not checked: {why}")
        return SettledCheck(named, Verdict.ERRORED, f"the check raised {first_line(error)}", blame(error))
    failing = Verdict.WARNED if check.raise_warning else Verdict.FAILED
    shape = MeasureScope.WHOLE if scalar else MeasureScope.ROWS
    return ConditionOfCheck(CheckMeasure(named, wrong, shape, failing), condition, may_be_null=not builtin)


def builtin_of(check: Any) -> str:
    """Return the name of pandera's own check that this is, "" for one of the project."""
    name = str(getattr(check._check_fn, "__name__", ""))
    return name if check.is_builtin_check(name) else ""


def _holds(check: Any, builtin: str, table: Any, key: str | None) -> tuple[Any, bool]:
    """Return the check's boolean expression over `table`, and whether it is one boolean for the relation."""
    types: Any = importlib.import_module("ibis.expr.types")
    seen = table if key is None else table.select(key)  # pandera shows a column's check that column alone
    answer = _answer(check, builtin, seen, key)
    if isinstance(answer, dict):
        answer = reduce(_both, cast("dict[str, Any]", answer).values())
    elif isinstance(answer, types.Table):
        answer = reduce(_both, _projected(answer, seen))
    elif isinstance(answer, bool):
        answer = importlib.import_module("ibis").literal(answer)
    if not isinstance(answer, types.BooleanValue):
        raise TypeError(f"it answered {type(answer).__name__}, not a boolean expression")
    rebased: Any = answer if key is None else answer.op().replace({seen.op(): table.op()}).to_expr()
    return rebased, isinstance(rebased, types.BooleanScalar)


def _both(left: Any, right: Any) -> Any:
    return left & right


def _answer(check: Any, builtin: str, seen: Any, key: str | None) -> Any:
    if check.element_wise:
        raise _NotPushable("it is element-wise, so each value would have to come into Python")
    if check.groupby is not None or hasattr(check, "relationship"):
        raise _NotPushable("group and hypothesis checks have no meaning in pandera.ibis")
    if builtin == "unique_values_eq" and key is not None:
        values = list(dict.fromkeys(check.statistics["values"]))
        return seen[key].isin(values).all() & (seen[key].nunique() == len(values))
    data: Any = importlib.import_module("pandera.api.ibis.types")
    function: Callable[..., Any] = check.get_builtin_check_fn(builtin) if builtin else check._check_fn
    given = _without_null(check._check_kwargs) if builtin in _LISTS else check._check_kwargs
    return function(data.IbisData(seen, key), **given)


def _without_null(limits: dict[str, Any]) -> dict[str, Any]:
    """Return a list without None: SQL's `x IN (1, NULL)` is false for nothing, so such a list would let everything pass."""
    return {key: [value for value in values if value is not None] for key, values in limits.items()}


def _projected(answer: Any, seen: Any) -> list[Any]:
    """Return the columns of a table that is `seen.select(...)`, which is how built-in checks answer."""
    operations: Any = importlib.import_module("ibis.expr.operations")
    node = answer.op()
    if not isinstance(node, operations.Project) or node.parent != seen.op():
        raise _NotPushable("it answers with a table of its own; return a boolean column of the checked table")
    return [value.to_expr() for value in node.values.values()]


def _fails(check: Any, builtin: str, holds: Any, table: Any, key: str | None) -> Any:
    if key is not None and builtin in _RANGES and table[key].type().is_floating():
        holds = holds & ~table[key].isnan()  # DuckDB and PostgreSQL order NaN above every number
    if not check.ignore_na:
        return ~holds.fill_null(False)
    return ~(holds if key is None else holds | table[key].isnull())
