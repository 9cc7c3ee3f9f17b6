"""A difference that was found once, by what the two relations hold: the same pair is never compared twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from prefect_sluice.diff.relation import RelationDiff
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.memory import Memory
from prefect_sluice.runtime import documents
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
    kept = memory.recall(key)
    if kept is not None:
        return replace(read(kept), name=name)
    compared = compare()
    memory.keep(key, compared.as_json())
    return compared


def read(document: Json) -> RelationDiff:
    """Return the difference that `RelationDiff.as_json` wrote."""
    return documents.read(RelationDiff, document)
