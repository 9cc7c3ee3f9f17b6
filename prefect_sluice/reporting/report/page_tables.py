"""Tables of a report's page as values: plain ones, and the rows behind a finding with bars and with changed values marked. Pure.

`templates/parts.html` gives them their look.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from prefect_sluice.diff.relation import percent
from prefect_sluice.diff.values import with_change
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.verdict import Evidence
from prefect_sluice.reporting.report.charts import share
from prefect_sluice.reporting.report.limits import ReportLimits, clipped, few
from prefect_sluice.reporting.report.side_by_side import AFTER, BEFORE, side_by_side
from prefect_sluice.reporting.report.side_by_side import Cell as Change

_OPEN = 10
"""How many rows of a table are open to see; the others are folded away."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text with a look of its own. `more` is where a link leads, the style of a pill, or a note beside the text;
    `parts` are what it is made of: values before and after, or codes each with the text before it; `share` is a bar's."""

    look: str
    text: str = ""
    more: str = ""
    parts: tuple[Shown | tuple[str, str], ...] = ()
    share: float = 0.0


Shown = str | Piece
Facts = list[tuple[str, Shown]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: `label` names it for who hears it, `right` are the columns that are read from the right; `fit` makes it as wide
    as what is in it, so that what belongs together stands together."""

    header: Sequence[str]
    rows: Sequence[Sequence[Shown]]
    label: str
    right: Collection[int] = ()
    fit: bool = False


@dataclass(frozen=True, slots=True)
class EvidenceRows:
    """The rows behind a finding: those that are open to see, the rest, and how many of how many these are ("": all)."""

    title: str
    first: Table
    rest: Table
    told: str


def evidence(sample: Evidence, title: str, bounds: ReportLimits, *, label: str) -> EvidenceRows:
    """Return the rows behind a finding, under their title."""
    shown, _ = few(sample.rows, bounds.rows)
    kept = replace(sample, rows=tuple(shown))
    columns, rows, right = _side_by_side(sample, kept, bounds) or _as_they_are(kept, bounds)
    named = f"{title or 'rows'} of {label}"
    return EvidenceRows(
        title,
        Table(columns, rows[:_OPEN], named, right, fit=True),
        Table(columns, rows[_OPEN:], f"more {named}", right, fit=True),
        f"{len(shown)} of {count(sample.total, _unit(sample))}" if len(shown) < sample.total else "",
    )


def _unit(sample: Evidence) -> str:
    return "changed value" if sample.columns[-3:] == ("column", BEFORE, AFTER) else "row"


Parts = tuple[Sequence[str], list[list[Shown]], Sequence[int]]


def _side_by_side(sample: Evidence, kept: Evidence, bounds: ReportLimits) -> Parts | None:
    side = side_by_side(kept)
    if side is None:
        return None
    # Where values were left out, one that is not here may be among those.
    same = Piece("null", "same" if len(sample.rows) >= sample.total else "")
    rows = [
        [
            *(_value(key, bounds) for key in row.key),
            *(_change(cell, bounds) if cell else same for cell in row.cells),
        ]
        for row in side.rows
    ]
    return (*side.key, *side.columns), rows, ()


def _change(cell: Change, bounds: ReportLimits) -> Piece:
    before, after, by = cell
    return Piece("change", by, parts=(_value(before, bounds), _value(after, bounds)))


def _as_they_are(kept: Evidence, bounds: ReportLimits) -> Parts:
    sample = with_change(kept)
    right = [n for n in range(len(sample.columns)) if _is_numeric(sample, n)]
    return (
        sample.columns,
        [[_cell(sample, row, n, bounds) for n in range(len(row))] for row in sample.rows],
        right,
    )


def _is_numeric(sample: Evidence, number: int) -> bool:
    """Say whether a column is numbers only: it is read from the right then. A column of bars is not."""
    if sample.columns[number] in sample.bars:
        return False
    values = [row[number] for row in sample.rows if number < len(row) and row[number] is not None]
    return bool(values) and all(_number(value) for value in values)


def _number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True


def _cell(sample: Evidence, row: Sequence[str | None], number: int, bounds: ReportLimits) -> Shown:
    value = row[number]
    name = sample.columns[number] if number < len(sample.columns) else ""
    if name in sample.bars and (part := share(value)) is not None:
        return Piece("share", value if value and "%" in value else percent(part), share=part)
    if name in (BEFORE, AFTER) and _differs(sample, row):
        return Piece(name, parts=(_value(value, bounds),))
    if sample.bars and not value:
        return ""  # a table of numbers has blanks; NULL and empty are said of people's rows
    return _value(value, bounds)


def _differs(sample: Evidence, row: Sequence[str | None]) -> bool:
    if BEFORE not in sample.columns or AFTER not in sample.columns:
        return False
    return row[sample.columns.index(BEFORE)] != row[sample.columns.index(AFTER)]


def _value(value: str | None, bounds: ReportLimits) -> Shown:
    return clipped(value, bounds.cell) if value else Piece("null", "NULL" if value is None else "empty")
