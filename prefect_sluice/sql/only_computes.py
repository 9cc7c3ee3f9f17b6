"""Whether a query of somebody else's computes something from one relation, and does nothing besides.

It is read with sqlglot and written again from what was understood, so that what is run is what was looked at.
"""

from __future__ import annotations

import re
from itertools import pairwise

from prefect_sluice.sql.duckdb_functions import PURE, RANKS
from prefect_sluice.sql.duckdb_keywords import listed
from prefect_sluice.sql.tokens import TokenKind, lexemes

_OWN_NAME = re.compile(r"t\d+")
"""What Ibis calls the parts of a query; a part of another name could be meant for a table or a file."""

_CALLED = (
    PURE
    | RANKS
    | listed(
        """
        any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_min array_agg bool_and bool_or
        cast coalesce current_date current_timestamp extract first first_value group_concat histogram if ifnull iif is_null
        isnull json_each lag last last_value lead list list_any_value listagg make_interval max_by min_by mode now nth_value ntile
        nvl percentile_cont percentile_disc random reservoir_quantile row_number string_agg today try_cast unnest uuid
        """
    )
)
"""Functions, of one engine or the other, that compute: a list of what may be called, not of what may not."""

_BEFORE_PARENTHESIS = listed(
    """
    all and any array as between by case decimal distinct else except exclude exists filter from group having if in intersect
    interval is join like ilike not null numeric offset on or order over partition qualify replace select similar some struct
    then time timestamp timestamptz to union using values varchar char when where with within limit
    """
)
"""Words that stand before a parenthesis and call nothing: of the grammar, and types with a size."""


class Unsafe(Exception):
    """The query may do more than to compute. The message goes on from "it"."""


def only_computes(sql: str, relation: str, dialect: str) -> str:
    """Return a query that reads the relation called `relation` and nothing else, as `dialect` (sqlglot's name) spells what was
    understood of it. Pure. Raises Unsafe for one that may read or do anything else."""
    from sqlglot import exp, parse
    from sqlglot.errors import SqlglotError

    try:
        statements = parse(sql, dialect=dialect)
    except (SqlglotError, RecursionError) as error:
        raise Unsafe("cannot be read as a query") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise Unsafe("is no single query")
    query = statements[0]
    for part in query.find_all(exp.CTE, exp.Table, exp.Into, exp.Command, exp.Parameter, exp.Placeholder):
        if isinstance(part, exp.CTE):
            if not _OWN_NAME.fullmatch(part.alias):
                raise Unsafe(f"names a part {part.alias!r}")
        elif not isinstance(part, exp.Table):
            raise Unsafe("does more than a query")
        elif not isinstance(part.this, exp.Identifier):
            raise Unsafe("reads what a function gives")
        elif part.args.get("db") or part.args.get("catalog") or not _is_own(part.name, relation):
            raise Unsafe(f"reads {part.name!r}")
    written = query.sql(dialect=dialect)
    _call_only_what_computes(written, dialect)
    return written


def _is_own(name: str, relation: str) -> bool:
    return name == relation or _OWN_NAME.fullmatch(name) is not None


def _call_only_what_computes(sql: str, dialect: str) -> None:
    tokens = lexemes(sql, dialect)
    if tokens is None:
        raise Unsafe("holds signs that not everybody reads alike")
    for token, after in pairwise(tokens):
        if after.text != "(" or token.kind not in {TokenKind.WORD, TokenKind.QUOTED}:
            continue
        if token.kind is TokenKind.QUOTED or token.lower not in _CALLED | _BEFORE_PARENTHESIS:
            raise Unsafe(f"calls {token.text}")
