"""Which part of a difference the commit said it would make. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prefect_sluice.diff.relation import RelationDiff, percent
from prefect_sluice.domain.verdict import Evidence
from prefect_sluice.planning.expectations import ROWS, ExpectedChange


@dataclass(frozen=True, slots=True)
class ExpectedPart:
    """One column that changed, or the rows that came or went: in what share of the rows before, and who said so.

    `column` is "" for rows. `by` is the change that allows most; None: nobody spoke of it.
    """

    column: str
    share: float
    by: ExpectedChange | None

    @property
    def is_explained(self) -> bool:
        """Say whether it was declared, and is no more than what was declared."""
        return self.by is not None and self.share <= self.by.up_to

    @property
    def words(self) -> str:
        """Return it in words, with what was expected where that was less."""
        what = f"{self.column or ROWS} {percent(self.share)}"
        return f"{what}, expected up to {percent(self.by.up_to)}" if self.by else what


def parts(diff: RelationDiff, expected: Sequence[ExpectedChange]) -> tuple[ExpectedPart, ...]:
    """Return the parts of a difference, each with the one of `expected` that speaks of it.

    Without a key a changed row is one that went and one that came: as many as both went and came may have changed, in each
    of the columns that differ, and only what is beyond that is counted as rows.
    """
    shares = [
        (
            column.name,
            diff.changed_share if column.rows is None else diff.share(column.rows),
        )
        for column in diff.columns_changed
    ]
    come, go = diff.rows_added, diff.rows_removed
    if diff.rows_changed is None and shares:
        come, go = come - min(come, go), go - min(come, go)
    if come or go:
        # Of no rows before, each that comes is all of it.
        shares.append(("", diff.share(max(come, go)) if diff.rows_before else 1.0))
    return tuple(ExpectedPart(column, share, _widest(column, expected)) for column, share in shares if share)


def _widest(column: str, expected: Sequence[ExpectedChange]) -> ExpectedChange | None:
    meant = [change for change in expected if (change.is_column(column) if column else change.is_rows)]
    return max(meant, key=lambda change: change.up_to, default=None)


def unexplained(parts_of_diff: Sequence[ExpectedPart]) -> float:
    """Return the largest share that nobody declared, 0 where all is declared."""
    return max((part.share for part in parts_of_diff if not part.is_explained), default=0.0)


def table(parts_of_diff: Sequence[ExpectedPart]) -> Evidence:
    """Return what changed beside what was expected, what nobody declared first."""
    ordered = sorted(parts_of_diff, key=lambda part: (part.is_explained, -part.share))
    rows = tuple(
        (
            part.column or ROWS,
            f"{part.share:.4g}",
            percent(part.by.up_to) if part.by else None,
            "yes" if part.is_explained else "no",
            part.by.reason if part.by else None,
            part.by.where if part.by else None,
        )
        for part in ordered
    )
    columns = ("what", "changed", "up to", "expected", "reason", "declared in")
    return Evidence(columns, rows[:100], len(rows), title="expected changes", bars=("changed",))
