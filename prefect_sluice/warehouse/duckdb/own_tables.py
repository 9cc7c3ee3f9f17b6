"""Which tables of Sluice's own a DuckDB file has."""

from __future__ import annotations

import duckdb

from prefect_sluice.warehouse.duckdb.literals import bound


def has_tables(connection: duckdb.DuckDBPyConnection, table: str = "pointer") -> bool:
    """Say whether Sluice has a table of that name in the file."""
    sql = """
        select 1 from duckdb_tables()
        where database_name = current_database() and schema_name = 'sluice' and table_name = ?
    """
    return bool(connection.execute(bound(sql, [table])).fetchall())
