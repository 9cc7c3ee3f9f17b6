"""Reads a DuckDB database through one connection."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from prefect_sluice.errors import QueryFailed
from prefect_sluice.warehouse.base import Column, Rows


class DuckReader:
    """A Reader over one connection, in one transaction."""

    dialect = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Read through `connection`, which the caller opens and closes."""
        self._connection = connection

    def query(self, sql: str) -> Rows:
        """Return all rows. Raises QueryFailed."""
        try:
            answer = self._connection.execute(sql)
            names = tuple(str(column[0]) for column in answer.description or ())
            return Rows(names, tuple(tuple(row) for row in answer.fetchall()))
        except duckdb.InterruptException as error:
            # It took the transaction with it. The file is held open, so the next one sees the same state.
            self._connection.execute("rollback")
            self._connection.execute("begin transaction")
            raise QueryFailed("it was stopped", sql) from error
        except duckdb.Error as error:
            raise QueryFailed(str(error).splitlines()[0], sql) from error

    def stop(self) -> None:
        """See Reader."""
        self._connection.interrupt()

    def columns(self, relation: str) -> Sequence[Column]:
        """Return the columns of a relation, in order. Raises QueryFailed."""
        described = self.query(f"describe select * from {relation}")
        return tuple(Column(str(row[0]), str(row[1])) for row in described.rows)
