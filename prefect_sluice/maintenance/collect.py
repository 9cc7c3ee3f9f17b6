"""The work of `sluice collect`: under the leases, it drops from the warehouses and the disk what nothing needs."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from prefect_sluice.domain.controls import blocked
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.errors import LeaseHeld, Refused
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.lease_holder import check_lease
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.poll_rules import CHECKED_FOR
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.maintenance import leftovers
from prefect_sluice.maintenance.collect_plan import CollectInputs, CollectPlan, Retention, plan_collection
from prefect_sluice.maintenance.leftovers import GRACE, Leftover
from prefect_sluice.maintenance.needed import NeededInputs, answered, forgotten, needed, promised
from prefect_sluice.promotions.controls import current as controls
from prefect_sluice.promotions.records import OPEN
from prefect_sluice.promotions.wait_for_lease import wait_teller
from prefect_sluice.promotions.what_serves import know_what_serves
from prefect_sluice.promotions.work import tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.stages.checks import checks, end_dead
from prefect_sluice.stages.deploy import settle
from prefect_sluice.stages.preview.end_previews import end_due
from prefect_sluice.stages.rollback_target import choose
from prefect_sluice.stages.unserved_history import at_rest
from prefect_sluice.state.lease import hold_lease, this_process
from prefect_sluice.warehouse.base import Warehouse
from prefect_sluice.warehouse.database import Database
from prefect_sluice.warehouse.inventory import DiskUse, Inventory
from prefect_sluice.workspace.workspace import Environment, Workspace, one_per_database

STARTED, DONE, SWEPT = "collect.started", "collect.done", "collect.files"

_UNUSED = timedelta(days=90)
"""How long the state store keeps what can be derived again and nobody asked for."""
_OF_PREVIEW = Retention(1, timedelta(0))
"""How much of a preview stays: what it shows."""
_CACHED = 100_000
"""How much of it the state store keeps at most."""


@dataclass(frozen=True, slots=True)
class CollectRequest:
    """The request. `environment` "" is all of them, and the project's files with them. `drop_history` are public names
    that nothing serves, and whose history may go, too."""

    folder: Path
    environment: str = ""
    dry_run: bool = False
    actor: str = "unknown"
    drop_history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CollectedWarehouse:
    """One warehouse: its database, the environments of sluice.yml that serve from it, the plan, its bytes before and after."""

    database: Database
    environments: tuple[str, ...]
    plan: CollectPlan
    before: DiskUse
    after: DiskUse


@dataclass(frozen=True, slots=True)
class Collected:
    """The outcome: relations and files that went, or with `dry_run` would go. `notes` say what was left alone."""

    dry_run: bool
    warehouses: tuple[CollectedWarehouse, ...]
    files: tuple[Leftover, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Say whether there was nothing to collect."""
        return not self.files and not any(warehouse.plan.does_something for warehouse in self.warehouses)

    @property
    def message(self) -> str:
        """The outcome in one line."""
        if self.is_empty:
            return "nothing to collect"
        relations = sum(len(warehouse.plan.drops) for warehouse in self.warehouses)
        verb = "would be dropped" if self.dry_run else "dropped"
        names = sum(len(warehouse.plan.over) for warehouse in self.warehouses)
        old = f", {count(names, 'old name')}" if names else ""
        return f"{count(relations, 'relation')}{old} and {count(len(self.files), 'file')} {verb}"


