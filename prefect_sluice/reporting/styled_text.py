"""Text with meaning: spans with a style's name. Which colour that is, if any, the edge decides."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from prefect_sluice.domain.verdict import Verdict

_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Style(StrEnum):
    """What a piece of text means."""

    PLAIN = "plain"
    STRONG = "strong"
    FAINT = "faint"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


LOOKS = {
    Verdict.PASSED: Style.GOOD,
    Verdict.WARNED: Style.WARN,
    Verdict.INCONCLUSIVE: Style.BAD,
    Verdict.ERRORED: Style.BAD,
    Verdict.FAILED: Style.BAD,
}
"""The style of each verdict."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of one line. Its text never holds a control character, wherever it came from."""

    text: str
    style: Style = Style.PLAIN

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", clean(self.text))

    @property
    def width(self) -> int:
        """How many columns it takes on a terminal."""
        return wide(self.text)


Line: TypeAlias = tuple[Span, ...]
"""One line; without its end."""

BLANK: Line = ()


def clean(text: str) -> str:
    """Return text without what could move a cursor, colour a terminal or turn the direction of a line."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_harmless(letter) for letter in text)


def _harmless(letter: str) -> str:
    if letter in "\n\r\t":
        return " "
    return "\ufffd" if unicodedata.category(letter) in {"Cc", "Cs"} or letter in _TURNING else letter


def wide(text: str) -> int:
    """Return how many columns a text takes: wide letters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def cut(text: str, columns: int) -> str:
    """Return at most so many columns of a text; one that is cut ends in …"""
    text = clean(text)
    if wide(text) <= columns:
        return text
    while wide(text) > max(columns - 1, 0):
        text = text[:-1]
    return text.rstrip() + "…"


def line(*parts: str | Span, indent: int = 0) -> Line:
    """Return one line of these parts, one after the other."""
    spans = tuple(part if isinstance(part, Span) else Span(part) for part in parts)
    return (Span(" " * indent), *spans) if indent else spans


def wrapped(text: str, width: int, *, indent: int = 2, style: Style = Style.PLAIN) -> list[Line]:
    """Return a text in lines that fit: what is said in words is never cut."""
    room = max(width - indent, 20)
    parts = textwrap.wrap(clean(text), room, break_long_words=False, break_on_hyphens=False)
    return [line(Span(part, style), indent=indent) for part in parts or [""]]


def labelled(label: Span | str, text: str, width: int, *, style: Style = Style.PLAIN) -> list[Line]:
    """Return a label with a text behind it that goes on, where it must, below its own beginning."""
    indent = label.width if isinstance(label, Span) else wide(label)
    first, *more = wrapped(text, width, indent=indent, style=style)
    return [line(label, *first[1:] if indent else first), *more]


def plain(lines: Iterable[Line]) -> str:
    """Return the text without any style, no line with blanks at its end, each with its line end."""
    return "".join("".join(span.text for span in one).rstrip() + "\n" for one in lines)


def strong(text: str) -> Span:
    """Return a span that stands out."""
    return Span(text, Style.STRONG)


def faint(text: str) -> Span:
    """Return a span that steps back."""
    return Span(text, Style.FAINT)


def and_more(number: int, where: str = "all of them: --json") -> list[Line]:
    """Return the line that tells how many more a list has, and `where` ("": not told); none where `number` is not above 0."""
    note = f" ({where})" if where else ""
    return [line(faint(f"and {number} more{note}"), indent=2)] if number > 0 else []
