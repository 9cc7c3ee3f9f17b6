"""How many of what, as people read it: the one place where a noun gets its plural."""

from __future__ import annotations


def count(number: int, singular: str, plural: str = "") -> str:
    """Return a number and its noun: `1 row`, `2 rows`; a verb goes along: `count(1, "row comes", "rows come")`. Pure."""
    return f"{number} {noun(number, singular, plural)}"


def noun(number: int, singular: str, plural: str = "") -> str:
    """Return the noun alone, in the form that a number asks for: `row`, `rows`. Pure."""
    return singular if number == 1 else plural or f"{singular}s"