def collect(
    request: CollectRequest, *, wait: timedelta = timedelta(0), workspace: Workspace | None = None
) -> Collected:
    """Collect, or say what would be collected. Repeatable after any crash: it goes on with what is left.

    `workspace` is the project's where it is open already.

    Takes the lease of every environment whose relations or files it may touch. Raises LeaseHeld when one is
    at work and `wait` is over, Refused when what is needed cannot be known, WarehouseBusy.
    """
    process.disable_telemetry()
    workspace = workspace or Workspace.at(request.folder)
    environments = _environments(workspace, request.environment)
    chosen = {workspace.environment(request.environment).name} if request.environment else set(environments)
    if request.dry_run:
        for environment in environments.values():
            know_what_serves(workspace, environment)
        return _collected(workspace, request, environments, chosen, ())
    end_due(workspace, actor=request.actor, ask_git=True)
    with _leases(workspace, sorted(environments), request.actor, wait) as leases:
        for lease in leases:
            environment = environments[lease.environment]
            settle(workspace.under(lease), environment)
            know_what_serves(workspace, environment)
            _end_dead_checks(workspace, environment.name, request.actor)
        _settle(workspace, environments, request.actor)
        return _collected(workspace, request, environments, chosen, leases)


def _environments(workspace: Workspace, environment: str) -> Mapping[str, Environment]:
    """Return the environments to hold: all, or those that share their warehouse with the one asked for."""
    if not environment:
        return workspace.environments
    return _sharing(workspace.environments, workspace.environment(environment))


def _sharing(environments: Mapping[str, Environment], one: Environment) -> Mapping[str, Environment]:
    """Return the environments that have the database of `one`, itself among them."""
    identity = one.database.identity
    return {name: other for name, other in environments.items() if other.database.identity == identity}


@contextmanager
def _leases(
    workspace: Workspace, names: Sequence[str], actor: str, wait: timedelta
) -> Generator[tuple[Lease, ...]]:
    # In one order: two collectors never wait for each other.
    with ExitStack() as stack:
        holder = this_process(actor)
        taken = [
            stack.enter_context(
                hold_lease(workspace.store, name, holder, wait=wait, on_wait=wait_teller(name, wait))
            )
            for name in names
        ]
        yield tuple(held_lease.lease for held_lease in taken)


def _collected(
    workspace: Workspace,
    request: CollectRequest,
    environments: Mapping[str, Environment],
    chosen: set[str],
    leases: Sequence[Lease],
) -> Collected:
    swept = tuple(
        _warehouse(workspace, request, _sharing(environments, one), chosen, leases)
        for one in one_per_database(environments.values())
    )
    standing = _standing(workspace)
    leftover_files, notes = _files(workspace, request, chosen, standing)
    notes = (*_left(request, swept), *notes)
    gone = leftover_files if request.dry_run else _removed(workspace, request, leftover_files)
    if not request.dry_run:
        with workspace.store.transaction() as transaction:
            transaction.drop_previews(name for warehouse in swept for name in warehouse.plan.forgets)
            transaction.prune_cache(process.now() - _UNUSED, _CACHED)
            gone_promotions, undeclared = forgotten(standing, chosen)
            transaction.drop_records(gone_promotions, undeclared)
            served = {promotion.id for promotion in standing.promotions if promotion.generation is not None}
            unserved = set(gone_promotions) - served - standing.answered
            transaction.prune_reports(served.intersection(gone_promotions), unserved)
            transaction.drop_unserved(unserved)
            for name in sorted(chosen):
                transaction.prune_measures(name)
            transaction.drop_checks(chosen, min(standing.since, process.now() - CHECKED_FOR))
    return Collected(request.dry_run, swept, gone, notes)


def _end_dead_checks(workspace: Workspace, environment: str, actor: str) -> None:
    """End the checks whose process died: what they planned to read need not stay. One that is at work is left alone."""
    if not checks(workspace, environment, OPEN):
        return
    with (
        suppress(LeaseHeld),
        hold_lease(workspace.store, check_lease(environment), this_process(actor)) as lease,
    ):
        ours = workspace.under(lease.lease)
        for promotion in checks(ours, environment, OPEN):
            end_dead(ours, promotion, actor)


def _left(request: CollectRequest, swept: Sequence[CollectedWarehouse]) -> tuple[str, ...]:
    """Return a note for each history that was to be dropped and stays: a kept generation has it, or there is none."""
    ended = {name.folded for swept_warehouse in swept for _, name in swept_warehouse.plan.ended}
    names = (Name.parse(text) for text in request.drop_history)
    why = "it is served, there is none, or a generation that is kept has it: collect again when that one goes"
    return tuple(f"no history of {name} was dropped: {why}" for name in names if name.folded not in ended)


