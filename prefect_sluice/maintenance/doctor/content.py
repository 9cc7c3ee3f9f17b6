"""Checks of rows against what was published: reads again every relation of a generation that can be served. Slow."""

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
    """Yield the relations that were edited since they were published, and how many cannot be compared."""
    for environment in patient.environments.values():
        inventory = patient.inventory(environment)
        led = _led(environment, inventory) if inventory is not None else {}
        if led:
            with patient.workspace.warehouse(environment).reader() as reader:
                relations = reader.reread(sorted(led, key=str))
            for relation in relations:
                if relation.is_edited:
                    yield _edited(environment, led[relation.address], relation)
            yield from _untold(environment, [relation for relation in relations if not relation.is_told])


def _led(environment: Environment, inventory: Inventory) -> dict[Name, Pointer]:
    """Return the relations that are there and that a whole generation leads to, with the last pointer to each."""
    there = {relation.address for relation in inventory.physical}
    whole = [
        generation.number
        for generation in inventory.generations
        if generation.environment == environment.name and generation.collected_at is None
    ]
    return {
        span.pointer.address: span.pointer
        for span in inventory.spans
        if span.environment == environment.name
        and span.pointer.address in there
        and not span.pointer.is_old_name
        and any(span.holds(number) for number in whole)
    }


def _edited(environment: Environment, pointer: Pointer, relation: RereadRelation) -> Complaint:
    return Complaint(
        "content",
        environment.name,
        relation.words,
        f"who reads {pointer.name} in a generation that leads there sees rows that no gate saw, and a release may build on them",
        mended(pointer, relation),
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
