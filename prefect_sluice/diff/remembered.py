"""A difference that was found once, by what the two relations hold: the same pair is never compared twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from prefect_sluice.diff.column_stats import ColumnStatsPair
from prefect_sluice.diff.relation import (
    Cell,
    ChangedColumn,
    ChangedRow,
    NameCaseChange,
    RelationDiff,
    TypeChange,
)
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.memory import Memory
from prefect_sluice.domain.verdict import Evidence
from prefect_sluice.warehouse.base import Column

_FORM = 3
"""Of what is kept, and of how it is found: what another Sluice kept in another form is not read."""


def address(
    dialect: str,
    sides: Sequence[tuple[Sequence[Column], Sequence[object]]],
    key: Sequence[str],
    tolerances: Sequence[float] = (),
) -> str:
    """Return the address of a pair of relations: of each its columns, its rows, and sums of hashes over all that it holds; and
    how it is asked: by what key, and with what tolerance of each column.

    It is what the rows are, not what they were built from: a build that does not give the same rows each time has another
    address each time.
    """
    held: list[Json] = [
        [[[column.name, column.type] for column in columns], [str(total) for total in totals]]
        for columns, totals in sides
    ]
    return digest(
        {"form": _FORM, "dialect": dialect, "sides": held, "key": list(key), "near": list(tolerances)}
    )


def remembered(
    memory: Memory | None, key: str, name: str, compare: Callable[[], RelationDiff]
) -> RelationDiff:
    """Return what is kept of a pair, else what `compare` finds, and keep it. `name` is what to call the relation now."""
    if memory is None:
        return compare()
    known = memory.recall(key)
    if known is not None:
        return replace(read(known), name=name)
    found = compare()
    memory.keep(key, found.as_json())
    return found


def read(document: Json) -> RelationDiff:
    """Return the difference that `RelationDiff.as_json` wrote."""
    raw = cast(Mapping[str, Any], document)
    return RelationDiff(
        name=raw["name"],
        rows_before=raw["rows_before"],
        rows_after=raw["rows_after"],
        key=tuple(raw["key"]),
        key_problem=raw["key_problem"],
        rows_added=raw["rows_added"],
        rows_removed=raw["rows_removed"],
        rows_changed=raw["rows_changed"],
        columns_added=_columns(raw["columns_added"]),
        columns_removed=_columns(raw["columns_removed"]),
        columns_retyped=tuple(TypeChange(**item) for item in raw["columns_retyped"]),
        columns_respelled=tuple(NameCaseChange(**item) for item in raw["columns_respelled"]),
        columns_changed=tuple(ChangedColumn(item["name"], item["rows"]) for item in raw["columns_changed"]),
        changed=tuple(
            ChangedRow(tuple(row["key"]), tuple(Cell(**cell) for cell in row["cells"]))
            for row in raw["changed"]
        ),
        added=_rows(raw["added"]),
        removed=_rows(raw["removed"]),
        rows_close=raw["rows_close"],
        columns_close=tuple(raw["columns_close"]),
        numbers=tuple(ColumnStatsPair.read(item) for item in raw["numbers"]),
    )


def _columns(raw: Any) -> tuple[Column, ...]:
    return tuple(Column(item["name"], item["type"]) for item in raw)


def _rows(raw: Any) -> Evidence | None:
    if raw is None:
        return None
    return Evidence(tuple(raw["columns"]), tuple(tuple(row) for row in raw["rows"]), raw["total"])
