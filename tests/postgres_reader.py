"""A Reader over a PostgreSQL connection: what differs by engine is asked of a real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, cast

import psycopg

from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import Column, Rows, WhichState, quoted


@dataclass
class PostgresReader:
    """Reads what `connection` sees; each query is a transaction of its own."""

    connection: psycopg.Connection[Any]
    dialect: str = "postgres"

    def query(self, sql: str) -> Rows:
        return self._ask(sql)[0]

    def columns(self, relation: str) -> Sequence[Column]:
        return self._ask(f"select * from {relation} limit 0")[1]

    def at(self, name: Name, of: WhichState = "own") -> str:
        assert of == "own", "there is one database alone"
        return quoted(name.schema, name.identifier)

    def stop(self) -> None:
        self.connection.cancel()

    def _ask(self, sql: str) -> tuple[Rows, Sequence[Column]]:
        try:
            with self.connection.transaction(), self.connection.cursor() as cursor:
                cursor.execute(cast(LiteralString, sql))
                described = cursor.description or []
                rows = tuple(tuple(row) for row in cursor.fetchall())
        except psycopg.Error as error:
            raise QueryFailed(str(error).splitlines()[0], sql) from error
        columns = tuple(Column(each.name, each.type_display) for each in described)
        return Rows(tuple(each.name for each in described), rows), columns
