"""Small drawings: a bar for a share, and the lineage by levels. Pure: where things stand; `templates/` makes SVG of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.reporting.report.model import Lineage, LineageNode
from prefect_sluice.reporting.styled_text import LOOKS, cut

_BAR = 120
_WIDE, _HIGH, _GAP, _ROW = 190, 40, 56, 54
_LETTERS = 23


def share(text: str | None) -> float | None:
    """Return a share, 0 to 1, from how it is written (`0.042`, `4.2 %`, `< 0.1 %`); None for anything else."""
    if text is None:
        return None
    digits = text.strip().removeprefix("<").strip()
    try:
        value = float(digits.removesuffix("%").strip()) / (100 if digits.endswith("%") else 1)
    except ValueError:
        return None
    return value if isfinite(value) and 0 <= value <= 1 else None


def bar_width(value: float) -> str:
    """Return how wide the filled part of a bar is: of something, at least a hairline."""
    return f"{max(value * _BAR, 1.0 if value else 0.0):.1f}".removesuffix(".0")


@dataclass(frozen=True, slots=True)
class Box:
    """A node of the drawing: where it stands, `look` by its part and verdict, and what is written on, under and over it."""

    look: str
    x: int
    y: int
    label: str
    under: str
    title: str
    wide: int = _WIDE
    high: int = _HIGH


@dataclass(frozen=True, slots=True)
class Picture:
    """The lineage from left (read) to right (readers). `edges` are curves, as SVG writes them."""

    wide: int
    high: int
    edges: Sequence[str]
    boxes: Sequence[Box]


def picture(lineage: Lineage) -> Picture:
    """Return where each node and edge of the lineage is drawn."""
    places = _places(lineage)
    return Picture(
        (max((dot.level for dot in lineage.dots), default=0) + 1) * (_WIDE + _GAP) - _GAP + 4,
        max((y for _, y in places.values()), default=0) + _HIGH + 4,
        [_edge(places[above], places[below]) for above, below in lineage.edges],
        [_box(dot, *places[dot.id]) for dot in lineage.dots],
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


def _edge(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + _WIDE, start[1] + _HIGH // 2
    x2, y2 = end[0], end[1] + _HIGH // 2
    bend = (x2 - x1) // 2
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


def _box(dot: LineageNode, x: int, y: int) -> Box:
    verdict = f" {LOOKS[dot.verdict]}" if dot.verdict and dot.verdict is not Verdict.PASSED else ""
    title = f"{dot.label}: {dot.told}" if dot.told else dot.label
    return Box(f"{dot.part}{verdict}", x, y, cut(dot.label, _LETTERS), cut(_under(dot), 28), title)


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
    words = dot.told if dot.part == "consumer" and dot.told else PARTS[dot.part]
    return f"{words}, {dot.verdict.name}" if dot.verdict and dot.verdict is not Verdict.PASSED else words
