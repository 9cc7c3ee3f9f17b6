"""A digest over all rows of a relation, whatever their order."""

from __future__ import annotations

from prefect_sluice.domain.digests import digest
from prefect_sluice.warehouse.base import Reader

_ROW = '"the whole row"'
"""An alias that no column bears: `hash(t)` would be that of the column t, where there is one."""

_CONTENT = f"select count(*), sum(hash(hash({_ROW}))::hugeint), sum(hash({_ROW}::varchar)::hugeint)"
"""A relation's content, whatever its order. Twice, because DuckDB's hash of a row is linear in its last column, and
gives empty and missing lists the same value; the text of a row tells them apart."""


def content(relation: str, reader: Reader) -> str:
    """Return a digest over the columns and all rows of a relation (quoted SQL), whatever their order.

    Raises QueryFailed.
    """
    columns = [[column.name, column.type] for column in reader.columns(relation)]
    values = reader.query(f"{_CONTENT} from {relation} as {_ROW}").rows[0]
    return digest([columns, [str(value) for value in values]])
