"""How an engine hashes, orders and measures values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prefect_sluice.domain.errors import BadInput


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an engine hashes values, and which of its types it cannot be trusted to hash or to compare.

    `row_hash` takes SQL expressions and returns one that is a 64-bit number, never NULL; `total` sums such
    numbers without overflow; `as_text` says of a type (lower case) that its values are compared as text;
    `fold` makes names equal that the engine takes for the same. `has_order` says of a type that its values have a smallest
    and a largest, `is_number` that they have a mean, which `mean` asks for as a float. `number_text` is a number's value as
    a text, the same for all types of numbers. `estimate` counts distinct values by a sketch (None: the engine has none).
    """

    row_hash: Callable[[Sequence[str]], str]
    total: Callable[[str], str]
    as_text: Callable[[str], bool]
    fold: Callable[[str], str]
    has_order: Callable[[str], bool]
    is_number: Callable[[str], bool]
    mean: Callable[[str], str]
    number_text: Callable[[str], str]
    estimate: Callable[[str], str] | None = None
    nested: bool = False
    """Whether it can look into lists and structs, with the functions of DuckDB."""


_NUMBERS = (
    "tinyint", "smallint", "integer", "int", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint",
    "decimal", "numeric", "float", "real", "double",
)  # fmt: skip
_ORDERED = ("varchar", "text", "char", "date", "time")
"""How types begin; more than one is behind `time`."""


def _is_number(kind: str) -> bool:
    return "[" not in kind and not kind.startswith("interval") and kind.startswith(_NUMBERS)


def _has_order(kind: str) -> bool:
    return "[" not in kind and (_is_number(kind) or kind.startswith(_ORDERED))


# A sum over rows is order-free, but hash(a, b) of DuckDB ends in an exclusive or with the last column's hash:
# exchange that column's values between two rows, and each bit leaves the sum as it was in 3 of 4 cases. Hence
# the outer hash.
_DUCKDB = Dialect(
    row_hash=lambda values: f"hash(hash({', '.join(values)}))",
    total=lambda value: f"sum(CAST({value} AS HUGEINT))",
    # DuckDB 1.5 gives [], [NULL] and NULL one hash, and a struct of NULLs that of NULL.
    as_text=lambda kind: "[" in kind or kind.startswith(("struct", "map", "union", "variant")),
    fold=str.lower,
    has_order=lambda kind: (
        _has_order(kind) or ("[" not in kind and kind.startswith(("boolean", "uuid", "enum", "interval")))
    ),
    is_number=_is_number,
    mean=lambda value: f"avg(CAST({value} AS DOUBLE))",
    # Whole numbers to the last digit: an id beyond 2^53 that became a DOUBLE may be another one.
    number_text=lambda value: (
        f"CASE WHEN abs({value}) < 1e37 AND {value} = trunc({value}) THEN CAST(CAST({value} AS HUGEINT) AS VARCHAR)"
        f" ELSE CAST(CAST({value} AS DOUBLE) AS VARCHAR) END"
    ),
    estimate=lambda value: f"approx_count_distinct({value})",
    nested=True,
)
_POSTGRES = Dialect(
    row_hash=lambda values: f"hashtextextended(CAST(ROW({', '.join(values)}) AS TEXT), 0)",
    total=lambda value: f"sum(CAST({value} AS NUMERIC))",
    as_text=lambda kind: kind.startswith(("json", "xml", "point", "line", "polygon", "path", "box")),
    fold=str,
    has_order=_has_order,
    is_number=_is_number,
    mean=lambda value: f"CAST(avg({value}) AS DOUBLE PRECISION)",
    number_text=lambda value: f"CAST(trim_scale(CAST({value} AS NUMERIC)) AS TEXT)",
)
_DIALECTS = {"duckdb": _DUCKDB, "postgres": _POSTGRES}


def dialect(name: str) -> Dialect:
    """Return how the engine of that sqlglot name is asked. Raises BadInput for one that is not known here."""
    if name not in _DIALECTS:
        raise BadInput(f"relations in {name!r} cannot be compared", fix=f"known are: {', '.join(_DIALECTS)}")
    return _DIALECTS[name]
