"""The columns that a recorded difference says are not as they were, in words: read back from the finding's tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prefect_sluice.diff.relation import percent
from prefect_sluice.domain.verdict import Evidence

NONE = "none"
"""Stands in the table of a schema for the side on which a column is not there."""
_SPELLED = "spelled "


def changed_columns(tables: Iterable[Evidence]) -> Mapping[str, str]:
    """Return what becomes of each column that is dropped, retyped or respelled, or has other values: words by its name.

    `tables` are those that `tables.tables` made of a difference. A column that is new is none that anybody reads.
    """
    by_title = {sample.title: sample for sample in tables}
    kinds = _rows(by_title, "schema")
    words = {name: _of_kind(before, after) for name, before, after in kinds if before != NONE}
    one_sided = {name for name, before, after in kinds if NONE in (before, after)}
    for name, _, share in (row[:3] for row in _rows(by_title, "columns")):
        if name not in one_sided and (values := _of_values(share)):
            words[name] = ", ".join(filter(None, (words.get(name, ""), values)))
    return words


def _rows(by_title: Mapping[str, Evidence], title: str) -> list[Sequence[str]]:
    sample = by_title.get(title)
    return [[value or "" for value in row] for row in sample.rows] if sample else []


def _of_kind(before: str, after: str) -> str:
    if after == NONE:
        return "dropped"
    if after.startswith(_SPELLED):
        return f"{after}, was {before.removeprefix(_SPELLED)}"
    return f"retyped: {after}, was {before}"


def _of_values(share: str) -> str:
    """Return in how many rows values change; "" where none does. Without a key nobody knows in how many."""
    if not share:
        return "values change"
    return f"values change in {percent(float(share))} of the rows" if float(share) else ""
