"""What PostgreSQL calls what is asked of every engine."""

from __future__ import annotations

from prefect_sluice.warehouse.functions import Functions, TypeClass

_TYPES = {
    **dict.fromkeys(("smallint", "integer", "bigint", "int", "int2", "int4", "int8"), TypeClass.WHOLE),
    **dict.fromkeys(("real", "double precision", "float4", "float8"), TypeClass.FLOAT),
    **dict.fromkeys(("numeric", "decimal"), TypeClass.DECIMAL),
    **dict.fromkeys(("text", "character varying", "character", "varchar", "char", "bpchar"), TypeClass.WORD),
    **dict.fromkeys(("boolean", "bool", "uuid"), TypeClass.WORD),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), TypeClass.MOMENT),
    **dict.fromkeys(("timestamp without time zone", "timestamp with time zone"), TypeClass.MOMENT),
}
_ORDERED = frozenset(
    {
        *(name for name, kind in _TYPES.items() if kind is TypeClass.MOMENT),
        "text", "character varying", "character", "varchar", "char", "bpchar",
        "time", "timetz", "time without time zone", "time with time zone",
    }
)  # fmt: skip
"""boolean and uuid are not among them: there is no min() of either."""
_ROW = '"the whole row"'


def _bucket(value: str, parts: int) -> str:
    return f"mod(mod(hashtextextended(CAST({value} AS TEXT), 0), {parts}) + {parts}, {parts})"


POSTGRES = Functions(
    adapter="dbt-postgres",
    library="",
    row_hash=lambda values: f"hashtextextended(CAST(ROW({', '.join(values)}) AS TEXT), 0)",
    total=lambda value: f"sum(CAST({value} AS NUMERIC))",
    bucket=_bucket,
    number_text=lambda value: f"CAST(trim_scale(CAST({value} AS NUMERIC)) AS TEXT)",
    mean=lambda value: f"CAST(avg({value}) AS DOUBLE PRECISION)",
    epoch=lambda value: f"extract(epoch FROM {value})",
    content=lambda relation: (
        f"SELECT count(*), sum(CAST(hashtextextended(CAST({_ROW} AS TEXT), 0) AS NUMERIC)) FROM {relation} AS {_ROW}"
    ),
    in_order=lambda relation: f"SELECT {_ROW}.* FROM {relation} AS {_ROW} ORDER BY CAST({_ROW} AS TEXT)",
    types=_TYPES,
    ordered=_ORDERED,
    compared_as_text=lambda kind: kind.startswith(("json", "xml", "point", "line", "polygon", "path", "box")),
    fold=str,
)
