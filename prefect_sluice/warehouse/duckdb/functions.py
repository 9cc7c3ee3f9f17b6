"""What DuckDB calls what is asked of every engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.warehouse.base import Reader
from prefect_sluice.warehouse.functions import Functions, NestedFunctions, TypeClass

_SIZES = ("tinyint", "smallint", "integer", "bigint", "hugeint")
_TYPES = {
    **dict.fromkeys(("int", *_SIZES, *(f"u{name}" for name in _SIZES)), TypeClass.WHOLE),
    **dict.fromkeys(("float", "real", "double", "double precision"), TypeClass.FLOAT),
    **dict.fromkeys(("decimal", "numeric"), TypeClass.DECIMAL),
    **dict.fromkeys(("varchar", "text", "char", "boolean", "enum", "uuid"), TypeClass.WORD),
    **dict.fromkeys(("date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"), TypeClass.MOMENT),
    **dict.fromkeys(("timestamp with time zone", "timestamptz"), TypeClass.MOMENT),
}
_ORDERED = frozenset({*_TYPES, "time", "time_ns", "time with time zone", "interval"})

_ROW = '"the whole row"'
"""An alias that no column bears: `hash(t)` would be that of the column t, where there is one."""
_CONTENT = f"select count(*), sum(hash(hash({_ROW}))::hugeint), sum(hash({_ROW}::varchar)::hugeint)"
"""A relation's content, whatever its order. Twice, because DuckDB's hash of a row is linear in its last column, and
gives empty and missing lists the same value; the text of a row tells them apart."""


def _row_hash(values: Sequence[str]) -> str:
    # A sum over rows is order-free, but hash(a, b) ends in an exclusive or with the last column's hash: exchange that column's
    # values between two rows, and each bit leaves the sum as it was in 3 of 4 cases. Hence the outer hash.
    return f"hash(hash({', '.join(values)}))"


def _number_text(value: str) -> str:
    # Whole numbers to the last digit: an id beyond 2^53 that became a DOUBLE may be another one.
    return (
        f"CASE WHEN abs({value}) < 1e37 AND {value} = trunc({value}) THEN CAST(CAST({value} AS HUGEINT) AS VARCHAR)"
        f" ELSE CAST(CAST({value} AS DOUBLE) AS VARCHAR) END"
    )


def _same_lists(one: str, two: str, kind: str, pair: str, condition: str) -> str:
    lists = ", ".join(f"CAST({each} AS {kind}[])" for each in (one, two))
    apart = f"len(list_filter(list_zip({lists}), lambda {pair}: NOT {condition})) = 0"
    return f"len({one}) = len({two}) AND {apart}"


def _part(value: str, name: str) -> str:
    plain = name.replace('""', '"').replace("'", "''")
    return f"struct_extract({value}, '{plain}')"


def _sizes(reader: Reader, relations: Mapping[str, str]) -> dict[str, int]:
    block = int(str(reader.query("select block_size from pragma_database_size()").rows[0][0]))
    found: dict[str, int] = {}
    for key, relation in relations.items():
        try:
            found[key] = block * _blocks(reader, relation)
        except QueryFailed:
            continue  # a view has no storage, and DuckDB 1.5 cannot be asked about a name with a quote in it
    return found


def _blocks(reader: Reader, relation: str) -> int:
    literal = relation.replace("'", "''")
    sql = f"""
        select count(distinct id) from (
            select unnest(list_append(additional_block_ids, block_id)) as id
            from pragma_storage_info('{literal}') where persistent
        ) where id >= 0
    """
    return int(str(reader.query(sql).rows[0][0]))


DUCKDB = Functions(
    adapter="dbt-duckdb",
    library="duckdb",
    row_hash=_row_hash,
    total=lambda value: f"sum(CAST({value} AS HUGEINT))",
    bucket=lambda value, parts: f"hash({value}::varchar) % {parts}",
    number_text=_number_text,
    mean=lambda value: f"avg(CAST({value} AS DOUBLE))",
    epoch=lambda value: f"epoch({value})",
    content=lambda relation: f"{_CONTENT} from {relation} as {_ROW}",
    in_order=lambda relation: f"select * from {relation} order by all",
    types=_TYPES,
    ordered=_ORDERED,
    # DuckDB 1.5 gives [], [NULL] and NULL one hash, and a struct of NULLs that of NULL.
    compared_as_text=lambda kind: "[" in kind or kind.startswith(("struct", "map", "union", "variant")),
    fold=str.lower,
    estimate=lambda value: f"approx_count_distinct({value})",
    nested=NestedFunctions(
        same_lists=_same_lists,
        list_text=lambda value, kind, name, each: (
            f"CAST(list_transform(CAST({value} AS {kind}[]), lambda {name}: {each}) AS VARCHAR)"
        ),
        texts=lambda parts: f"CAST([{', '.join(parts)}] AS VARCHAR)",
        part=_part,
    ),
    sizes=_sizes,
)