def _warehouse(
    workspace: Workspace,
    request: CollectRequest,
    here: Mapping[str, Environment],
    chosen: set[str],
    leases: Sequence[Lease],
) -> CollectedWarehouse:
    """Collect in the warehouse that the environments `here` share."""
    first = next(iter(here.values()))
    warehouse = workspace.warehouse(first)
    tell(f"looking at {first.database.name}")
    inventory = warehouse.inventory(measured=True)
    ends = frozenset(Name.parse(text).folded for text in request.drop_history)
    plan = plan_warehouse(
        workspace, warehouse, inventory, [here[name] for name in here if name in chosen], ends
    )
    after = inventory.disk
    if plan.does_something and not request.dry_run:
        _drop(workspace, request, warehouse, first.database.name, plan, leases)
        after = warehouse.inventory().disk
    return CollectedWarehouse(first.database, tuple(here), plan, inventory.disk, after)


def plan_warehouse(
    workspace: Workspace,
    warehouse: Warehouse,
    inventory: Inventory,
    environments: Sequence[Environment],
    ends: Collection[Name] = (),
) -> CollectPlan:
    """Return what would go from a warehouse by the retention of these environments. Changes nothing. Raises Refused.

    The only history of a public name stays, whatever the retention says, unless the name (folded) is one of `ends`.
    """
    barred = blocked(controls(workspace))
    rests = {environment.name: at_rest(workspace, environment, inventory) for environment in environments}
    previews = [preview for preview in workspace.store.previews(ended=True) if preview.like in rests]
    pairs = [
        (where, name, resting) for where, histories in rests.items() for name, resting in histories.items()
    ]
    staying = [(where, resting) for where, name, resting in pairs if name not in ends]
    inputs = CollectInputs(
        inventory=inventory,
        keep={
            **{environment.name: retention(environment, inventory, barred) for environment in environments},
            **dict.fromkeys((preview.name for preview in previews if preview.ended is None), _OF_PREVIEW),
        },
        now=process.now(),
        promised={
            **{resting.address: f"the history of {resting.name} of {where}" for where, resting in staying},
            **promised(workspace),
        },
        ours=frozenset(relation.address for relation in workspace.store.relations()),
        ended=frozenset(preview.name for preview in previews if preview.ended is not None),
    )
    plan = plan_collection(inputs, warehouse.linker.references)
    gone = {drop.address for drop in plan.drops}
    return replace(
        plan,
        resting=tuple(sorted((where, resting.name) for where, resting in staying)),
        ended=tuple(sorted((where, resting.name) for where, _, resting in pairs if resting.address in gone)),
    )


def retention(environment: Environment, inventory: Inventory, barred: Collection[str]) -> Retention:
    """Return how much of an environment stays, with the generations that a rollback goes to: as things stand with
    the releases that are blocked (`barred`), and as they will when the blocks are lifted."""
    keep = environment.policy.keep
    targets = {_target(environment, inventory, barred), _target(environment, inventory, ())}
    return Retention(keep.generations, keep.age, frozenset(targets))


def _target(environment: Environment, inventory: Inventory, barred: Collection[str]) -> int:
    history = tuple(
        generation for generation in inventory.generations if generation.environment == environment.name
    )
    try:
        return choose(history[0], history, "", barred).number if history else 0
    except Refused:
        return 0  # nothing to go back to


