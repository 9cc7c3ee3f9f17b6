"""A difference as plain text, for a terminal and a log."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from prefect_sluice.diff.column_stats import MEASURES
from prefect_sluice.diff.relation import RelationDiff, percent
from prefect_sluice.diff.values import CHANGE, changed, format_value
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.verdict import Evidence

_COLUMNS = 6
_CELLS = 6
_WHOLE_ROWS = 2
_WIDEST = 24
_WIDEST_PAIR = 40
_NAMES = 20
"""So many columns are named in a list."""


def render_text(diff: RelationDiff, width: int = 110) -> str:
    """Return the difference without colour or a last line end: what changed, where, and a sample of it. What is said in words
    goes on in further lines; only values are cut, and columns that do not fit are named."""
    return "\n".join(part for line in _lines(diff, width) for part in _fitted(line, width))


def _lines(diff: RelationDiff, width: int) -> list[str]:
    lines = [f"{diff.name}: {diff.headline}"]
    if diff.key_problem:
        lines.append(f"  {diff.key_problem}; compared without it")
    if diff.identical:
        return lines
    by = f"by {', '.join(diff.key)}" if diff.key else "as whole rows, without a key"
    lines.append(f"  rows {diff.rows_before} -> {diff.rows_after}, compared {by}")
    lines.extend(_schema(diff))
    columns = _columns(diff)
    lines.extend(
        _table(
            columns[: _COLUMNS + 1],
            width,
            more=len(columns) - 1 - _COLUMNS,
            of="columns",
            widest=_WIDEST_PAIR,
        )
    )
    lines.extend(_table(_cells(diff), width, more=_count_cells(diff) - _CELLS, of="values"))
    lines.extend(_whole_rows("-", diff.removed, width))
    lines.extend(_whole_rows("+", diff.added, width))
    return lines


def _schema(diff: RelationDiff) -> list[str]:
    lines = {
        "added": [f"{column.name} {column.type}" for column in diff.columns_added],
        "removed": [column.name for column in diff.columns_removed],
        "retyped": [f"{column.name} {column.before} -> {column.after}" for column in diff.columns_retyped],
        "spelled otherwise": [f"{column.before} -> {column.after}" for column in diff.columns_respelled],
    }
    return [f"  columns {what}: {_some(which)}" for what, which in lines.items() if which]


def _some(names: Sequence[str]) -> str:
    more = [f"and {len(names) - _NAMES} more"] if len(names) > _NAMES else []
    return ", ".join([*names[:_NAMES], *more])


def _columns(diff: RelationDiff) -> list[Sequence[str]]:
    """Return the columns that changed, with their numbers; then those whose numbers alone differ, since rows came or went."""
    numbers = {stats.name: stats.shown() for stats in diff.numbers}
    rows: list[list[str]] = []
    for column in diff.columns_changed:
        share = ("?", "") if column.rows is None else (str(column.rows), percent(diff.share(column.rows)))
        rows.append([column.name, *share, *numbers.pop(column.name, ("",) * len(MEASURES))])
    rows += [[name, "", "", *shown] for name, shown in numbers.items()]
    if not rows:
        return []
    return _without_empty([["column", "rows", "share", *MEASURES], *rows])


def _without_empty(rows: list[list[str]]) -> list[Sequence[str]]:
    kept = [n for n, _ in enumerate(rows[0]) if any(row[n] for row in rows[1:])]
    return [tuple(row[n] for n in kept) for row in rows]


def _cells(diff: RelationDiff) -> list[Sequence[str]]:
    if not diff.changed:
        return []
    cells: list[Sequence[str]] = []
    for row in diff.changed:
        for cell in row.cells:
            number = cell.column in diff.numeric
            before, after, by = changed(cell.before, cell.after, number=number)
            cells.append((*row.key, cell.column, _null(before), _null(after), by))
    return _without_empty([[*diff.key, "column", "before", "after", CHANGE], *map(list, cells[:_CELLS])])


def _count_cells(diff: RelationDiff) -> int:
    return sum(column.rows or 0 for column in diff.columns_changed) if diff.changed else 0


def _table(
    rows: Sequence[Sequence[str]], width: int, *, more: int, of: str, widest: int = _WIDEST
) -> list[str]:
    if not rows:
        return []
    cut = [[_cut(cell, widest) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in cut) for n in range(len(cut[0]))]
    shown = max((n for n in range(1, len(widths) + 1) if sum(widths[:n]) + 2 * n <= width), default=1)
    lines = [
        "  " + "  ".join(cell.ljust(wide) for cell, wide in zip(row[:shown], widths, strict=False)).rstrip()
        for row in cut
    ]
    left = list(cut[0][shown:])
    if left[-1:] == [CHANGE]:  # what a number changed by is always said
        left.pop()
        below = [f"    {CHANGE} {row[-1]}" if n and row[-1] else "" for n, row in enumerate(cut)]
        lines = [part for pair in zip(lines, below, strict=True) for part in pair if part]
    return [
        *lines,
        *([f"  not shown for want of room: {', '.join(left)}"] if left else []),
        *([f"  and {more} more {of}"] if more > 0 else []),
    ]


def _fitted(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    return wrap(line, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _whole_rows(sign: str, sample: Evidence | None, width: int) -> list[str]:
    if sample is None:
        return []
    lines = [
        f"  {sign} "
        + ", ".join(f"{name} {_shown(value)}" for name, value in zip(sample.columns, row, strict=True))
        for row in sample.rows[:_WHOLE_ROWS]
    ]
    more = sample.total - len(lines)
    shown_rows = [_cut(line, width) for line in lines]
    return shown_rows + ([f"  {sign} and {count(more, 'more row')}"] if more > 0 and lines else [])


def _shown(value: str | None) -> str:
    return _null(value and format_value(value))


def _null(value: str | None) -> str:
    return "NULL" if value is None else value


def _cut(text: str, width: int) -> str:
    line = " ".join(text.split())
    lead = " " * (len(text) - len(text.lstrip()))
    line = lead + line
    return line if len(line) <= width else f"{line[: width - 1]}…"
