"""Aligned columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

from prefect_sluice.render.styled import Line, Span, Style, cut, faint, line, wide
from prefect_sluice.render.words import count

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
) -> list[Line]:
    """Return the rows under their header, aligned; `right` are the columns aligned to the right.

    No cell is wider than `widest`; with `stretch` the last column takes the room that the others leave, more
    or less. Columns that do not fit into `width` are left out, and named below.
    """
    titles = [[Span(title, Style.FAINT) for title in header]] if header else []
    spans = titles + [[_span(cell, widest) for cell in row] for row in rows]
    if not spans:
        return []
    if stretch:
        taken = sum(max(row[n].width for row in spans) + len(_GAP) for n in range(len(spans[0]) - 1))
        room = max(width - indent - taken, _NARROWEST)
        last = [*header[-1:], *(row[-1] for row in rows)]
        spans = [[*row[:-1], _span(cell, room)] for row, cell in zip(spans, last, strict=True)]
    widths = [max(row[n].width for row in spans) for n in range(len(spans[0]))]
    shown = _fitting(widths, width - indent)
    lines = [line(*_aligned(row[:shown], widths, right), indent=indent) for row in spans]
    left_out = [span.text for span in spans[0][shown:]] if header else []
    if left_out:
        lines.append(
            line(
                faint(
                    cut(f"and {count(len(left_out), 'more column')}: {', '.join(left_out)}", width - indent)
                ),
                indent=indent,
            )
        )
    return lines


def _span(cell: Cell, widest: int) -> Span:
    span = cell if isinstance(cell, Span) else Span(cell)
    return Span(cut(span.text, widest), span.style)


def _fitting(widths: Sequence[int], room: int) -> int:
    """Return how many columns fit, at least one."""
    taken = -len(_GAP)
    for number, each in enumerate(widths):
        taken += each + len(_GAP)
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
