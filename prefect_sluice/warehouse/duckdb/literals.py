"""Values written into SQL: for the first query with parameters the driver imports pandas, 0.4 s, under the lock of a publish."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

Value = str | int | datetime | None


def bound(sql: str, values: Sequence[Value]) -> str:
    """Return `sql` with each `?` replaced by a value, in order. Raises ValueError when they are not as many."""
    pieces = sql.split("?")
    if len(pieces) != len(values) + 1:
        raise ValueError(f"{len(pieces) - 1} places for {len(values)} values: {sql}")
    written = [literal(value) for value in values]
    return "".join(piece + value for piece, value in zip(pieces, (*written, ""), strict=True))


def literal(value: Value) -> str:
    """Return a value as DuckDB reads it. Its strings know no escape but the doubled quote; a zero byte ends the text."""
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return f"timestamp '{value.isoformat(sep=' ')}'"
    if isinstance(value, int):
        return str(int(value))
    if "\0" in value:
        raise ValueError("a text with a zero byte cannot be written into SQL")
    return "'" + value.replace("'", "''") + "'"
