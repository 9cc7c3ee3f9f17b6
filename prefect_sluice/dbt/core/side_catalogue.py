"""Has dbt see the catalogue of a side database as it would see that of the warehouse itself."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from prefect_sluice.dbt.core.replaced_attributes import replaced
from prefect_sluice.warehouse.duckdb.side_catalogue import corrected, dropping_a_view, lists


@contextmanager
def as_in_the_warehouse() -> Generator[None]:
    """Have dbt-duckdb's cursors ask the corrected lists, in this process, while the block runs."""
    from dbt.adapters.duckdb.environments import Environment
    from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper

    opening = _with_lists(vars(Environment)["initialize_db"].__func__)
    asking = _corrected(vars(DuckDBCursorWrapper)["execute"])
    with (
        replaced(Environment, initialize_db=classmethod(opening)),
        # Python models are given the same wrapper, and ask by these.
        replaced(DuckDBCursorWrapper, execute=asking, sql=_relation, query=_relation),
    ):
        yield


def _with_lists(opens: Callable[..., Any]) -> Callable[..., Any]:
    def initialize_db(cls: Any, *arguments: Any, **named: Any) -> Any:
        connection = opens(cls, *arguments, **named)
        for statement in lists():
            connection.execute(statement)
        return connection

    return initialize_db


def _corrected(runs: Callable[..., Any]) -> Callable[..., Any]:
    def execute(self: Any, sql: str, bindings: Any = None) -> Any:
        text = corrected(sql)
        try:
            return runs(self, text, bindings)
        except Exception as error:
            instead = dropping_a_view(text, str(error))
            if not instead:
                raise
        return runs(self, instead, bindings)

    return execute


def _relation(self: Any, sql: str, *arguments: Any, **named: Any) -> Any:
    return self._cursor.sql(corrected(sql), *arguments, **named)
