"""A digest over all rows of a relation, whatever their order."""

from __future__ import annotations

from prefect_sluice.domain.digests import digest
from prefect_sluice.warehouse.base import Reader
from prefect_sluice.warehouse.engines import functions


def content(relation: str, reader: Reader) -> str:
    """Return a digest over the columns and all rows of a relation (quoted SQL), whatever their order.

    Raises QueryFailed.
    """
    columns = [[column.name, column.type] for column in reader.columns(relation)]
    values = reader.query(functions(reader.dialect).content(relation)).rows[0]
    return digest([columns, [str(value) for value in values]])
