"""The words and signs of SQL that are understood; a query with any other proves nothing.

It lists what is allowed, not what is forbidden: what nobody thought of is not understood.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from prefect_sluice.sql.clock_and_chance import STEADY
from prefect_sluice.sql.duckdb_functions import PURE, RANKS
from prefect_sluice.sql.duckdb_keywords import RESERVED, TYPE_OR_FUNCTION, TYPES, listed
from prefect_sluice.sql.tokens import Lexeme, TokenKind

_KEYWORDS = listed(
    """
    all and any array as asc asymmetric both by case cast cross desc distinct else end except exists false from
    full group having ilike in inner intersect is isnull join leading left like map not notnull null on or order
    outer overlaps qualify right select similar some struct symmetric then trailing true try_cast union using
    when where window with anti semi at
    """
)
"""Reserved words, and those that join tables, that are understood. LIMIT is not: which rows it keeps, nobody knows."""

_CALLED = (
    PURE
    | RANKS
    | TYPES
    | _KEYWORDS
    | listed(
        "between coalesce exclude exists extract filter if ifnull materialized nullif over overlay position replace row"
        " struct substring trim"
    )
) - {"array"}
"""Words that may stand before a parenthesis. A function that is not here may depend on the order of rows, or on chance."""

_NOT_A_COLUMN = STEADY | {"rowid", "grouping", "grouping_id", "rollup", "cube"}
_SIGNS_IN_DOUBT = frozenset({"?", "#", "`", "@", ";"})
_FRAMES = frozenset({"between", "unbounded", "current", "preceding", "following"})


class Unproven(Exception):
    """Nothing can be proven about this query: an answer, not an error."""


def require_understood(tokens: Sequence[Lexeme]) -> None:
    """Return if all words and signs of a query are understood one by one. Raises Unproven for one that is not."""
    for before, one in pairwise([Lexeme(TokenKind.SIGN, "(", ""), *tokens]):
        if one.kind is TokenKind.SIGN and one.text in _SIGNS_IN_DOUBT:
            raise Unproven(f"sign {one.text}")
        if one.kind in (TokenKind.WORD, TokenKind.QUOTED) and one.lower.strip('"') in _NOT_A_COLUMN:
            raise Unproven(one.text)
        labelled = before.text == "." or before.lower == "as"
        if (
            one.kind is TokenKind.WORD
            and not labelled
            and one.lower in (RESERVED | TYPE_OR_FUNCTION) - _KEYWORDS
        ):
            raise Unproven(f"{one.text} is not understood")
    for number, one in enumerate(tokens):
        after = [following.lower for following in tokens[number + 1 : number + 3]]
        if after[:1] == ["("]:
            _call(tokens, number)
        if one.lower in ("rows", "groups") and _FRAMES & set(after):
            # A frame that counts rows splits those of equal rank, in whatever order they come.
            raise Unproven("a frame of rows")


def _call(tokens: Sequence[Lexeme], number: int) -> None:
    one = tokens[number]
    before = tokens[number - 1].text if number else ""
    if one.kind is TokenKind.QUOTED or (one.kind is TokenKind.WORD and one.lower not in _CALLED):
        raise Unproven(f"function {one.text}")
    if one.kind is TokenKind.WORD and before == ".":
        raise Unproven(f"method {one.text}")
