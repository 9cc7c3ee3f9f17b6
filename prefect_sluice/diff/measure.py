"""Measures the columns of two relations, in one scan per side."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.diff.column_stats import ColumnStats, ColumnStatsPair
from prefect_sluice.diff.sql import compared, how, quoted
from prefect_sluice.warehouse.base import Column, Reader
from prefect_sluice.warehouse.functions import Functions

EXACT_VALUES = 5_000_000
"""Up to how many values (rows times columns) of one side distinct ones are counted; beyond, the engine estimates them."""
_LONGEST = 60
_WIDTH = 5


def measure(
    reader: Reader,
    engine: Functions,
    sides: tuple[tuple[str, int], tuple[str, int]],
    columns: Sequence[tuple[Column | None, Column | None]],
) -> tuple[ColumnStatsPair, ...]:
    """Return the numbers of each column. `sides` are the relations before and after, as quoted SQL, with their rows; `columns`
    each column before and after, None where it is not there. Raises QueryFailed when the warehouse refuses."""
    # Both sides in one way: an estimate beside a count would look like a change.
    about = engine.estimate is not None and max(rows for _, rows in sides) * len(columns) > EXACT_VALUES
    old, new = (
        _side(reader, engine, relation, [pair[n] for pair in columns], about=about)
        for n, (relation, _) in enumerate(sides)
    )
    stats: list[ColumnStatsPair] = []
    for (before, after), one, two in zip(columns, old, new, strict=True):
        named = after or before
        if named is not None:
            stats.append(ColumnStatsPair(named.name, named.type, one, two))
    return tuple(stats)


def _side(
    reader: Reader, engine: Functions, relation: str, columns: Sequence[Column | None], *, about: bool
) -> list[ColumnStats | None]:
    present = [column for column in columns if column is not None]
    if not present:
        return [None for _ in columns]
    measures = ", ".join(part for column in present for part in _parts(engine, column, about=about))
    row = reader.query(f"SELECT {measures} FROM {relation}").rows[0]
    stats = iter([_numbers(row[at : at + _WIDTH], about=about) for at in range(0, len(row), _WIDTH)])
    return [None if column is None else next(stats) for column in columns]


def _parts(engine: Functions, column: Column, *, about: bool) -> list[str]:
    kind, name = column.type, quoted(column.name)
    value = compared(engine, column, how(engine, column.type, column.type))
    distinct = engine.estimate(value) if about and engine.estimate else f"count(DISTINCT {value})"
    ends = [f"CAST({which}({name}) AS VARCHAR)" for which in ("min", "max")]
    return [
        f"count(*) - count({name})",
        distinct,
        *(ends if engine.has_order(kind) else ["NULL", "NULL"]),
        engine.mean(name) if engine.is_number(kind) else "NULL",
    ]


def _numbers(values: Sequence[object], *, about: bool) -> ColumnStats:
    nulls, distinct, least, most, mean = values
    return ColumnStats(
        int(str(nulls)),
        int(str(distinct)),
        about,
        _end(least),
        _end(most),
        # The last digits of a sum of floats depend on the order in which threads came to it.
        None if mean is None else float(f"{float(str(mean)):.12g}"),
    )


def _end(value: object) -> str | None:
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
