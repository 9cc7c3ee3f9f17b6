"""Rows, against what was published: every relation that a generation leads to which can be served, read again. Takes its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prefect_sluice.domain.generation import Pointer
from prefect_sluice.domain.node import Name
from prefect_sluice.maintenance.doctor.complaint import Complaint, Examined
from prefect_sluice.promotions.reread import mended
from prefect_sluice.warehouse.content import RereadRelation
from prefect_sluice.warehouse.inventory import Inventory
from prefect_sluice.workspace.workspace import Environment


def examine(patient: Examined) -> Iterator[Complaint]:
    """Yield the relations that were edited since they were published, and how many cannot be told."""
    for environment in patient.environments.values():
        inventory = patient.inventory(environment)
        led = _led(environment, inventory) if inventory is not None else {}
        if led:
            found = patient.workspace.warehouse(environment).reread(sorted(led, key=str))
            for item in found:
                if item.is_edited:
                    yield _edited(environment, led[item.address], item)
            yield from _untold(environment, [item for item in found if not item.is_told])


def _led(environment: Environment, inventory: Inventory) -> dict[Name, Pointer]:
    """Return the relations that are there and that a whole generation leads to, with the last pointer to each."""
    there = {item.address for item in inventory.physical}
    whole = [
        item.number
        for item in inventory.generations
        if item.environment == environment.name and item.collected_at is None
    ]
    return {
        span.pointer.address: span.pointer
        for span in inventory.spans
        if span.environment == environment.name
        and span.pointer.address in there
        and not span.pointer.is_old_name
        and any(span.holds(number) for number in whole)
    }


def _edited(environment: Environment, pointer: Pointer, item: RereadRelation) -> Complaint:
    return Complaint(
        "content",
        environment.name,
        item.words,
        f"who reads {pointer.name} in a generation that leads there sees rows that no gate saw, and a release may build on them",
        mended(pointer, item),
    )


def _untold(environment: Environment, untold: Sequence[RereadRelation]) -> Iterator[Complaint]:
    if untold:
        more = f", and {len(untold) - 1} more" if len(untold) > 1 else ""
        yield Complaint(
            "content",
            environment.name,
            f"{untold[0].words}{more}",
            "whether it was edited cannot be told",
            "it can once it was built anew",
            note=True,
        )
