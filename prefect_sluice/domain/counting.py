"""What messages word again and again, each in one place: how many of what, and the name that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_CUTOFF = 0.6
"""How alike two names must be, 0 to 1: `aprovals` and `approvals` are at 0.94. A guess that is no better misleads."""


def count(number: int, singular: str, plural: str = "") -> str:
    """Return a number and its noun: `1 row`, `2 rows`; a verb goes along: `count(1, "row comes", "rows come")`. Pure."""
    return f"{number} {noun(number, singular, plural)}"


def noun(number: int, singular: str, plural: str = "") -> str:
    """Return the noun alone, in the form that a number asks for: `row`, `rows`. Pure."""
    return singular if number == 1 else plural or f"{singular}s"


def near(word: str, known: Iterable[str], most: int = 1) -> list[str]:
    """Return the known names that come near a word, the nearest first, at most so many. Pure."""
    return get_close_matches(word, list(known), n=most, cutoff=_CUTOFF)


def did_you_mean(word: str, known: Iterable[str], most: int = 1) -> str:
    """Return `did you mean 'orders'?`; "" where nothing known comes near. Pure."""
    names = " or ".join(map(repr, near(word, known, most)))
    return f"did you mean {names}?" if names else ""
