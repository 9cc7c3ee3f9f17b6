"""Markdown that shows data as it is: tables and escaped text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.reporting.styled_text import clean

MARKS = {
    Verdict.PASSED: "✅",
    Verdict.WARNED: "⚠️",
    Verdict.INCONCLUSIVE: "⛔",
    Verdict.ERRORED: "⛔",
    Verdict.FAILED: "❌",
}
"""Each verdict as a mark that stands out in any colour scheme; its name stands beside it."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
_CALLS = re.compile(r"(?<!\w)@(?=\w)|#(?=\d)")
"""What forges make a mention of a person, or a link to an issue, of."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table, and a blank one after it; what is in the cells is escaped."""

    def row(cells: Sequence[str]) -> str:
        return f"| {' | '.join(escaped(cell) for cell in cells)} |"

    return [row(header), f"|{'---|' * len(header)}", *(row(cells) for cells in rows), ""]


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line: no link, no markup, no HTML, and no mention of a user."""
    quiet = _CALLS.sub("\\g<0>\u2060", clean(text))
    return _SPECIAL.sub(r"\\\1", quiet).replace("\\_", "_").replace("&", "&amp;")


def folded(title: str, lines: Iterable[str]) -> list[str]:
    """Return lines that show their title until somebody opens them."""
    return [f"<details><summary>{escape(clean(title))}</summary>", "", *lines, "</details>", ""]
