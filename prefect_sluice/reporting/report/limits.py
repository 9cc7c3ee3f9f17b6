"""Limits of a report, and how it is made to fit: the least important is left out first, and counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReportLimits:
    """At most so many of each: `findings` that did not pass, of which the first `detailed` with `rows` rows of each table,
    `passed` findings of one gate, `changed` relations with their tables, `steps` of the plan, `cell` characters of a value,
    `consumers`, `drawn`: whether the lineage is drawn, `entries` of the ledger, `columns` of a table with evidence."""

    findings: int
    detailed: int
    rows: int
    passed: int
    changed: int
    steps: int
    cell: int
    consumers: int
    entries: int
    drawn: bool = True
    columns: int = 1_000


LADDER = (
    ReportLimits(500, 100, 100, 400, 100, 500, 400, 100, 200),
    ReportLimits(300, 40, 50, 200, 50, 300, 200, 50, 100),
    ReportLimits(200, 20, 20, 100, 30, 200, 120, 50, 50),
    ReportLimits(100, 10, 10, 25, 20, 60, 80, 25, 20),
    ReportLimits(50, 5, 10, 10, 10, 30, 60, 15, 10),
    ReportLimits(30, 3, 5, 0, 5, 15, 60, 10, 5),
    ReportLimits(15, 1, 3, 0, 3, 8, 40, 5, 3, drawn=False),
    ReportLimits(5, 0, 0, 0, 3, 3, 40, 3, 0, drawn=False),
)
"""From all that is sensible to read down to the least that still says what is decided."""

SHORT = LADDER[2:]
"""For where people read beside other things: a comment."""

NARROW = tuple(replace(bounds, columns=8, cell=min(bounds.cell, 40)) for bounds in SHORT)
"""For Prefect's UI, which lets a wide table run into what stands to the right of it."""


def fitting(show: Callable[[ReportLimits], str], limit: int, ladder: Sequence[ReportLimits] = LADDER) -> str:
    """Return the fullest text that has at most `limit` characters; the shortest one is cut at its end, and says so."""
    text = ""
    for bounds in ladder:
        text = show(bounds)
        if len(text) <= limit:
            return text
    notice = "\n\n(cut here: the report is longer than this place takes)\n"
    return text[: max(limit - len(notice), 0)].rstrip() + notice[: max(limit, 0)]


def few(items: Sequence[T], most: int) -> tuple[Sequence[T], int]:
    """Return the first values, and how many are left out."""
    return items[:most], max(len(items) - most, 0)


def clipped(text: str, most: int) -> str:
    """Return a value of at most so many characters; what is cut ends in …"""
    return text if len(text) <= most else f"{text[: most - 1]}…"
