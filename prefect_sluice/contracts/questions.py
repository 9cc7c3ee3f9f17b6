"""A contract made ready for one relation, as queries of the warehouse: how many rows fail each check, and which.

Only text is made here: nothing is asked. Ibis is untyped where it is touched here, hence `Any`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from prefect_sluice.contracts.compile import CompiledContract, ConditionOfCheck
from prefect_sluice.contracts.promise import UNDECIDED, CheckMeasure, MeasureScope, Unaskable
from prefect_sluice.contracts.wording import first_line
from prefect_sluice.domain.verdict import EVIDENCE_ROWS

_FLAG = "sluice flag "


class Questions:
    """The queries of one contract, in the SQL of `dialect` (sqlglot's name), over a relation called RELATION."""

    def __init__(self, compiled: CompiledContract, dialect: str) -> None:
        self._compiled = compiled
        self.dialect = dialect

    @property
    def measures(self) -> Sequence[CheckMeasure]:
        """What is asked, in order."""
        return tuple(check.measure for check in self._compiled.measures)

    @property
    def columns(self) -> Sequence[str]:
        """The relation's columns."""
        return tuple(self._compiled.table.columns)

    def count(self, numbers: Sequence[int]) -> str:
        """Return one query over one scan: the number of rows, and one answer per measure. Raises Unaskable."""
        exceptions: Any = importlib.import_module("ibis.common.exceptions")
        try:
            return self._sql(self._counted([self._compiled.measures[number] for number in numbers]))
        except exceptions.OperationNotDefinedError as error:
            raise Unaskable(f"{self.dialect} cannot do it ({first_line(error)})", is_known=True) from error
        except Exception as error:
            raise Unaskable(first_line(error)) from error

    def shared(self, number: int) -> str:
        """Return the query that counts all rows that share their values with another."""
        shared = _shared(self._compiled.table, self._compiled.measures[number].condition)
        return self._sql(shared.aggregate(n=shared[_FLAG].sum()))

    def rows(self, number: int) -> str:
        """Return the query of up to EVIDENCE_ROWS rows that fail."""
        return self._sql(_rows_of(self._compiled.table, self._compiled.measures[number]))

    def _counted(self, checks: Sequence[ConditionOfCheck]) -> Any:
        named = [(f"{_FLAG}{n}", check) for n, check in enumerate(checks)]
        flags = {flag: check.condition for flag, check in named if check.measure.shape is MeasureScope.ROWS}
        flagged = self._compiled.table.mutate(**flags)
        metrics = {f"m{n}": self._metric(flagged, check, flag) for n, (flag, check) in enumerate(named)}
        return flagged.aggregate(n=flagged.count(), **metrics)

    def _metric(self, flagged: Any, checks: ConditionOfCheck, flag: str) -> Any:
        match checks.measure.shape:
            case MeasureScope.ROWS:
                failing = flagged.count(where=flagged[flag])
                if not checks.may_be_null:
                    return failing
                ibis: Any = importlib.import_module("ibis")
                return ibis.ifelse(flagged[flag].count() > 0, failing, UNDECIDED)
            case MeasureScope.WHOLE:
                # it speaks of the table below `flagged`: Ibis finds its columns there, but not a bare count()
                return checks.condition.op().replace({self._compiled.table.op(): flagged.op()}).to_expr()
            case MeasureScope.DUPLICATES:
                return flagged.count() - _distinct(flagged, checks.condition)

    def _sql(self, expression: Any) -> str:
        ibis: Any = importlib.import_module("ibis")
        return str(ibis.to_sql(expression, dialect=self.dialect))


def _distinct(table: Any, names: Sequence[str]) -> Any:
    """Count distinct values, NULL being one of them, as pandera's grouping has it."""
    ibis: Any = importlib.import_module("ibis")
    if len(names) > 1:
        return ibis.struct({name: table[name] for name in names}).nunique()
    column = table[names[0]]
    return column.nunique() + table.count(where=column.isnull()).clip(upper=1)


def _rows_of(table: Any, checks: ConditionOfCheck) -> Any:
    if checks.measure.shape is not MeasureScope.DUPLICATES:
        flagged = table.mutate(**{_FLAG: checks.condition})
        return flagged.filter(flagged[_FLAG]).select(*table.columns).limit(EVIDENCE_ROWS)
    # Few values, and the rows of each of them together; a window over all rows would hold them all in memory.
    shared = _shared(table, checks.condition).limit(EVIDENCE_ROWS // 2)
    same = [table[name].identical_to(shared[name]) for name in checks.condition]
    return table.semi_join(shared, same).order_by(list(checks.condition)).limit(EVIDENCE_ROWS)


def _shared(table: Any, names: Sequence[str]) -> Any:
    """Return the values that several rows have, and how many do."""
    counted = table.group_by(list(names)).aggregate(**{_FLAG: table.count()})
    return counted.filter(counted[_FLAG] > 1)
