"""Tables of a report's page: plain ones, and the rows behind a finding with bars and with changed values marked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from prefect_sluice.diff.relation import percent
from prefect_sluice.diff.values import with_change
from prefect_sluice.domain.verdict import Evidence
from prefect_sluice.reporting.report.charts import bar, share
from prefect_sluice.reporting.report.limits import ReportLimits, clipped, few
from prefect_sluice.reporting.report.markup import Child, Markup, joined, tag
from prefect_sluice.reporting.report.side_by_side import AFTER, BEFORE, Cell, side_by_side
from prefect_sluice.reporting.wording import count

_OPEN = 10
"""How many rows of a table are open to see; the others are folded away."""


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[Child]],
    *,
    label: str,
    right: Collection[int] = (),
    fit: bool = False,
) -> Markup:
    """Return a table in a frame that scrolls sideways by itself, so that the page never does. `label` names it; `fit`
    makes it as wide as what is in it, so that what belongs together stands together; others stack their cells on a phone."""
    head = tag("tr", *(tag("th", name, scope="col", class_=_side(n, right)) for n, name in enumerate(header)))
    body = (
        tag(
            "tr",
            *(
                # On a phone the cells of a row stand one below the other, each with the name of its column.
                tag("td", cell, class_=_side(n, right), data_label=None if fit else header[n] or None)
                for n, cell in enumerate(row)
            ),
        )
        for row in rows
    )
    whole = tag("table", tag("thead", head), tag("tbody", *body))
    return tag(
        "div", whole, class_="scroll fit" if fit else "scroll", role="region", aria_label=label, tabindex=0
    )


def _side(number: int, right: Collection[int]) -> str | None:
    return "num" if number in right else None


def evidence(found: Evidence, title: str, bounds: ReportLimits, *, label: str) -> Markup:
    """Return the rows behind a finding, under their title; where there are more, how many of how many are shown."""
    named = f"{title or 'rows'} of {label}"
    shown, _ = few(found.rows, bounds.rows)
    told = f"{len(shown)} of {count(found.total, _unit(found))}" if len(shown) < found.total else ""
    right: list[int] = []
    columns = found.columns
    side = side_by_side(replace(found, rows=tuple(shown)))
    if side is not None:
        columns = (*side.key, *side.columns)
        # Where values were left out, one that is not here may be among those.
        same = "same" if len(found.rows) >= found.total else ""
        rows = [
            [*(_value(key, bounds) for key in row.key), *(_change(cell, same, bounds) for cell in row.cells)]
            for row in side.rows
        ]
    else:
        told_rows = with_change(replace(found, rows=tuple(shown)))
        columns = told_rows.columns
        right = [n for n in range(len(columns)) if _is_numeric(told_rows, n)]
        rows = [
            [_cell(told_rows, row, number, bounds) for number in range(len(row))] for row in told_rows.rows
        ]
    first, rest = rows[:_OPEN], rows[_OPEN:]
    folded = tag("summary", f"{len(rest)} more of the rows that were kept")
    return joined(
        tag("h4", title) if title else None,
        table(columns, first, label=named, right=right, fit=True) if first else None,
        tag("details", folded, table(columns, rest, label=f"more {named}", right=right, fit=True))
        if rest
        else None,
        tag("p", told, class_="more") if told else None,
    )


def _unit(found: Evidence) -> str:
    return "changed value" if found.columns[-3:] == ("column", BEFORE, AFTER) else "row"


def _change(cell: Cell | None, same: str, bounds: ReportLimits) -> Markup:
    if cell is None:
        return tag("span", same, class_="null")
    before, after, by = cell
    return tag(
        "span",
        tag("del", _value(before, bounds)),
        tag("span", " → ", class_="to"),
        tag("ins", _value(after, bounds)),
        tag("span", f" {by}", class_="null") if by else None,
        class_="change",
    )


def _is_numeric(found: Evidence, number: int) -> bool:
    """Say whether a column is numbers only: it is read from the right then. A column of bars is not."""
    if number >= len(found.columns) or found.columns[number] in found.bars:
        return False
    values = [row[number] for row in found.rows if number < len(row) and row[number] is not None]
    return bool(values) and all(_number(value) for value in values)


def _number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True


def _cell(found: Evidence, row: Sequence[str | None], number: int, bounds: ReportLimits) -> Markup:
    value = row[number]
    name = found.columns[number] if number < len(found.columns) else ""
    if name in found.bars and (known := share(value)) is not None:
        return tag(
            "span",
            bar(known),
            tag("span", value if value and "%" in value else percent(known), class_="share"),
            class_="bars",
        )
    if name in (BEFORE, AFTER) and _differs(found, row):
        return tag("del" if name == BEFORE else "ins", _value(value, bounds))
    if found.bars and not value:
        return joined("")  # a table of numbers has blanks; NULL and empty are said of people's rows
    return _value(value, bounds)


def _differs(found: Evidence, row: Sequence[str | None]) -> bool:
    if BEFORE not in found.columns or AFTER not in found.columns:
        return False
    return row[found.columns.index(BEFORE)] != row[found.columns.index(AFTER)]


def _value(value: str | None, bounds: ReportLimits) -> Markup:
    if value is None:
        return tag("span", "NULL", class_="null")
    return tag("span", "empty", class_="null") if value == "" else joined(clipped(value, bounds.cell))
