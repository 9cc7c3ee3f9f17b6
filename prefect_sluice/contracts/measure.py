"""Asks the warehouse how many rows fail each check of a contract, and for the rows that do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from prefect_sluice.contracts.promise import (
    RELATION,
    UNDECIDED,
    Asked,
    CheckMeasure,
    MeasureScope,
    SettledCheck,
    Unaskable,
)
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Verdict
from prefect_sluice.warehouse.base import Reader, quoted


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """The answer to one measure: failing rows of `rows`, and whether it holds (None: NULL, of the whole or in every row).

    `evidence` are rows that fail, once they were fetched."""

    measure: CheckMeasure
    rows: int
    failing: int = 0
    holds: bool | None = True
    evidence: Evidence | None = None


def count(queries: Asked, reader: Reader, relation: str) -> Iterator[MeasureResult | SettledCheck]:
    """Yield one answer per measure, in order; a measure that the warehouse refuses becomes a SettledCheck.

    One query over one scan. Only if that is refused, one query per measure, to tell which is at fault.
    """
    every = range(len(queries.measures))
    if not every:
        return
    try:
        answers: Sequence[MeasureResult | SettledCheck] = _ask(queries, every, reader, relation)
    except Exception:  # whatever it was, the single questions say it of the measure that it belongs to
        answers = [_ask_alone(queries, number, reader, relation) for number in every]
    yield from answers


def _ask_alone(queries: Asked, number: int, reader: Reader, relation: str) -> MeasureResult | SettledCheck:
    check = queries.measures[number].check
    try:
        return _ask(queries, [number], reader, relation)[0]
    except Unaskable as error:
        if error.is_known:
            return SettledCheck(check, Verdict.INCONCLUSIVE, f"not checked: {error}")
        return SettledCheck(check, Verdict.ERRORED, f"the check cannot be asked: {error}")
    except QueryFailed as error:
        return SettledCheck(check, Verdict.ERRORED, f"the check cannot be asked: {error.why}")
    except (ValueError, IndexError) as error:  # it asks something else than was asked for
        return SettledCheck(
            check, Verdict.ERRORED, f"its query has another answer than a number each: {error}"
        )


def _ask(queries: Asked, numbers: Sequence[int], reader: Reader, relation: str) -> list[MeasureResult]:
    sql = _of(queries.count(numbers), relation)
    total, *answers = reader.query(sql).rows[0]
    rows = _integer(total)
    measures = [queries.measures[number] for number in numbers]
    return [_counted(measure, rows, answer) for measure, answer in zip(measures, answers, strict=True)]


def _counted(measure: CheckMeasure, rows: int, answer: object) -> MeasureResult:
    if measure.shape is MeasureScope.WHOLE:
        return MeasureResult(measure, rows, holds=None if answer is None else bool(answer))
    failing = _integer(answer)
    if failing == UNDECIDED:
        return MeasureResult(measure, rows, holds=None)
    return MeasureResult(measure, rows, failing, holds=failing == 0)


def _integer(value: object) -> int:
    return int(str(value))


def failing_rows(
    queries: Asked, answers: Sequence[MeasureResult | SettledCheck], reader: Reader, relation: str
) -> list[MeasureResult | SettledCheck]:
    """Return the answers, those that fail with up to EVIDENCE_ROWS whole rows each, as the warehouse writes them as text.

    One query for all of them, and one that counts duplicates anew, because the first query counts only the surplus ones.
    Only if the warehouse refuses it, one query each; an answer whose rows cannot be had comes back without.
    """
    failed = {
        number: answer
        for number, answer in enumerate(answers)
        if isinstance(answer, MeasureResult) and answer.failing
    }
    if not failed:
        return list(answers)
    shown = _shown(queries, failed, reader, relation)
    return [shown.get(number, answer) for number, answer in enumerate(answers)]


def _shown(
    queries: Asked, failed: dict[int, MeasureResult], reader: Reader, relation: str
) -> dict[int, MeasureResult]:
    try:
        return _fetch(queries, _all_counted(queries, failed, reader, relation), reader, relation)
    except (QueryFailed, Unaskable, ValueError):
        if len(failed) == 1:
            return failed
        single = [_shown(queries, {number: answer}, reader, relation) for number, answer in failed.items()]
        return {number: answer for one in single for number, answer in one.items()}


def _all_counted(
    queries: Asked, failed: dict[int, MeasureResult], reader: Reader, relation: str
) -> dict[int, MeasureResult]:
    again = [
        number
        for number, answer in failed.items()
        if answer.measure.shape is MeasureScope.DUPLICATES and not answer.measure.surplus_only
    ]
    if not again:
        return failed
    totals = [_of(queries.shared(number), relation) for number in again]
    # Not beside the rows: DuckDB 1.5.5 takes the same grouping, asked twice in one query, for one, and mixes up its columns.
    counts = reader.query("SELECT " + ", ".join(f"({total})" for total in totals)).rows[0]
    counted = dict(zip(again, map(_integer, counts), strict=True))
    return {
        number: replace(answer, failing=counted.get(number, answer.failing))
        for number, answer in failed.items()
    }


def _fetch(
    queries: Asked, failed: dict[int, MeasureResult], reader: Reader, relation: str
) -> dict[int, MeasureResult]:
    names = tuple(queries.columns)
    texts = ", ".join(f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}" for name in names)
    parts = [
        f"SELECT {number}, {texts} FROM ({_of(queries.rows(number), relation)}) AS failing"
        for number in failed
    ]
    rows = reader.query("\nUNION ALL\n".join(parts)).rows
    return {
        number: _with_rows(answer, names, [row[1:] for row in rows if row[0] == number])
        for number, answer in failed.items()
    }


def _with_rows(
    counted: MeasureResult, names: tuple[str, ...], whole_rows: Sequence[tuple[object, ...]]
) -> MeasureResult:
    rows = tuple(tuple(None if value is None else str(value) for value in row) for row in whole_rows)
    return replace(counted, evidence=Evidence(names, rows[:EVIDENCE_ROWS], counted.failing))


def _of(sql: str, relation: str) -> str:
    return sql.replace(quoted(RELATION), relation)
