"""Who keeps what on disk."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.maintenance.usage import usage
from prefect_sluice.warehouse.inventory import DiskUse, Inventory, PointerSpan, StoredRelation

AT = datetime(2026, 3, 1, tzinfo=UTC)


def address(text: str) -> Name:
    return Name("sluice_store", text)


def span(name: str, made: str, since: int, until: int | None) -> PointerSpan:
    return PointerSpan(
        "prod",
        Pointer(Name("main", name), address(made), f"model.x.{name}", NodeKind.TABLE, "f", "i"),
        since,
        until,
    )


def test_bytes_of_one_generation_and_bytes_that_are_shared() -> None:
    generations = tuple(
        Generation("prod", number, f"r{number}", f"p{number}", 1, Cause.RELEASE, number, AT, ())
        for number in (3, 2, 1)
    )
    inventory = Inventory(
        generations=(*generations[:2], replace(generations[2], collected_at=AT)),
        spans=(
            span("a", "a1", 1, 2),
            span("a", "a2", 2, 3),
            span("a", "a3", 3, None),
            span("v", "v1", 1, None),
        ),
        physical=(
            StoredRelation(address("a1"), False, "", 5, 50),
            StoredRelation(address("a2"), False, "", 6, 60),
            StoredRelation(address("a3"), False, "", 7, 70),
            StoredRelation(address("t1"), False, "", 8, 80),
            StoredRelation(address("v1"), True, "from t1", 0, 0),
        ),
        disk=DiskUse(1000, 100),
    )
    found = usage(inventory, {address("v1"): frozenset({address("t1")})})
    assert [(use.number, use.relations, use.rows, use.own, use.shared) for use in found.generations] == [
        (3, 3, 15, 70, 80),
        (2, 3, 14, 60, 80),
    ]
    assert (found.size, found.free, found.relations, found.unreached) == (1000, 100, 5, 50)


def test_nothing_was_released() -> None:
    found = usage(Inventory(), {})
    assert (found.generations, found.size, found.unreached) == ((), 0, 0)
