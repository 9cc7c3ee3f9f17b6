"""A Reader over a DuckDB connection, for the tests of gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import Column, Rows, WhichState, quoted


@dataclass
class DuckReader:
    """Reads what `connection` sees; `asked` keeps the queries, so that a test can count them."""

    connection: duckdb.DuckDBPyConnection
    dialect: str = "duckdb"
    asked: list[str] = field(default_factory=list[str])

    def query(self, sql: str) -> Rows:
        self.asked.append(sql)
        try:
            cursor = self.connection.execute(sql)
            rows = tuple(cursor.fetchall())
            return Rows(tuple(column[0] for column in cursor.description or ()), rows)
        except duckdb.Error as error:
            raise QueryFailed(str(error).splitlines()[0], sql) from error

    def at(self, name: Name, of: WhichState = "own") -> str:
        assert of == "own", "there is one database alone"
        return quoted(name.schema, name.identifier)

    def stop(self) -> None:
        self.connection.interrupt()

    def columns(self, relation: str) -> Sequence[Column]:
        try:
            described = self.connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        except duckdb.Error as error:
            raise QueryFailed(str(error).splitlines()[0], relation) from error
        return tuple(Column(name, kind) for name, kind, *_ in described)