def _drop(
    workspace: Workspace,
    request: CollectRequest,
    warehouse: Warehouse,
    name: str,
    plan: CollectPlan,
    leases: Sequence[Lease],
) -> None:
    run = uuid.uuid4().hex[:10]
    facts = {
        "run": run,
        "warehouse": name,
        "relations": len(plan.drops),
        "rows": plan.rows,
        "bytes": plan.size,
        "generations": [f"{name} {number}" for name, number in plan.generations],
        **({"history": [f"{where} {name}" for where, name in plan.ended]} if plan.ended else {}),
        **({"old_names": [f"{where} {name}" for where, name in plan.over]} if plan.over else {}),
        **({"previews": list(plan.forgets)} if plan.forgets else {}),
    }
    _tell_ledger(workspace, STARTED, request.actor, facts)
    reach(FaultPoint.COLLECT_INTENT)
    tell(f"dropping {count(len(plan.drops), 'relation')}")
    with workspace.store.fenced(*leases, now=process.now()):
        warehouse.collect(plan.collection(run, process.now()))
    reach(FaultPoint.COLLECT_COMMITTED)
    _tell_ledger(workspace, DONE, request.actor, facts)


def _settle(workspace: Workspace, environments: Mapping[str, Environment], actor: str) -> None:
    """Write the outcome of collections whose process died after the warehouse had committed. Repeatable."""
    entries = workspace.store.entries(environment="", events=(STARTED, DONE))
    ended = {str(entry.facts["run"]) for entry in entries if entry.event == DONE}
    pending = [entry for entry in entries if entry.event == STARTED and str(entry.facts["run"]) not in ended]
    if not pending:
        return
    runs = {
        run
        for environment in one_per_database(environments.values())
        for run in workspace.warehouse(environment).inventory().runs
    }
    for entry in pending:
        if entry.facts["run"] in runs:
            _tell_ledger(workspace, DONE, actor, {**entry.facts, "settled": True})


def _tell_ledger(workspace: Workspace, event: str, actor: str, facts: Mapping[str, object]) -> None:
    with workspace.store.transaction() as transaction:
        transaction.append(event, actor=actor, facts=facts, at=process.now())  # pyright: ignore[reportArgumentType]  # plain JSON


def _files(
    workspace: Workspace, request: CollectRequest, chosen: set[str], standing: NeededInputs
) -> tuple[tuple[Leftover, ...], tuple[str, ...]]:
    now = process.now()
    must = needed(workspace, standing, chosen, now)
    promotions = {
        promotion.id: promotion.environment
        for promotion in standing.promotions
        if promotion.environment in chosen
    }
    files = [
        *leftovers.of_environments(workspace.folder, promotions, must),
        *leftovers.on_shelf(workspace.shelf, promotions, must),
    ]
    if request.environment:
        return tuple(files), ()
    files += leftovers.of_project(workspace.folder, must, workspace.bundles.folder, now)
    notes = () if must.bundles is not None else (f"the bundle store is left alone: {OUTSIDE}",)
    return tuple(files), notes


OUTSIDE = "it lies outside the repository, and may hold what others need"


def _standing(workspace: Workspace) -> NeededInputs:
    inventories = [
        workspace.warehouse(environment).inventory()
        for environment in one_per_database(workspace.environments.values())
    ]
    generations = [generation for inventory in inventories for generation in inventory.generations]
    age = max((environment.policy.keep.age for environment in workspace.environments.values()), default=GRACE)
    return NeededInputs(
        workspace.store.promotions(),
        tuple(generation for generation in generations if generation.collected_at is None),
        tuple(_current(generations)),
        process.now() - max(age, GRACE),
        answered(workspace),
    )


def _current(generations: Sequence[Generation]) -> Generator[Generation]:
    for name in {generation.environment for generation in generations}:
        yield max((i for i in generations if i.environment == name), key=lambda generation: generation.number)


def _removed(
    workspace: Workspace, request: CollectRequest, files: Sequence[Leftover]
) -> tuple[Leftover, ...]:
    if not files:
        return ()
    tell(f"removing {count(len(files), 'file')}")
    gone = leftovers.remove(files, process.now(), workspace.shelf)
    facts = {"files": len(gone), "bytes": sum(file.size for file in gone), "environment": request.environment}
    _tell_ledger(workspace, SWEPT, request.actor, facts)
    return gone
