"""Reads a DuckDB database through one connection."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

import duckdb

from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.node import Name
from prefect_sluice.runtime.cancellation import surface_cancellation
from prefect_sluice.warehouse.base import Column, Rows, WhichState, quoted


class DuckReader:
    """A Reader over one connection, in one transaction."""

    dialect = "duckdb"

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        writes: bool = True,
        reads: Callable[[str], str] = str,
        catalogs: Mapping[WhichState, str] | None = None,
    ) -> None:
        """Read through `connection`, which the caller opens and closes; `writes` says that its transaction may do more, `reads`
        gives the SQL that is sent for a query, `catalogs` the names that databases bear there (None: there is one alone)."""
        self._connection = connection
        self._writes = writes
        self._reads = reads
        self._catalogs = catalogs

    def query(self, sql: str) -> Rows:
        """Return all rows. Raises QueryFailed."""
        try:
            with surface_cancellation():
                answer = self._connection.execute(self._reads(sql))
                names = tuple(str(column[0]) for column in answer.description or ())
                return Rows(names, tuple(tuple(row) for row in answer.fetchall()))
        except duckdb.InterruptException as error:
            self._begin_again()
            raise QueryFailed("it was stopped", sql) from error
        except duckdb.Error as error:
            if not self._writes:
                self._begin_again()
            raise QueryFailed(str(error).splitlines()[0], sql) from error

    def _begin_again(self) -> None:
        # What fails while rows are read takes the transaction with it, and all later queries would fail of that.
        # The file is held open, so the next transaction sees the same state.
        with contextlib.suppress(
            duckdb.Error
        ):  # none is open, or the database itself is lost: the next query says so
            self._connection.execute("rollback")
            self._connection.execute("begin transaction")

    def at(self, name: Name, of: WhichState = "own") -> str:
        """See Reader."""
        database = (self._catalogs[of],) if self._catalogs is not None else ()
        return quoted(*database, name.schema, name.identifier)

    def stop(self) -> None:
        """See Reader."""
        self._connection.interrupt()

    def columns(self, relation: str) -> Sequence[Column]:
        """Return the columns of a relation, in order. Raises QueryFailed."""
        described = self.query(f"describe select * from {relation}")
        return tuple(Column(str(row[0]), str(row[1])) for row in described.rows)
