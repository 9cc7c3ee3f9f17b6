"""A difference as tables, for the finding: rows, schema, the columns' numbers, samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prefect_sluice.diff.changed_columns import NONE
from prefect_sluice.diff.column_stats import MEASURES
from prefect_sluice.diff.relation import RelationDiff
from prefect_sluice.diff.values import ROWS_THAT_COME, ROWS_THAT_GO
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence


def evidence(diff: RelationDiff) -> Evidence | None:
    """Return the changed values, one per row of evidence; where none changed, rows removed, else added."""
    if not diff.changed:
        return diff.removed or diff.added
    rows = [(*row.key, cell.column, cell.before, cell.after) for row in diff.changed for cell in row.cells]
    total = sum(column.rows or 0 for column in diff.columns_changed)
    named = (*diff.key, "column", "before", "after")
    return Evidence(named, tuple(rows[:EVIDENCE_ROWS]), total, numbers=diff.numeric)


def tables(diff: RelationDiff) -> tuple[Evidence, ...]:
    """Return what a difference says beside its evidence; nothing where nothing differs. Shares are of the rows before."""
    if diff.identical:
        return ()
    shown = evidence(diff)
    samples = [
        replace(sample, title=title)
        for title, sample in ((ROWS_THAT_GO, diff.removed), (ROWS_THAT_COME, diff.added))
        if sample is not None and sample is not shown and sample.rows
    ]
    rows = () if diff.same_rows else (rows_table(diff),)  # the headline says how many there are
    return (*rows, *_schema(diff), *columns_table(diff), *samples)


def rows_table(diff: RelationDiff) -> Evidence:
    """Return how many rows there were and are, came, went and changed; an unknown number is None."""
    moved = (
        ("before", diff.rows_before, None),
        ("after", diff.rows_after, None),
        ("added", diff.rows_added, diff.share(diff.rows_added)),
        ("removed", diff.rows_removed, diff.removed_share),
        ("changed", diff.rows_changed, None if diff.rows_changed is None else diff.changed_share),
    )
    rows = tuple((what, None if count is None else str(count), _share(share)) for what, count, share in moved)
    return Evidence(("rows", "count", "share"), rows, len(rows), title="rows", bars=("share",))


def columns_table(diff: RelationDiff) -> tuple[Evidence, ...]:
    """Return the numbers of each column before and after; the share of rows in which it changed is None where nobody knows."""
    shares = {column.name: column.rows for column in diff.columns_changed}
    rows: list[tuple[str | None, ...]] = []
    for column in diff.numbers[:EVIDENCE_ROWS]:
        count = shares.get(column.name, 0)
        share = None if count is None or column.before is None or column.after is None else diff.share(count)
        rows.append((column.name, column.type, _share(share), *column.shown()))
    if not rows:
        return ()
    named = ("column", "type", "changed", *MEASURES)
    return (Evidence(named, tuple(rows), len(diff.numbers), title="columns", bars=("changed",)),)


def _schema(diff: RelationDiff) -> Sequence[Evidence]:
    rows = [
        *((column.name, NONE, column.type) for column in diff.columns_added),
        *((column.name, column.type, NONE) for column in diff.columns_removed),
        *((column.name, column.before, column.after) for column in diff.columns_retyped),
        *(
            (column.after, f"spelled {column.before}", f"spelled {column.after}")
            for column in diff.columns_respelled
        ),
    ]
    if not rows:
        return ()
    return (
        Evidence(
            ("column", "type before", "type after"), tuple(rows[:EVIDENCE_ROWS]), len(rows), title="schema"
        ),
    )


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"
