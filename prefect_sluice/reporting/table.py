"""Aligned columns."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence
from typing import TypeAlias

from prefect_sluice.domain.counting import count
from prefect_sluice.reporting.styled_text import Line, Span, Style, cut, line, wide, wrapped

Cell: TypeAlias = str | Span

WIDTH = 100
"""Columns of a page where nobody says otherwise."""

_GAP = "  "
_NARROWEST = 12


def table(
    rows: Sequence[Sequence[Cell]],
    *,
    header: Sequence[str] = (),
    right: Collection[int] = (),
    indent: int = 0,
    widest: int = 60,
    width: int = WIDTH,
    stretch: bool = False,
    below: Sequence[Sequence[Line]] = (),
) -> list[Line]:
    """Return the rows under their header, aligned; `right` are the columns aligned to the right.

    No cell is wider than `widest`; with `stretch` the last column takes the room that the others leave, and goes on in
    further lines. `below` are lines to stand below each row. Columns that do not fit into `width` are left out, and named below.
    """
    titles = [[Span(title, Style.FAINT) for title in header]] if header else []
    spans = titles + [[_span(cell, widest) for cell in row] for row in rows]
    if not spans:
        return []
    rest: list[list[Line]] = [[] for _ in spans]
    if stretch:
        taken = sum(max(row[n].width for row in spans) + len(_GAP) for n in range(len(spans[0]) - 1))
        room = max(width - indent - taken, _NARROWEST)
        for number, cell in enumerate([*header[-1:], *(row[-1] for row in rows)]):
            first, *more = _parts(cell, room)
            spans[number] = [*spans[number][:-1], first]
            rest[number] = [line(part, indent=indent + taken) for part in more]
    for number, lower in enumerate(below, len(titles)):
        rest[number] += lower
    widths = [max(row[n].width for row in spans) for n in range(len(spans[0]))]
    shown = _fitting(widths, width - indent)
    lines: list[Line] = []
    for row, more in zip(spans, rest, strict=True):
        lines += [line(*_aligned(row[:shown], widths, right), indent=indent), *more]
    left_out = [span.text for span in spans[0][shown:]] if header else []
    if left_out:
        note = f"and {count(len(left_out), 'more column')}: {', '.join(left_out)}"
        lines += wrapped(note, width, indent=indent, style=Style.FAINT)
    return lines


def fits(
    rows: Sequence[Sequence[Cell]], header: Sequence[str], *, indent: int, widest: int, width: int
) -> bool:
    """Say whether `table` leaves no column out."""
    spans = [[_span(cell, widest) for cell in row] for row in (header, *rows)]
    widths = [max(row[n].width for row in spans) for n in range(len(header))]
    return _fitting(widths, width - indent) == len(header)


def _parts(cell: Cell, room: int) -> list[Span]:
    """Return a text in lines that fit: what is said in words is never cut."""
    span = cell if isinstance(cell, Span) else Span(cell)
    parts = textwrap.wrap(span.text, room, break_on_hyphens=False) or [""]
    return [Span(part, span.style) for part in parts]


def _span(cell: Cell, widest: int) -> Span:
    span = cell if isinstance(cell, Span) else Span(cell)
    return Span(cut(span.text, widest), span.style)


def _fitting(widths: Sequence[int], room: int) -> int:
    """Return how many columns fit, at least one."""
    taken = -len(_GAP)
    for number, column_width in enumerate(widths):
        taken += column_width + len(_GAP)
        if taken > room:
            return max(number, 1)
    return len(widths)


def _aligned(row: Sequence[Span], widths: Sequence[int], right: Collection[int]) -> list[Cell]:
    parts: list[Cell] = []
    for number, span in enumerate(row):
        blanks = " " * (widths[number] - wide(span.text))
        gap = _GAP if number else ""
        if number in right:
            parts += [gap + blanks, span]
        else:
            parts += [gap, span, blanks if number < len(row) - 1 else ""]
    return parts
