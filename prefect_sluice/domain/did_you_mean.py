"""The name that somebody probably meant who wrote one that there is none of. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_CUTOFF = 0.6
"""How alike two names must be, 0 to 1: `aprovals` and `approvals` are at 0.94. A guess that is no better misleads."""


def near(word: str, known: Iterable[str], most: int = 1) -> list[str]:
    """Return the known names that come near a word, the nearest first, at most so many."""
    return get_close_matches(word, list(known), n=most, cutoff=_CUTOFF)


def did_you_mean(word: str, known: Iterable[str], most: int = 1) -> str:
    """Return `did you mean 'orders'?`; "" where nothing known comes near."""
    names = " or ".join(map(repr, near(word, known, most)))
    return f"did you mean {names}?" if names else ""
