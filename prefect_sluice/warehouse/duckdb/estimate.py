"""How much a publish has to move in a DuckDB file: an estimate from its catalogue, without reading a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb

from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import Publication
from prefect_sluice.warehouse.coming_and_going import Departure
from prefect_sluice.warehouse.duckdb.publish_weight import PublishWeight

_CELLS = """
    select schema_name, table_name, estimated_size * column_count from duckdb_tables()
    where database_name = current_database()
"""


def cells(connection: duckdb.DuckDBPyConnection) -> Mapping[Name, int]:
    """Return how many values each table holds, by its name in lower case."""
    rows = connection.execute(_CELLS).fetchall()
    return {Name(schema, name).folded: int(count) for schema, name, count in rows}


def relations(cells: Mapping[Name, int], names: Iterable[Name], pointers: int, path: Path) -> PublishWeight:
    """Return the weight of bringing in as much as these relations hold. A view, and what is not there, weighs nothing."""
    size = path.stat().st_size
    share = size / max(sum(cells.values()), 1)
    return PublishWeight(int(sum(cells.get(name.folded, 0) for name in names) * share), pointers, size)


def publication(
    cells: Mapping[Name, int], asked: Publication, current: Generation, path: Path
) -> PublishWeight:
    """Return what this publish moves: the candidate's bytes, and what is adopted twice (it is copied, and read again)."""
    file = asked.candidate.file if asked.candidate and asked.tables else None
    candidate = file.stat().st_size if file and file.exists() else 0
    moved = relations(cells, [item.name for item in asked.adopt], 0, path).bring
    before, after = current.by_name(), asked.generation.by_name()
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    return PublishWeight(candidate + 2 * moved, len(changed), path.stat().st_size)


def departures(cells: Mapping[Name, int], items: Iterable[Departure], path: Path) -> PublishWeight:
    """Return what leaving moves: every table that is copied out of the store."""
    listed = list(items)
    return relations(cells, [item.address for item in listed if not item.sql], len(listed), path)
