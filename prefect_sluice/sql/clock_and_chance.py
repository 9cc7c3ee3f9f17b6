"""Calls of the clock and of random functions in a query: inputs that the version of no source covers.

They are found by name. A column with such a name is taken for the function, too: that costs a build, never a stale number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from prefect_sluice.sql.duckdb_functions import PURE, RANKS
from prefect_sluice.sql.duckdb_keywords import (
    COLUMN_NAMES,
    DIALECT,
    RESERVED,
    TYPE_OR_FUNCTION,
    TYPES,
    listed,
)
from prefect_sluice.sql.tokens import Lexeme, TokenKind, lexemes

DAY, NOW, RANDOM = "clock:day", "clock:now", "random"

_DAY = listed("current_date today curdate")
_NOW = listed(
    """
    ago clock_timestamp current_datetime current_localtime current_localtimestamp current_time current_timestamp
    curtime get_current_time get_current_timestamp getdate getutcdate getvariable localtime localtimestamp now
    pg_conf_load_time pg_postmaster_start_time statement_timestamp sysdate sysdatetime systimestamp sysutcdatetime
    timeofday transaction_timestamp unix_timestamp utc_date utc_time utc_timestamp
    """
)
"""`getvariable` is among them: a hook may have set the variable from the clock, and no one keeps its versions."""

_RANDOM = listed(
    """
    current_connection_id current_query current_query_id current_transaction_id currval gen_random_uuid
    generate_uuid lastval newid nextval rand randn random randstr setseed stats txid_current uuid uuid_string
    uuidv4 uuidv7
    """
)
"""Counters and the engine's own numbers are among them: no two runs give the same."""

STEADY = listed(
    """
    current_catalog current_database current_role current_schema current_schemas current_user error
    in_search_path session_user sleep_ms user write_log
    """
)
"""What DuckDB calls volatile, or what looks so, and is not named here: the same for every run against one target, or no value."""

_WITHOUT_CALL = listed(
    """
    current_date current_datetime current_time current_timestamp localtime localtimestamp sysdate systimestamp
    utc_date utc_time utc_timestamp
    """
)
"""Functions that are called without parentheses too, in double quotes as well."""

_POSTGRES_STRINGS = {"tomorrow": DAY, "yesterday": DAY}
"""Strings that PostgreSQL casts to a moment, beside `now` and `today`; DuckDB refuses them."""

_KNOWN = (
    PURE
    | RANKS
    | RESERVED
    | TYPE_OR_FUNCTION
    | COLUMN_NAMES
    | TYPES
    | STEADY
    | listed("by filter over within")
)
"""What may stand before a parenthesis and asks nothing of clock or chance, in other engines neither."""
_CALLED = re.compile(r"(\w+)[\"`\]]?\s*\(")
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)


def volatile(sql: str, dialect: str) -> tuple[str, ...]:
    """Return the inputs of `sql` that change by themselves, sorted: "clock:day", "clock:now", "random"; () for none. Pure.

    In another dialect than DuckDB's every call that is not known is one of chance, and a word counts wherever it stands.
    """
    if dialect != DIALECT:
        return tuple(sorted(_by_words(sql) | _by_calls(sql)))
    tokens = lexemes(sql, dialect)
    if tokens is None:
        return tuple(sorted(_by_words(sql)))
    inputs = {kind for number in range(len(tokens)) if (kind := _volatile_input(tokens, number))}
    if any(_samples(tokens)):
        inputs.add(RANDOM)
    return tuple(sorted(inputs))


def _by_words(sql: str) -> set[str]:
    return {kind for word in re.findall(r"\w+", sql.lower()) if (kind := _kind(word))}


def _by_calls(sql: str) -> set[str]:
    # Both, since what looks like a comment may stand in a string.
    texts = (sql.lower(), _COMMENT.sub(" ", sql.lower()))
    called = {name for text in texts for name in _CALLED.findall(text)}
    moments = {kind for word, kind in _POSTGRES_STRINGS.items() if word in texts[0]}
    return moments | ({RANDOM} if called - _KNOWN else set())


def _kind(word: str) -> str:
    if word in _DAY:
        return DAY
    if word in _NOW or word == "age":
        return NOW
    return RANDOM if word in _RANDOM or word in ("tablesample", "sample") else ""


def _volatile_input(tokens: Sequence[Lexeme], number: int) -> str:
    """Return the input that the name at `number` reads, if it is called there or needs no call; "" for none."""
    one = tokens[number]
    if one.kind not in (TokenKind.WORD, TokenKind.QUOTED):
        return ""
    word = one.lower.strip('"`')
    called = number + 1 < len(tokens) and tokens[number + 1].text == "("
    if word in ("tablesample", "sample") or not (called or word in _WITHOUT_CALL):
        return ""
    if word == "age" and not _is_of_one(tokens, number):
        return ""
    if not called and number and tokens[number - 1].lower in (".", "as"):
        return ""
    return _kind(word)


def _is_of_one(tokens: Sequence[Lexeme], number: int) -> bool:
    """Say whether the call at `number` has one argument, as far as commas tell; `x.age(y)` counts as one."""
    depth = 0
    for one in tokens[number + 1 :]:
        depth += (one.text in "([{") - (one.text in ")]}")
        if one.text == "," and depth == 1:
            return False
        if not depth:
            break
    return True


def _samples(tokens: Sequence[Lexeme]) -> Iterator[bool]:
    """Yield for each sample of rows whether the next run may take other rows: it has no seed."""
    for number, one in enumerate(tokens):
        before = tokens[number - 1].lower if number else ""
        if one.lower == "tablesample" or (one.lower == "sample" and before == "using"):
            seeds = {following.lower for following in tokens[number : number + 12]}
            yield "repeatable" not in seeds
