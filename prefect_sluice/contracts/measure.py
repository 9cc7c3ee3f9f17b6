"""Asks the warehouse how many rows fail each check of a contract, and for the rows that do."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prefect_sluice.contracts.compile import (
    RELATION,
    CheckMeasure,
    CompiledContract,
    MeasureScope,
    SettledCheck,
)
from prefect_sluice.contracts.wording import first_line
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Verdict
from prefect_sluice.warehouse.base import Reader

_FLAG = "sluice flag "
_UNDECIDED = -1
"""In place of a number of failing rows: the condition is NULL in every row."""


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """The answer to one measure: failing rows of `rows`, and whether it holds (None: NULL, of the whole or in every row).

    `evidence` are rows that fail, once they were fetched."""

    measure: CheckMeasure
    rows: int
    failing: int = 0
    holds: bool | None = True
    evidence: Evidence | None = None


def count(
    compiled: CompiledContract, reader: Reader, relation: str
) -> Iterator[MeasureResult | SettledCheck]:
    """Yield one answer per measure, in order; a measure that the warehouse refuses becomes a SettledCheck.

    One query over one scan. Only if that is refused, one query per measure, to tell which is at fault.
    """
    if not compiled.measures:
        return
    try:
        answers: Sequence[MeasureResult | SettledCheck] = _ask(compiled, compiled.measures, reader, relation)
    except Exception:  # whatever it was, the single questions say it of the measure that it belongs to
        answers = [_ask_alone(compiled, measure, reader, relation) for measure in compiled.measures]
    yield from answers


def _ask_alone(
    compiled: CompiledContract, measure: CheckMeasure, reader: Reader, relation: str
) -> MeasureResult | SettledCheck:
    exceptions: Any = importlib.import_module("ibis.common.exceptions")
    try:
        return _ask(compiled, [measure], reader, relation)[0]
    except exceptions.OperationNotDefinedError as error:
        why = f"not checked: {reader.dialect} cannot do it ({first_line(error)})"
        return SettledCheck(measure.check, Verdict.INCONCLUSIVE, why)
    except Exception as error:
        why = error.why if isinstance(error, QueryFailed) else first_line(error)
        return SettledCheck(measure.check, Verdict.ERRORED, f"the check cannot be asked: {why}")


def _ask(
    compiled: CompiledContract, measures: Sequence[CheckMeasure], reader: Reader, relation: str
) -> list[MeasureResult]:
    named = [(f"{_FLAG}{n}", measure) for n, measure in enumerate(measures)]
    flags = {flag: measure.condition for flag, measure in named if measure.shape is MeasureScope.ROWS}
    flagged = compiled.table.mutate(**flags)
    metrics = {f"m{n}": _metric(compiled, flagged, measure, flag) for n, (flag, measure) in enumerate(named)}
    sql = _sql(flagged.aggregate(n=flagged.count(), **metrics), reader, relation)
    total, *answers = reader.query(sql).rows[0]
    rows = _integer(total)
    return [_counted(measure, rows, answer) for measure, answer in zip(measures, answers, strict=True)]


def _metric(compiled: CompiledContract, flagged: Any, measure: CheckMeasure, flag: str) -> Any:
    match measure.shape:
        case MeasureScope.ROWS:
            failing = flagged.count(where=flagged[flag])
            if not measure.may_be_null:
                return failing
            ibis: Any = importlib.import_module("ibis")
            return ibis.ifelse(flagged[flag].count() > 0, failing, _UNDECIDED)
        case MeasureScope.WHOLE:
            # it speaks of the table below `flagged`: Ibis finds its columns there, but not a bare count()
            return measure.condition.op().replace({compiled.table.op(): flagged.op()}).to_expr()
        case MeasureScope.DUPLICATES:
            return flagged.count() - _distinct(flagged, measure.condition)


def _distinct(table: Any, names: Sequence[str]) -> Any:
    """Count distinct values, NULL being one of them, as pandera's grouping has it."""
    ibis: Any = importlib.import_module("ibis")
    if len(names) > 1:
        return ibis.struct({name: table[name] for name in names}).nunique()
    column = table[names[0]]
    return column.nunique() + table.count(where=column.isnull()).clip(upper=1)


