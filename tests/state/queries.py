"""Counts what a store asks its database, where the promise is a number of queries and not of seconds."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import event

from prefect_sluice.state.store import StateStore


@contextmanager
def queries(store: StateStore) -> Generator[list[str]]:
    """Collect the SELECT statements that the store sends, as long as this lasts."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            asked.append(statement)

    event.listen(store._engine, "before_cursor_execute", note)  # pyright: ignore[reportPrivateUsage]
    try:
        yield asked
    finally:
        event.remove(store._engine, "before_cursor_execute", note)  # pyright: ignore[reportPrivateUsage]
