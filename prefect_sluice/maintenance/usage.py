"""Room that generations take: bytes that only one keeps, bytes that several share, and bytes that none keeps. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.inventory import Inventory


@dataclass(frozen=True, slots=True)
class GenerationUse:
    """One generation that can still be served. `own` are bytes in tables that no other one reaches, `shared` bytes in those
    that others reach, too; `relations` and `rows` count both. A view takes nothing: what it reads counts."""

    environment: str
    number: int
    release: str
    relations: int
    rows: int
    own: int
    shared: int


@dataclass(frozen=True, slots=True)
class WarehouseUse:
    """A warehouse file: its generations (newest first per environment), `size` and `free` bytes of the file, how many
    physical relations there are, and the bytes of tables that no generation reaches."""

    generations: tuple[GenerationUse, ...]
    size: int
    free: int
    relations: int
    unreached: int


def usage(inventory: Inventory, reading: Mapping[Name, frozenset[Name]]) -> WarehouseUse:
    """Return the room of each generation. `reading` is what each physical view reads itself; the inventory has to be measured."""
    sizes = {relation.address: relation.size or 0 for relation in inventory.physical}
    rows = {relation.address: relation.rows for relation in inventory.physical}
    reached = {
        (generation.environment, generation.number): _reached(
            inventory, generation.environment, generation.number, reading
        )
        for generation in inventory.generations
        if generation.collected_at is None
    }
    times: dict[Name, int] = {}
    for names in reached.values():
        for name in names:
            times[name] = times.get(name, 0) + 1
    uses = tuple(
        GenerationUse(
            generation.environment,
            generation.number,
            generation.release,
            len(names),
            sum(rows.get(name, 0) for name in names),
            sum(sizes.get(name, 0) for name in names if times[name] == 1),
            sum(sizes.get(name, 0) for name in names if times[name] > 1),
        )
        for generation in inventory.generations
        if (names := reached.get((generation.environment, generation.number))) is not None
    )
    unreached = sum(size for name, size in sizes.items() if name not in times)
    return WarehouseUse(uses, inventory.disk.size, inventory.disk.free, len(inventory.physical), unreached)


def _reached(
    inventory: Inventory, environment: str, number: int, reading: Mapping[Name, frozenset[Name]]
) -> frozenset[Name]:
    there = {relation.address for relation in inventory.physical}
    todo = [
        span.pointer.address
        for span in inventory.spans
        if span.environment == environment and span.holds(number)
    ]
    names: set[Name] = set()
    while todo:
        name = todo.pop()
        if name in there and name not in names:
            names.add(name)
            todo += reading.get(name, ())
    return frozenset(names)