def _counted(measure: CheckMeasure, rows: int, answer: object) -> MeasureResult:
    if measure.shape is MeasureScope.WHOLE:
        return MeasureResult(measure, rows, holds=None if answer is None else bool(answer))
    failing = _integer(answer)
    if failing == _UNDECIDED:
        return MeasureResult(measure, rows, holds=None)
    return MeasureResult(measure, rows, failing, holds=failing == 0)


def _integer(value: object) -> int:
    return int(str(value))


def failing_rows(
    compiled: CompiledContract, failed: Sequence[MeasureResult], reader: Reader, relation: str
) -> Sequence[MeasureResult]:
    """Return the answers with up to EVIDENCE_ROWS whole rows each that fail, as the warehouse writes them as text.

    One query for all of them, and one that counts duplicates anew, because the first query counts only the surplus ones.
    Only if the warehouse refuses it, one query each; an answer whose rows cannot be had comes back without.
    """
    try:
        return _fetch(compiled, _all_counted(compiled, failed, reader, relation), reader, relation)
    except QueryFailed:
        if len(failed) == 1:
            return failed
        return [failing_rows(compiled, [measured], reader, relation)[0] for measured in failed]


def _all_counted(
    compiled: CompiledContract, failed: Sequence[MeasureResult], reader: Reader, relation: str
) -> Sequence[MeasureResult]:
    again = [
        n
        for n, measured in enumerate(failed)
        if measured.measure.shape is MeasureScope.DUPLICATES and not measured.measure.surplus_only
    ]
    if not again:
        return failed
    shared = [_shared(compiled.table, failed[n].measure.condition) for n in again]
    totals = [
        _sql(duplicates.aggregate(n=duplicates[_FLAG].sum()), reader, relation) for duplicates in shared
    ]
    # Not beside the rows: DuckDB 1.5.5 takes the same grouping, asked twice in one query, for one, and mixes up its columns.
    counts = reader.query("SELECT " + ", ".join(f"({total})" for total in totals)).rows[0]
    counted = dict(zip(again, map(_integer, counts), strict=True))
    return [replace(measured, failing=counted.get(n, measured.failing)) for n, measured in enumerate(failed)]


def _fetch(
    compiled: CompiledContract, failed: Sequence[MeasureResult], reader: Reader, relation: str
) -> Sequence[MeasureResult]:
    names = tuple(compiled.table.columns)
    texts = ", ".join(f"CAST({_quoted(name)} AS VARCHAR) AS {_quoted(name)}" for name in names)
    parts = [
        f"SELECT {n}, {texts} FROM ({_sql(_rows_of(compiled.table, measured.measure), reader, relation)}) AS failing"
        for n, measured in enumerate(failed)
    ]
    rows = reader.query("\nUNION ALL\n".join(parts)).rows
    return [
        _shown(measured, names, [row[1:] for row in rows if row[0] == n]) for n, measured in enumerate(failed)
    ]


def _shown(
    counted: MeasureResult, names: tuple[str, ...], whole_rows: Sequence[tuple[object, ...]]
) -> MeasureResult:
    rows = tuple(tuple(None if value is None else str(value) for value in row) for row in whole_rows)
    return replace(counted, evidence=Evidence(names, rows, counted.failing))


def _rows_of(table: Any, measure: CheckMeasure) -> Any:
    if measure.shape is not MeasureScope.DUPLICATES:
        flagged = table.mutate(**{_FLAG: measure.condition})
        return flagged.filter(flagged[_FLAG]).select(*table.columns).limit(EVIDENCE_ROWS)
    # Few values, and the rows of each of them together; a window over all rows would hold them all in memory.
    shared = _shared(table, measure.condition).limit(EVIDENCE_ROWS // 2)
    same = [table[name].identical_to(shared[name]) for name in measure.condition]
    return table.semi_join(shared, same).order_by(list(measure.condition)).limit(EVIDENCE_ROWS)


def _shared(table: Any, names: Sequence[str]) -> Any:
    """Return the values that several rows have, and how many do."""
    counted = table.group_by(list(names)).aggregate(**{_FLAG: table.count()})
    return counted.filter(counted[_FLAG] > 1)


def _sql(expression: Any, reader: Reader, relation: str) -> str:
    ibis: Any = importlib.import_module("ibis")
    return str(ibis.to_sql(expression, dialect=reader.dialect)).replace(_quoted(RELATION), relation)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
