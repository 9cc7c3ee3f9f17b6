"""The canonical text of a SQL query: two queries that share one are the same; formatting, comments and keyword case do not count.

It is made from tokens, not from a syntax tree: a parser that takes two things for one would make different queries equal.
"""

from __future__ import annotations

from prefect_sluice.sql.duckdb_functions import PURE
from prefect_sluice.sql.duckdb_keywords import COLUMN_NAMES, DIALECT, RESERVED, TYPE_OR_FUNCTION, TYPES
from prefect_sluice.sql.tokens import Lexeme, TokenKind, lexemes

_SPELLED = frozenset({DIALECT, "postgres"})
"""Dialects that read space, comments and the case of a word that is not quoted as DuckDB does, or as less; what others make of
`1--1`, nobody here knows."""

_OPERATOR = frozenset("~!@#^&|`?+-*/%<>=")
"""What an operator may be made of: two side by side are one operator, apart they are two."""

_PLAIN = frozenset({"=", "<", ">", "<=", ">=", "<>", "+", "-", "*", "/", "("})
"""Operators that a sign of a number may follow without becoming part of them."""

_ALWAYS = RESERVED | TYPE_OR_FUNCTION
_AFTER = {
    "by": frozenset({"group", "order", "partition"}),
    "recursive": frozenset({"with"}),
    "first": frozenset({"nulls"}),
    "last": frozenset({"nulls"}),
    "over": frozenset({")"}),
    "filter": frozenset({")"}),
}
"""Words that may be names, but not right after one of these."""


def canonical(sql: str, dialect: str) -> str:
    """Return the canonical text of `sql`; `sql` itself where it has no trustworthy tokens. Pure; repeatable on its own answer."""
    tokens = lexemes(sql, dialect) if dialect in _SPELLED else None
    if tokens is None:
        return sql
    while tokens and tokens[-1].text == ";":
        tokens = tokens[:-1]
    return spelled(tokens)


def spelled(tokens: tuple[Lexeme, ...]) -> str:
    """Return the canonical text of these tokens; the case of words that cannot be names is folded."""
    casts = _casts(tokens)
    parts: list[str] = []
    for number, one in enumerate(tokens):
        if number:
            parts.append(_between(tokens, number))
        parts.append(one.lower if _folds(tokens, number, casts) else one.text)
    return "".join(parts)


def _between(tokens: tuple[Lexeme, ...], number: int) -> str:
    """Return what stands before the token `number`: a space, or what the text had where that changes the meaning."""
    before, one = tokens[number - 1], tokens[number]
    if before.kind is TokenKind.STRING and one.kind is TokenKind.STRING:
        return one.gap
    if one.gap:
        return " "
    if before.kind is not TokenKind.SIGN and one.kind is not TokenKind.SIGN:
        return ""
    if "." in (before.text, one.text) or (before.text[-1] == ":" and one.text[0] in ":="):
        return ""
    if before.text[-1] in _OPERATOR and one.text[0] in _OPERATOR:
        return " " if _is_numbers_sign(tokens, number) else ""
    return " "


def _is_numbers_sign(tokens: tuple[Lexeme, ...], number: int) -> bool:
    """Say whether the token is the sign of a number although an operator stands right before it, as in `a=-1`."""
    after = tokens[number + 1] if number + 1 < len(tokens) else None
    beyond = tokens[number - 2] if number > 1 else None
    alone = beyond is None or tokens[number - 1].gap or beyond.text[-1] not in _OPERATOR
    ends = after is not None and (after.gap or after.text[0] not in _OPERATOR)
    return bool(tokens[number].text in "+-" and tokens[number - 1].text in _PLAIN and alone and ends)


def _folds(tokens: tuple[Lexeme, ...], number: int, casts: frozenset[int]) -> bool:
    """Say whether the token is a word whose case changes nothing: neither a name nor the label of a column."""
    one = tokens[number]
    if one.kind is not TokenKind.WORD:
        return False
    word, before, after = one.lower, _at(tokens, number - 1), _at(tokens, number + 1)
    if before == "." or after in (":", ":=", "=>"):
        return False
    if before == "::" or number in casts:
        return word in TYPES
    if before == "as":
        return False
    if word in _ALWAYS or before in _AFTER.get(word, ()):
        return True
    if after == "(":
        return word in COLUMN_NAMES or word in PURE or word == "if"
    if word in TYPES and number + 1 < len(tokens) and tokens[number + 1].kind is TokenKind.STRING:
        return True
    return (
        (word == "between" and _ends_expression(tokens, number - 1))
        or (word == "nulls" and after in ("first", "last"))
        or (word == "partition" and before == "(" and after == "by")
    )


def _at(tokens: tuple[Lexeme, ...], number: int) -> str:
    return tokens[number].lower if 0 <= number < len(tokens) else ""


def _ends_expression(tokens: tuple[Lexeme, ...], number: int) -> bool:
    word = _at(tokens, number)
    if word in ("not", "end", "null", "true", "false", ")", "]", "}"):
        return True
    return bool(word) and tokens[number].kind is not TokenKind.SIGN and word not in RESERVED


def _casts(tokens: tuple[Lexeme, ...]) -> frozenset[int]:
    """Return the places of types after the AS of a CAST."""
    open_casts: list[bool] = []
    types: set[int] = set()
    for number, one in enumerate(tokens):
        if one.text == "(":
            open_casts.append(_at(tokens, number - 1) in ("cast", "try_cast"))
        elif one.text == ")" and open_casts:
            open_casts.pop()
        elif one.lower == "as" and one.kind is TokenKind.WORD and open_casts and open_casts[-1]:
            types.add(number + 1)
    return frozenset(types)


def is_no_name(tokens: tuple[Lexeme, ...], number: int) -> bool:
    """Say whether the token `number` is a word, and not a name, where it stands."""
    return _folds(tokens, number, frozenset())
