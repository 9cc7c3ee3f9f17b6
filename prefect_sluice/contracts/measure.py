"""Asks the warehouse how many rows fail each check of a contract, and for the rows that do."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prefect_sluice.contracts.compile import RELATION, Compiled, Measure, Settled, Shape
from prefect_sluice.contracts.load import first_line
from prefect_sluice.errors import QueryFailed
from prefect_sluice.verdict import EVIDENCE_ROWS, Evidence, Verdict
from prefect_sluice.warehouse.base import Reader

_FLAG = "sluice flag "


@dataclass(frozen=True, slots=True)
class Counted:
    """The answer to one measure: failing rows of `rows`, or whether the whole holds (None: it said NULL)."""

    measure: Measure
    rows: int
    failing: int = 0
    holds: bool | None = True


def count(compiled: Compiled, reader: Reader, relation: str) -> Iterator[Counted | Settled]:
    """Yield one answer per measure, in order; a measure that the warehouse refuses is Settled.

    One query over one scan. Only if that is refused, one query per measure, to tell which is at fault.
    """
    if not compiled.measures:
        return
    try:
        answers: Sequence[Counted | Settled] = _ask(compiled, compiled.measures, reader, relation)
    except Exception:  # whatever it was, the single questions say it of the measure that it belongs to
        answers = [_ask_alone(compiled, measure, reader, relation) for measure in compiled.measures]
    yield from answers


def _ask_alone(compiled: Compiled, measure: Measure, reader: Reader, relation: str) -> Counted | Settled:
    exceptions: Any = importlib.import_module("ibis.common.exceptions")
    try:
        return _ask(compiled, [measure], reader, relation)[0]
    except exceptions.OperationNotDefinedError as error:
        why = f"not checked: {reader.dialect} cannot do it ({first_line(error)})"
        return Settled(measure.check, Verdict.INCONCLUSIVE, why)
    except Exception as error:
        why = error.why if isinstance(error, QueryFailed) else first_line(error)
        return Settled(measure.check, Verdict.ERRORED, f"the check cannot be asked: {why}")


def _ask(compiled: Compiled, measures: Sequence[Measure], reader: Reader, relation: str) -> list[Counted]:
    named = [(f"{_FLAG}{n}", each) for n, each in enumerate(measures)]
    flags = {flag: each.condition for flag, each in named if each.shape is Shape.ROWS}
    flagged = compiled.table.mutate(**flags)
    metrics = {f"m{n}": _metric(compiled, flagged, each, flag) for n, (flag, each) in enumerate(named)}
    sql = _sql(flagged.aggregate(n=flagged.count(), **metrics), reader, relation)
    total, *answers = reader.query(sql).rows[0]
    rows = _integer(total)
    return [_counted(measure, rows, answer) for measure, answer in zip(measures, answers, strict=True)]


def _metric(compiled: Compiled, flagged: Any, measure: Measure, flag: str) -> Any:
    match measure.shape:
        case Shape.ROWS:
            return flagged.count(where=flagged[flag])
        case Shape.WHOLE:
            # it speaks of the table below `flagged`: Ibis finds its columns there, but not a bare count()
            return measure.condition.op().replace({compiled.table.op(): flagged.op()}).to_expr()
        case Shape.DUPLICATES:
            return flagged.count() - _distinct(flagged, measure.condition)


def _distinct(table: Any, names: Sequence[str]) -> Any:
    """Count distinct values, NULL being one of them, as pandera's grouping has it."""
    ibis: Any = importlib.import_module("ibis")
    if len(names) > 1:
        return ibis.struct({name: table[name] for name in names}).nunique()
    column = table[names[0]]
    return column.nunique() + table.count(where=column.isnull()).clip(upper=1)


def _counted(measure: Measure, rows: int, answer: object) -> Counted:
    if measure.shape is Shape.WHOLE:
        return Counted(measure, rows, holds=None if answer is None else bool(answer))
    failing = _integer(answer)
    return Counted(measure, rows, failing, holds=failing == 0)


def _integer(value: object) -> int:
    return int(str(value))


def all_duplicates(compiled: Compiled, measure: Measure, reader: Reader, relation: str) -> int:
    """Return how many rows share their values with another row; the first query counts only the surplus."""
    flagged = compiled.table.mutate(**{_FLAG: _failing(compiled, measure)})
    sql = _sql(flagged.aggregate(n=flagged.count(where=flagged[_FLAG])), reader, relation)
    return _integer(reader.query(sql).rows[0][0])


def failing_rows(compiled: Compiled, counted: Counted, reader: Reader, relation: str) -> Evidence:
    """Return up to EVIDENCE_ROWS whole rows that fail, as the warehouse writes them as text, in no order."""
    table = compiled.table
    flagged = table.mutate(**{_FLAG: _failing(compiled, counted.measure)})
    wanted = flagged.filter(flagged[_FLAG]).select(*table.columns).limit(EVIDENCE_ROWS)
    texts = ", ".join(f"CAST({_quoted(name)} AS VARCHAR) AS {_quoted(name)}" for name in table.columns)
    found = reader.query(f"SELECT {texts} FROM ({_sql(wanted, reader, relation)}) AS failing").rows
    rows = tuple(tuple(None if value is None else str(value) for value in row) for row in found)
    return Evidence(tuple(table.columns), rows, total=counted.failing)


def _failing(compiled: Compiled, measure: Measure) -> Any:
    if measure.shape is not Shape.DUPLICATES:
        return measure.condition
    table = compiled.table
    return table.count().over(group_by=[table[name] for name in measure.condition]) > 1


def _sql(expression: Any, reader: Reader, relation: str) -> str:
    ibis: Any = importlib.import_module("ibis")
    return str(ibis.to_sql(expression, dialect=reader.dialect)).replace(_quoted(RELATION), relation)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
