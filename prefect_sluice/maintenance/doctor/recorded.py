"""Checks of the state store against the warehouse: generations, promotions, candidates, leases, the ledger, tools."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Collection, Iterator

from prefect_sluice.domain import ledger
from prefect_sluice.domain.errors import LedgerBroken, SluiceError
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.maintenance.doctor import attested
from prefect_sluice.maintenance.doctor.complaint import Complaint, Examined, Repair
from prefect_sluice.promotions.records import OPEN
from prefect_sluice.runtime import process
from prefect_sluice.stages.stage import candidate_is_whole
from prefect_sluice.state.exported import imported_here
from prefect_sluice.state.lease import at_work, holder_is_dead
from prefect_sluice.state.store import StateStore
from prefect_sluice.warehouse.inventory import Inventory
from prefect_sluice.workspace.workspace import Environment, one_per_database

_SERVED = (State.DEPLOYED, State.STABLE)


def examine(patient: Examined) -> Iterator[Complaint]:
    """Yield where the state store and the warehouse do not agree. Without a state store: generations that it should know."""
    for environment in patient.environments.values():
        yield from _generations(patient, environment)
        if patient.store is not None:
            yield from _lease(patient, environment)
            for promotion in patient.store.promotions(environment=environment.name, states=OPEN):
                yield from _open(patient, environment, promotion)
            yield from _tools(patient, environment)
            yield from _copy(patient.store, environment)
    yield from _ledger(patient)
    yield from _forgotten(patient)


def _generations(patient: Examined, environment: Environment) -> Iterator[Complaint]:
    inventory = patient.inventory(environment)
    if inventory is None:
        return
    written = [
        generation for generation in inventory.generations if generation.environment == environment.name
    ]
    promotions = patient.store.promotions(environment=environment.name) if patient.store else ()
    ids = {promotion.id for promotion in promotions}
    # Generation 0 is what was adopted: no promotion wrote it.
    unknown = [generation for generation in written if generation.number and generation.promotion not in ids]
    if unknown:
        yield _unknown(patient, environment, unknown, is_current=unknown[0] is written[0])
    there = {(generation.number, generation.promotion) for generation in written}
    settled = _settled(patient, environment, there)
    lost = [
        promotion
        for promotion in promotions
        if promotion.state in _SERVED
        and promotion.id not in settled
        and (promotion.generation or 0, promotion.id) not in there
    ]
    if lost:
        yield _lost(environment, lost[0], inventory.current(environment.name))


def _settled(
    patient: Examined, environment: Environment, there: Collection[tuple[int, str]]
) -> frozenset[str]:
    """Return the promotions whose generations may be gone: the environment was left since, or released to again."""
    try:
        entries = patient.store.entries(environment=environment.name) if patient.store else ()
    except LedgerBroken:  # told by `_ledger`
        return frozenset()
    passed: set[str] = set()
    so_far: list[str] = []
    for entry in entries:
        if entry.event == ledger.GENERATION_WRITTEN:
            so_far.append(str(entry.facts["promotion"]))
            if (entry.facts["generation"], so_far[-1]) in there:
                passed.update(so_far)
        elif entry.event == ledger.LEFT:
            passed.update(so_far)
    return frozenset(passed)


def _unknown(
    patient: Examined, environment: Environment, unknown: list[Generation], *, is_current: bool
) -> Complaint:
    named = ", ".join(str(generation.number) for generation in reversed(unknown))
    means = (
        "the state store was lost, or this warehouse is another project's; releases and rollbacks are refused"
        if is_current
        else "another state store released here, too: who approved it, and what was tested, is not known"
    )
    return Complaint(
        "generation",
        environment.name,
        f"generation {named} is in the warehouse, and not in the state store",
        means,
        f"restore the state store from a backup, or name the right one in {patient.workspace.file.name}: state"
        + (
            "; if it is lost, go back to what this one knows: "
            f"sluice rollback --env {environment.name} --from {unknown[0].number}"
            if is_current
            else ""
        ),
    )


def _lost(environment: Environment, promotion: Promotion, current: int) -> Complaint:
    return Complaint(
        "generation",
        environment.name,
        f"generation {promotion.generation} was published by promotion {promotion.id}, and is not in the warehouse",
        f"the warehouse serves generation {current}: it was restored from an older copy, or is another file",
        f"put the right file back, or release again: sluice release --env {environment.name}"
        + ("" if current else f"; if it was `sluice leave` that died: sluice leave {environment.name}"),
    )


def _lease(patient: Examined, environment: Environment) -> Iterator[Complaint]:
    lease = patient.store.lease(environment.name) if patient.store else None
    if lease is None:
        return
    dead = holder_is_dead(lease.holder, process.host())
    if dead or lease.expires_at <= patient.now:
        yield Complaint(
            "lease",
            environment.name,
            f"the lease is held by {lease.holder}, " + ("which is dead" if dead else "and ran out"),
            "nobody is at work; the next command takes it over",
            "sluice doctor --repair",
            repair=Repair.LEASE,
        )


def _open(patient: Examined, environment: Environment, promotion: Promotion) -> Iterator[Complaint]:
    """Yield what is wrong with a promotion that is not at its end, and that nobody works on."""
    if patient.store is None or at_work(patient.store, promotion.lease_name) is not None:
        return
    again = _command(patient, environment, promotion)
    inventory = patient.inventory(environment)
    written = {generation.promotion for generation in inventory.generations} if inventory else set[str]()
    if promotion.state is State.DEPLOYING and promotion.id in written:
        yield Complaint(
            "promotion",
            environment.name,
            f"promotion {promotion.id} was published, and its process died before it said so",
            "the ledger does not have its generation yet",
            "sluice doctor --repair",
            repair=Repair.SETTLE,
        )
    elif promotion.state is not State.STAGED:
        yield Complaint(
            "promotion",
            environment.name,
            f"promotion {promotion.id} is {promotion.state.value}, and nobody works on it",
            "its process died",
            f"go on with it: {again}",
        )
    if promotion.state in {State.STAGED, State.APPROVED} and not _whole(patient, promotion):
        yield Complaint(
            "candidate",
            environment.name,
            f"the candidate of promotion {promotion.id} is not, byte for byte, what was judged",
            "it cannot be deployed, whoever approves it",
            f"build it again: {again}",
        )


def _command(patient: Examined, environment: Environment, promotion: Promotion) -> str:
    """Return the command that goes on with a promotion; that of a rollback names both its ends, so that it is safe to repeat."""
    plain = f"sluice {promotion.cause.value} --env {environment.name}"
    if not promotion.cause.goes_back or patient.store is None:
        return plain
    entries = patient.store.entries(environment=environment.name)
    begun = next((entry for entry in entries if entry.facts.get("promotion") == promotion.id), None)
    to = f" --to {begun.facts['origin']}" if begun is not None and "origin" in begun.facts else ""
    return f"{plain} --from {promotion.base}{to}"


def _whole(patient: Examined, promotion: Promotion) -> bool:
    try:
        return candidate_is_whole(patient.workspace, promotion)
    except SluiceError:
        return False


def _ledger(patient: Examined) -> Iterator[Complaint]:
    if patient.store is None:
        return
    try:
        entries = patient.store.entries()
        ledger.verify(entries)
    except LedgerBroken as error:
        means = "what it says of that time, and before, proves nothing"
        yield Complaint(
            "ledger", "", f"ledger entry {error.number} is not what was written: {error.why}", means,
            "restore the state store from a backup",
        )  # fmt: skip
        return
    yield from attested.examine(patient, patient.store, entries)
    present = ledger.fold(entries)
    for environment in patient.environments.values():
        inventory = patient.inventory(environment)
        recorded = present[environment.name]["generation"] if environment.name in present else 0
        current = inventory.current(environment.name) if inventory else recorded
        deploying = patient.store.promotions(environment=environment.name, states=(State.DEPLOYING,))
        if recorded != current and not deploying:
            yield Complaint(
                "ledger",
                environment.name,
                f"the ledger says generation {recorded}, the warehouse generation {current}",
                "one of them was restored from another day, or altered",
                "restore the one that is older",
            )


def _tools(patient: Examined, environment: Environment) -> Iterator[Complaint]:
    inventory = patient.inventory(environment)
    serving = (
        next((i for i in inventory.generations if i.environment == environment.name), None)
        if inventory
        else None
    )
    release = patient.store.release(serving.release) if patient.store and serving else None
    for name, version in release.tools.items() if release else ():
        installed = _installed(name)
        if installed != version:
            yield Complaint(
                "tools",
                environment.name,
                f"what serves was built with {name} {version}; here is {installed or 'none'}",
                "the next release may build more than its change",
                f"see what: sluice plan --env {environment.name}",
                note=True,
            )


def _copy(store: StateStore, environment: Environment) -> Iterator[Complaint]:
    copied = imported_here(store, environment.name)
    if copied is not None:
        yield Complaint(
            "copy",
            environment.name,
            f"this is {copied.line}",
            "what is released or approved here is not released there",
            f"check commits beside it: sluice check --env {environment.name}; newer: sluice export there, sluice import here",
            note=True,
        )


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _forgotten(patient: Examined) -> Iterator[Complaint]:
    """Yield environments that this project released to, and that sluice.yml does not name any more."""
    previews = (
        {preview.name for preview in patient.store.previews(ended=True)} if patient.store else set[str]()
    )
    for environment in one_per_database(patient.environments.values()):
        inventory = patient.inventory(environment) or Inventory()
        for name in sorted(set(inventory.environments) - previews):
            newest = next(
                generation for generation in inventory.generations if generation.environment == name
            )
            ours = patient.store is not None and patient.store.promotion(newest.promotion) is not None
            if ours and name not in patient.workspace.environments:
                yield Complaint(
                    "environment",
                    name,
                    f"{environment.database.name} serves environment {name!r}, which {patient.workspace.file.name} does not name",
                    "it is not released to, and nothing of it is collected",
                    "name it again, or leave it as it is",
                    note=True,
                )
