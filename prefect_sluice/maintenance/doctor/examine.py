"""One run of the doctor: checks everything and changes nothing; with `repair`, under the leases, repairs what is safe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from prefect_sluice.domain.errors import BadInput, SluiceError
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.maintenance import leftovers
from prefect_sluice.maintenance.doctor import content, files, machine, recorded, served
from prefect_sluice.maintenance.doctor.complaint import Complaint, Examined, Repair
from prefect_sluice.maintenance.leftovers import Leftover, LeftoverKind
from prefect_sluice.runtime import process
from prefect_sluice.stages.deploy import settle
from prefect_sluice.state.lease import hold_lease, holder_is_dead, this_process
from prefect_sluice.state.store import StateStore
from prefect_sluice.warehouse.database import Database
from prefect_sluice.warehouse.inventory import Inventory
from prefect_sluice.workspace.workspace import Environment, Workspace, databases

REPAIRED = "doctor.repaired"


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """What was repaired, what is wrong (still), and how many environments were looked at."""

    repaired: tuple[Complaint, ...]
    complaints: tuple[Complaint, ...]
    environments: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Say whether nothing is wrong; notes do not count."""
        return all(complaint.note for complaint in self.complaints)


def examine(workspace: Workspace, environment: str = "", *, deep: bool = False) -> DoctorReport:
    """Examine one environment or all. Changes nothing, takes no lease. Raises ConfigInvalid, BadInput.

    `deep`: every row that a kept generation leads to is read again, and compared with what was published.
    """
    chosen = _chosen(workspace, environment)
    return DoctorReport((), tuple(_complaints(workspace, chosen, deep=deep)), tuple(chosen))


def repair(workspace: Workspace, environment: str = "", *, actor: str, deep: bool = False) -> DoctorReport:
    """Repair what is safe, then examine again. Repeatable. Raises LeaseHeld when somebody is at work."""
    chosen = _chosen(workspace, environment)
    store = existing(workspace)
    if store is None:
        return examine(workspace, environment, deep=deep)
    first = tuple(_complaints(workspace, chosen))
    done = _leases(store, first)
    with ExitStack() as stack:
        leases = {
            name: stack.enter_context(hold_lease(store, name, this_process(actor))).lease
            for name in sorted(chosen)
        }
        # Looked at again under the leases: what was wrong may have been somebody's work going on.
        repairable = tuple(complaint for complaint in _complaints(workspace, chosen) if complaint.repair)
        done += (
            _views(workspace, leases, repairable)
            + _settled(workspace, chosen, leases, first)
            + _removed(repairable)
        )
        for complaint in done:
            _tell(store, complaint, actor)
    return DoctorReport(done, examine(workspace, environment, deep=deep).complaints, tuple(chosen))


def existing(workspace: Workspace) -> StateStore | None:
    """Return the state store; None, and nothing is made, when there is no file of it. Raises BadInput."""
    return workspace.store if workspace.has_store else None


def _chosen(workspace: Workspace, environment: str) -> Mapping[str, Environment]:
    if environment:
        resolved = workspace.environment(environment)
        return {resolved.name: resolved}
    return workspace.environments


def _complaints(
    workspace: Workspace, environments: Mapping[str, Environment], *, deep: bool = False
) -> Iterator[Complaint]:
    complaints: list[Complaint] = []
    store = _store(workspace, complaints)
    inventories = {
        database.identity: inventory
        for database in databases(environments.values())
        if (inventory := _inventory(workspace, environments, database, complaints)) is not None
    }
    patient = Examined(workspace, environments, store, inventories, process.now(), deep)
    yield from complaints
    yield from served.examine(patient)
    if deep:
        yield from content.examine(patient)
    if store is not None or not complaints:
        yield from recorded.examine(patient)
    yield from files.examine(patient)
    yield from machine.examine()


def _store(workspace: Workspace, complaints: list[Complaint]) -> StateStore | None:
    try:
        return existing(workspace)
    except BadInput as error:
        complaints.append(
            Complaint("state", "", error.what, "nothing can be released or approved", error.fix)
        )
        return None


def _inventory(
    workspace: Workspace,
    environments: Mapping[str, Environment],
    database: Database,
    complaints: list[Complaint],
) -> Inventory | None:
    here = [name for name, one in environments.items() if one.database.identity == database.identity]
    try:
        return workspace.warehouse(environments[here[0]]).inventory()
    except SluiceError as error:
        why = error.what if isinstance(error, BadInput) else error.problem
        fix = "close it there, then: sluice doctor" if error.retry else "restore it from a backup"
        complaints.append(
            Complaint(
                "warehouse", ", ".join(here), f"{database.name}: {why}", "nothing in it was looked at", fix
            )
        )
        return None


def _leases(store: StateStore, complaints: Sequence[Complaint]) -> tuple[Complaint, ...]:
    """Drop the leases of the dead, before ours are taken."""
    done: list[Complaint] = []
    for complaint in complaints:
        lease = store.lease(complaint.environment) if complaint.repair is Repair.LEASE else None
        dead = lease is not None and holder_is_dead(lease.holder, process.host())
        if lease is not None and (dead or lease.expires_at <= process.now()):
            with store.transaction() as transaction:
                transaction.drop_lease(lease)
            done.append(complaint)
    return tuple(done)


def _views(
    workspace: Workspace, leases: Mapping[str, Lease], complaints: Sequence[Complaint]
) -> tuple[Complaint, ...]:
    done: list[Complaint] = []
    for name, lease in leases.items():
        wanted: dict[Name, Name] = {
            complaint.view[0]: complaint.view[1]
            for complaint in complaints
            if complaint.environment == name and complaint.view is not None
        }
        if not wanted:
            continue
        with workspace.store.fenced(lease, now=process.now()):
            made = workspace.warehouse(workspace.environment(name)).mend(name, wanted)
        done += [
            _with_place(complaint, made[complaint.view[0]])
            for complaint in complaints
            if complaint.environment == name and complaint.view is not None and complaint.view[0] in made
        ]
    return tuple(done)


def _with_place(complaint: Complaint, aside: Name | None) -> Complaint:
    """Return what was repaired, with the name that a table has now which stood in the way."""
    return (
        replace(complaint, thing=f"{complaint.thing}; it is {aside} now") if aside is not None else complaint
    )


def _settled(
    workspace: Workspace,
    environments: Mapping[str, Environment],
    leases: Mapping[str, Lease],
    complaints: Sequence[Complaint],
) -> tuple[Complaint, ...]:
    # From the first look: under our own lease the promotion looks as if somebody were at work on it.
    pending = tuple(complaint for complaint in complaints if complaint.repair is Repair.SETTLE)
    for name in {complaint.environment for complaint in pending}:
        settle(workspace.under(leases[name]), environments[name])
    return pending


def _removed(complaints: Sequence[Complaint]) -> tuple[Complaint, ...]:
    doomed = [
        complaint
        for complaint in complaints
        if complaint.repair is Repair.FILE and complaint.path is not None
    ]
    for complaint in doomed:
        if complaint.path is not None:
            leftovers.remove([Leftover(complaint.path, LeftoverKind.SIDE_FILE, 0)], process.now())
    return tuple(doomed)


def _tell(store: StateStore, complaint: Complaint, actor: str) -> None:
    facts = {
        "check": complaint.check,
        "found": complaint.thing,
        "done": complaint.repair.value if complaint.repair else "",
    }
    with store.transaction() as transaction:
        transaction.append(
            REPAIRED, environment=complaint.environment, actor=actor, facts=facts, at=process.now()
        )
