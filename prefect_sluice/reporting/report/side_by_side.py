"""Changed values, one below the other, as rows with before and after side by side. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_sluice.diff.values import changed
from prefect_sluice.domain.verdict import Evidence

BEFORE, AFTER = "before", "after"
_MOST = 12
"""Columns that fit beside each other; where more changed, the values stay one below the other."""

Cell = tuple[str | None, str | None, str]


@dataclass(frozen=True, slots=True)
class SideRow:
    """One row that is there before and after: its key, and per column both values and what it changed by, or None where it is
    the same."""

    key: tuple[str | None, ...]
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Sides:
    """A sample of changed rows. `key` and `columns` are the names of the columns."""

    key: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[SideRow, ...]


def side_by_side(sample: Evidence) -> Sides | None:
    """Return the sample as rows; None for any other table, and where too many columns changed to stand side by side."""
    if sample.columns[-3:] != ("column", BEFORE, AFTER) or len(sample.columns) < 4 or not sample.rows:
        return None
    keys = len(sample.columns) - 3
    by_key: dict[tuple[str | None, ...], dict[str, Cell]] = {}
    for row in sample.rows:
        name = row[keys] or ""
        cell = changed(row[keys + 1], row[keys + 2], number=name in sample.numbers)
        by_key.setdefault(tuple(row[:keys]), {})[name] = cell
    columns = tuple(dict.fromkeys(name for cells in by_key.values() for name in cells))
    if len(columns) > _MOST:
        return None
    rows = (SideRow(key, tuple(cells.get(name) for name in columns)) for key, cells in by_key.items())
    return Sides(sample.columns[:keys], columns, tuple(rows))
