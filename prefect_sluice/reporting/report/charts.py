"""Small drawings: a bar for a share, and the lineage by levels. SVG in the page itself, coloured by the page's style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.reporting.report.markup import Markup, joined, tag
from prefect_sluice.reporting.report.model import Lineage, LineageNode
from prefect_sluice.reporting.styled_text import cut

_BAR = 120
_WIDE, _HIGH, _GAP, _ROW = 190, 40, 56, 54
_LETTERS = 23


def share(text: str | None) -> float | None:
    """Return a share, 0 to 1, from how it is written (`0.042`, `4.2 %`, `< 0.1 %`); None for anything else."""
    if text is None:
        return None
    told = text.strip().removeprefix("<").strip()
    try:
        value = float(told.removesuffix("%").strip()) / (100 if told.endswith("%") else 1)
    except ValueError:
        return None
    return value if isfinite(value) and 0 <= value <= 1 else None


def bar(value: float) -> Markup:
    """Return a bar for a share; the number stands beside it, so it is nothing to a screen reader."""
    filled = tag("rect", class_="fill", width=max(value * _BAR, 1.0 if value else 0.0), height=10, rx=2)
    rail = tag("rect", class_="rail", width=_BAR, height=10, rx=2)
    return tag(
        "svg", rail, filled, class_="bar", viewBox=f"0 0 {_BAR} 10", width=_BAR, height=10, aria_hidden="true"
    )


def drawing(lineage: Lineage) -> Markup:
    """Return the lineage as a picture, from left (read) to right (readers)."""
    places = _places(lineage)
    wide = (max((dot.level for dot in lineage.dots), default=0) + 1) * (_WIDE + _GAP) - _GAP + 4
    high = max((y for _, y in places.values()), default=0) + _HIGH + 4
    head = tag(
        "title", "Lineage of what is touched; the list below says the same in words", id="drawing-title"
    )
    edges = [_edge(places[above], places[below]) for above, below in lineage.edges]
    return tag(
        "svg",
        head,
        *edges,
        *(_box(dot, *places[dot.id]) for dot in lineage.dots),
        class_="lineage",
        viewBox=f"-2 -2 {wide} {high}",
        width=wide,
        height=high,
        role="img",
        aria_labelledby="drawing-title",
    )


def _places(lineage: Lineage) -> Mapping[str, tuple[int, int]]:
    """Return where each box stands: by level, and in a level near what it reads."""
    reads: dict[str, list[str]] = {}
    for above, below in lineage.edges:
        reads.setdefault(below, []).append(above)
    tallest = max(
        (sum(dot.level == level for dot in lineage.dots) for level in _all_levels(lineage)), default=0
    )
    rank: dict[str, float] = {}
    places: dict[str, tuple[int, int]] = {}
    for level in _all_levels(lineage):
        column = [dot for dot in lineage.dots if dot.level == level]
        column.sort(
            key=lambda dot: (_middle([rank[uid] for uid in reads.get(dot.id, ()) if uid in rank]), dot.label)
        )
        top = (tallest - len(column)) * _ROW // 2
        for number, dot in enumerate(column):
            places[dot.id] = (level * (_WIDE + _GAP), top + number * _ROW)
            rank[dot.id] = top / _ROW + number
    return places


def _all_levels(lineage: Lineage) -> Sequence[int]:
    return sorted({dot.level for dot in lineage.dots})


def _middle(ranks: Sequence[float]) -> float:
    return sum(ranks) / len(ranks) if ranks else 0.0


def _edge(start: tuple[int, int], end: tuple[int, int]) -> Markup:
    x1, y1 = start[0] + _WIDE, start[1] + _HIGH // 2
    x2, y2 = end[0], end[1] + _HIGH // 2
    bend = (x2 - x1) // 2
    return tag("path", class_="edge", d=f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}")


def _box(dot: LineageNode, x: int, y: int) -> Markup:
    bad = dot.verdict is not None and dot.verdict is not Verdict.PASSED
    told = joined(
        tag("title", f"{dot.label}: {dot.told}" if dot.told else dot.label),
        tag("rect", x=x, y=y, width=_WIDE, height=_HIGH, rx=6),
        tag("text", cut(dot.label, _LETTERS), x=x + 12, y=y + 17, class_="label"),
        tag("text", cut(_under(dot), 28), x=x + 12, y=y + 32, class_="part"),
    )
    return tag(
        "g", told, class_=f"dot {dot.part}" + (f" {_LOOKS[dot.verdict]}" if bad and dot.verdict else "")
    )


_LOOKS = {
    Verdict.PASSED: "good",
    Verdict.WARNED: "warn",
    Verdict.INCONCLUSIVE: "bad",
    Verdict.ERRORED: "bad",
    Verdict.FAILED: "bad",
}
PARTS = {
    "build": "built",
    "carry": "carried over",
    "relink": "built before, relinked",
    "remove": "removed",
    "reuse": "reused as it is",
    "consumer": "reads it",
    "rest": "drawn together",
}
"""What each part of the drawing is called."""


def _under(dot: LineageNode) -> str:
    said = dot.told if dot.part == "consumer" and dot.told else PARTS[dot.part]
    return f"{said}, {dot.verdict.name}" if dot.verdict and dot.verdict is not Verdict.PASSED else said
