"""What two states of one relation differ in, as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prefect_sluice.diff.column_stats import ColumnStatsPair
from prefect_sluice.domain.counting import count, noun
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.verdict import Evidence
from prefect_sluice.warehouse.base import Column

_NAMES = 4
"""So many columns are named in a line."""


@dataclass(frozen=True, slots=True)
class TypeChange:
    """A column whose type changed, each type in the engine's own spelling."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class NameCaseChange:
    """A column whose name changed in its capitals only: the engine takes both for one, a data frame does not."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ChangedColumn:
    """A column with other values than before, and in how many rows (None: without a key, it is not known)."""

    name: str
    rows: int | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One value that changed, as text; None is SQL NULL."""

    column: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that is there before and after: its key, as text, and the cells that changed."""

    key: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class RelationDiff:
    """What a relation's readers will see change.

    With a `key`, rows are told apart by it. With none, rows are counted by what they hold: one with another
    value is then one removed and one added, and `rows_changed` is None. `key_problem` says why a key that was
    asked for is not used. A column on one side only does not make a row a changed one. Samples hold at most
    `sql.SAMPLE_ROWS` rows; `added` and `removed` are None where there are no such rows. `numbers` are those of the columns
    that changed, came or went, and of those whose numbers differ because rows came or went.
    `rows_close` are those that differ in the last digits of floats only, `columns_close` in which: they are no change.
    """

    name: str
    rows_before: int
    rows_after: int
    key: tuple[str, ...] = ()
    key_problem: str = ""
    rows_added: int = 0
    rows_removed: int = 0
    rows_changed: int | None = 0
    columns_added: tuple[Column, ...] = ()
    columns_removed: tuple[Column, ...] = ()
    columns_retyped: tuple[TypeChange, ...] = ()
    columns_changed: tuple[ChangedColumn, ...] = ()
    changed: tuple[ChangedRow, ...] = ()
    added: Evidence | None = None
    removed: Evidence | None = None
    numbers: tuple[ColumnStatsPair, ...] = ()
    columns_respelled: tuple[NameCaseChange, ...] = ()
    rows_close: int = 0
    columns_close: tuple[str, ...] = ()

    @property
    def same_columns(self) -> bool:
        """Say whether both have the same columns, by name to the letter and by type."""
        return not (
            self.columns_added or self.columns_removed or self.columns_retyped or self.columns_respelled
        )

    @property
    def same_rows(self) -> bool:
        """Say whether the columns in both hold the same rows."""
        return not (self.rows_added or self.rows_removed or self.rows_changed)

    @property
    def identical(self) -> bool:
        """Say whether a reader can see no difference at all (but for the order of rows and columns)."""
        return self.same_rows and self.same_columns

    @property
    def numeric(self) -> tuple[str, ...]:
        """Return the columns that are numbers on both sides, by type: only these have a mean. Digits in a text are none."""
        return tuple(
            stats.name for stats in self.numbers
            if stats.before and stats.after and stats.before.mean is not None and stats.after.mean is not None
        )  # fmt: skip

    @property
    def changed_share(self) -> float:
        """Return changed rows as a share of the rows before (0 to 1); without a key, the most they can be."""
        changed = self.rows_changed
        return self.share(min(self.rows_added, self.rows_removed) if changed is None else changed)

    @property
    def removed_share(self) -> float:
        """Return removed rows as a share of the rows before (0 to 1); without a key, of changed ones too."""
        return self.share(self.rows_removed)

    def share(self, rows: int) -> float:
        """Return `rows` as a share of the rows before; of none before, 0."""
        return rows / self.rows_before if self.rows_before else 0.0

    @property
    def is_breaking(self) -> bool:
        """Say whether queries of readers may break: columns removed, retyped or spelled otherwise."""
        return bool(self.columns_removed or self.columns_retyped or self.columns_respelled)

    @property
    def other_columns(self) -> tuple[str, ...]:
        """Return in words what columns retyped and spelled otherwise were and are."""
        retyped = [
            f"column {column.name} is {column.after}, was {column.before}" for column in self.columns_retyped
        ]
        respelled = [f"column {column.before} is spelled {column.after}" for column in self.columns_respelled]
        return (*retyped, *respelled)

    @property
    def headline(self) -> str:
        """Return the difference in one line, without the relation's name."""
        close = [self._close()] if self.rows_close else []
        if self.identical:
            return "; ".join([f"identical, {_rows(self.rows_before)}", *close])
        moved = (
            [f"+{self.rows_added} -{self.rows_removed} rows"] if self.rows_added or self.rows_removed else []
        )
        return "; ".join([self._rows(), *moved, *self._columns(), *close])

    def _close(self) -> str:
        close = count(self.rows_close, "row differs", "rows differ")
        return f"{close} only in the last digits of {_some(self.columns_close)}"

    def _columns(self) -> list[str]:
        """Return which columns come, go and are others, by name."""
        moved = {
            "new column": [column.name for column in self.columns_added],
            "dropped column": [column.name for column in self.columns_removed],
            "retyped column": [column.name for column in self.columns_retyped],
            "respelled column": [column.after for column in self.columns_respelled],
        }
        return [f"{noun(len(which), what)}: {_some(which)}" for what, which in moved.items() if which]

    def _rows(self) -> str:
        if self.rows_changed is None and not self.same_rows:
            return f"{_rows(self.rows_before)} compared without a key"
        if self.same_rows:
            return f"same {_rows(self.rows_before)}"
        share = f" ({percent(self.changed_share)})" if self.rows_changed else ""
        columns = f", {count(len(self.columns_changed), 'column')}" if self.columns_changed else ""
        return f"{self.rows_changed} of {_rows(self.rows_before)} changed{share}{columns}"

    def as_json(self) -> dict[str, Json]:
        """Return the whole of it as plain JSON values; keys are the fields' names, shares are added."""
        return {
            "name": self.name,
            "identical": self.identical,
            "key": list(self.key),
            "key_problem": self.key_problem,
            "rows_before": self.rows_before,
            "rows_after": self.rows_after,
            "rows_added": self.rows_added,
            "rows_removed": self.rows_removed,
            "rows_changed": self.rows_changed,
            "changed_share": self.changed_share,
            "removed_share": self.removed_share,
            "rows_close": self.rows_close,
            "columns_close": list(self.columns_close),
            "columns_added": _columns(self.columns_added),
            "columns_removed": _columns(self.columns_removed),
            "columns_retyped": [
                {"name": column.name, "before": column.before, "after": column.after}
                for column in self.columns_retyped
            ],
            "columns_respelled": [
                {"before": column.before, "after": column.after} for column in self.columns_respelled
            ],
            "columns_changed": [
                {
                    "name": column.name,
                    "rows": column.rows,
                    "share": None if column.rows is None else self.share(column.rows),
                }
                for column in self.columns_changed
            ],
            "changed": [
                {"key": list(row.key), "cells": [_cell(cell) for cell in row.cells]} for row in self.changed
            ],
            "added": _rows_as_json(self.added),
            "removed": _rows_as_json(self.removed),
            "numbers": [column.as_json() for column in self.numbers],
        }


def percent(share: float) -> str:
    """Return a share as people read it: `18.8 %`; never `0.0 %` for what is more than nothing."""
    return "< 0.1 %" if 0 < share < 0.0005 else f"{share:.1%}".replace("%", " %")


def _rows(number: int) -> str:
    return count(number, "row")


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"{', '.join(names[:_NAMES])}{rest}"


def _columns(columns: Sequence[Column]) -> Json:
    return [{"name": column.name, "type": column.type} for column in columns]


def _cell(cell: Cell) -> Json:
    return {"column": cell.column, "before": cell.before, "after": cell.after}


def _rows_as_json(sample: Evidence | None) -> Json:
    if sample is None:
        return None
    return {
        "columns": list(sample.columns),
        "rows": [list(row) for row in sample.rows],
        "total": sample.total,
    }
