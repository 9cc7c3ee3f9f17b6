"""Checks of what is served against the pointers: relations that are gone, altered public views, relations of strangers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prefect_sluice.domain.displaced_names import TAKE_BACK, Displaced, Replacement
from prefect_sluice.domain.node import Name, short_name
from prefect_sluice.gates.diff.comparison import expect_name
from prefect_sluice.maintenance.collect_plan import read_by
from prefect_sluice.maintenance.doctor.complaint import Complaint, Examined, Repair
from prefect_sluice.warehouse.base import Linker, Warehouse, quoted
from prefect_sluice.warehouse.inventory import Inventory, PointerSpan
from prefect_sluice.workspace.workspace import Environment, one_per_database


def examine(patient: Examined) -> Iterator[Complaint]:
    """Yield what is wrong in the warehouses."""
    for environment in patient.environments.values():
        inventory = patient.inventory(environment)
        if inventory is not None and inventory.current(environment.name):
            yield from _gone(environment, inventory)
            yield from _views(environment, patient.workspace.warehouse(environment))
    for environment in one_per_database(patient.environments.values()):
        inventory = patient.inventory(environment)
        if inventory is not None:
            yield from _strangers(patient, inventory)
            yield from _readers(inventory, patient.workspace.warehouse(environment).linker)


def _gone(environment: Environment, inventory: Inventory) -> Iterator[Complaint]:
    """Yield physical relations that a pointer leads to, and that are not there."""
    there = {relation.address for relation in inventory.physical}
    whole = [
        generation.number
        for generation in inventory.generations
        if generation.environment == environment.name and generation.collected_at is None
    ]
    complained_of: set[Name] = set()
    for span in reversed(inventory.spans):
        address = span.pointer.address
        needing = [number for number in whole if span.holds(number)]
        if (
            span.environment != environment.name
            or address in there
            or address in complained_of
            or not needing
        ):
            continue
        complained_of.add(address)
        if span.until is None:
            yield _live_gone(
                environment,
                span,
                inventory.current(environment.name),
                _newest_whole(environment, inventory, whole),
            )
        else:
            yield _kept_gone(environment, address, needing)


def _newest_whole(environment: Environment, inventory: Inventory, kept: list[int]) -> int:
    """Return the newest generation before the present one of which every relation is still there, 0 for none."""
    there = {relation.address for relation in inventory.physical}
    gone = [
        span
        for span in inventory.spans
        if span.environment == environment.name and span.pointer.address not in there
    ]
    before = [number for number in kept if number < inventory.current(environment.name)]
    return max((number for number in before if not any(span.holds(number) for span in gone)), default=0)


def _live_gone(environment: Environment, span: PointerSpan, current: int, whole: int) -> Complaint:
    pointer = span.pointer
    ways = (
        ["put it back from a backup of the warehouse"]
        if pointer.kind.keeps_history
        else [f"build it again: sluice release --env {environment.name}"]
    )
    if whole:
        ways.append(
            f"or go back to generation {whole}: sluice rollback --env {environment.name} --to {whole} --from {current}"
        )
    if pointer.kind.keeps_history:
        name = expect_name(short_name(pointer.node) or pointer.name.identifier)
        ways.append(
            f"or, if its rows are to go, commit with a line that says so (Expect: {name} rows), then: "
            f"sluice release --env {environment.name}"
        )
    return Complaint(
        "relation", environment.name, f"{pointer.address} is gone", f"who reads {pointer.name} gets an error",
        "; ".join(ways),
    )  # fmt: skip


def _kept_gone(environment: Environment, address: Name, numbers: list[int]) -> Complaint:
    named = ", ".join(str(number) for number in sorted(numbers))
    return Complaint(
        "relation",
        environment.name,
        f"{address} is gone",
        f"generation {named} cannot be served again",
        f"restore the warehouse from a backup, or write it off: sluice collect --env {environment.name}",
    )


def _views(environment: Environment, warehouse: Warehouse) -> Iterator[Complaint]:
    """Yield public names that do not lead where their pointer says."""
    for view in warehouse.displaced(environment.name):
        yield (
            _replaced(environment, view)
            if view.instead is Replacement.TABLE
            else _lost_view(environment, view)
        )


def _lost_view(environment: Environment, view: Displaced) -> Complaint:
    is_missing = view.instead is Replacement.NOTHING
    return Complaint(
        "view",
        environment.name,
        f"the public view {view.name} is missing"
        if is_missing
        else f"the public view {view.name} was altered",
        "its readers get an error" if is_missing else f"its readers do not see {view.address}",
        TAKE_BACK,
        repair=Repair.VIEW,
        view=(view.name, view.address),
    )


def _replaced(environment: Environment, view: Displaced) -> Complaint:
    return Complaint(
        "view",
        environment.name,
        f"a table stands at {view.name}, where a public view was",
        "its readers see what no gate saw; releases, refreshes and rollbacks are refused",
        f"{TAKE_BACK}: the table is renamed, never dropped",
        repair=Repair.VIEW,
        view=(view.name, view.address),
    )


def _strangers(patient: Examined, inventory: Inventory) -> Iterator[Complaint]:
    """Yield what stands in the store and was never built by Sluice."""
    made = {span.pointer.address for span in inventory.spans}
    if patient.store is not None:
        made |= {built.address for built in patient.store.relations()}
    for relation in inventory.physical:
        if relation.address not in made:
            what = "view" if relation.is_view else "table"
            yield Complaint(
                "stranger",
                "",
                f"{relation.address} was not made by Sluice",
                "it is never collected, and keeps what it reads",
                f"move what is in it, then: drop {what} {quoted(relation.address.schema, relation.address.identifier)}",
            )


def _readers(inventory: Inventory, linker: Linker) -> Iterator[Complaint]:
    """Yield views outside the store that read physical relations and not the public names."""
    ours = {span.pointer.name.folded for span in inventory.spans if span.until is None}
    addresses: Mapping[Name, Name] = {
        relation.address.folded: relation.address for relation in inventory.physical
    }
    stores = {name.schema for name in addresses}
    for view in inventory.public:
        if not view.is_view or view.name.folded in ours or not any(s in view.sql.lower() for s in stores):
            continue
        for address in sorted(read_by(view.sql, addresses, linker.references)):
            yield Complaint(
                "reader",
                "",
                f"the view {view.name} reads {address} itself",
                "it never sees another generation, and the relation is never collected",
                "let it read the public name instead",
            )
