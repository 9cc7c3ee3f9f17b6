"""Leaving: turns the public names into plain tables and views, and removes all of Sluice from the warehouse. No gate runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from prefect_sluice.domain import ledger
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.ledger import LEFT
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.promotion import Lease, State
from prefect_sluice.promotions.records import open_promotions
from prefect_sluice.promotions.wait_for_lease import wait_teller
from prefect_sluice.promotions.work import tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.stages.deploy import settle
from prefect_sluice.state.lease import hold_lease, this_process
from prefect_sluice.warehouse.coming_and_going import Departure
from prefect_sluice.warehouse.publishing import Forecast, Published
from prefect_sluice.workspace.workspace import Environment, Workspace


@dataclass(frozen=True, slots=True)
class LeavePlan:
    """The plan of leaving an environment: its generation (number 0: there is nothing to leave) becomes plain relations."""

    generation: Generation
    departures: tuple[Departure, ...]
    expected: Forecast


@dataclass(frozen=True, slots=True)
class LeaveOutcome:
    """The outcome of leaving. `remains` are relations in the store that Sluice did not make; `published` is None if there was
    nothing to do."""

    generation: Generation
    departures: tuple[Departure, ...]
    remains: tuple[Name, ...]
    published: Published | None


def plan_leave(workspace: Workspace, environment: Environment) -> LeavePlan:
    """Return what leaving would do. Changes nothing."""
    warehouse = workspace.warehouse(environment)
    departures = warehouse.departures(environment.name)
    tables = [departure.address for departure in departures if not departure.sql]
    return LeavePlan(
        warehouse.generation(environment.name), departures, warehouse.forecast(tables, len(departures))
    )


def leave(
    workspace: Workspace, environment: Environment, *, actor: str, wait: timedelta = timedelta(0)
) -> LeaveOutcome:
    """Leave an environment, under its lease. Repeatable, also after any crash: what is done is not done twice.

    Raises Refused while a promotion is open, or when a public name holds what Sluice did not put there.
    """
    teller = wait_teller(environment.name, wait)
    with hold_lease(
        workspace.store, environment.name, this_process(actor), wait=wait, on_wait=teller
    ) as lease:
        workspace = workspace.under(lease.lease)
        settle(workspace, environment)
        _refuse_while_open(workspace, environment)
        leaving = plan_leave(workspace, environment)
        if not leaving.generation.number:
            _record(workspace, environment, actor, {})
            return LeaveOutcome(leaving.generation, (), (), None)
        return _leave(workspace, environment, leaving, lease.lease, actor)


def _leave(
    workspace: Workspace, environment: Environment, leaving: LeavePlan, lease: Lease, actor: str
) -> LeaveOutcome:
    tell(f"writing {count(len(leaving.departures), 'plain relation')}")
    how: list[Published] = []
    with workspace.store.fenced(lease, now=process.now()):
        remains = workspace.warehouse(environment).leave(
            environment.name, leaving.generation.number, told=how.append
        )
    reach(FaultPoint.LEAVE_DONE)
    _record(workspace, environment, actor, how[0].facts() if how else {})
    return LeaveOutcome(leaving.generation, leaving.departures, remains, how[0] if how else None)


def _refuse_while_open(workspace: Workspace, environment: Environment) -> None:
    for promotion in open_promotions(workspace, environment.name):
        raise Refused(
            f"promotion {promotion.id} of {environment.name} is still open ({promotion.state.value})",
            step=NextStep.of(
                "end it first: ",
                Command.of("reject", promotion.id)
                if promotion.state is State.STAGED
                else Command.of("release", "--env", environment.name),
            ),
        )


def _record(
    workspace: Workspace, environment: Environment, actor: str, publish: dict[str, str | float]
) -> None:
    """Write into the ledger that the environment serves nothing of ours. Repeatable: a second time changes nothing."""
    present = ledger.fold(workspace.store.entries(environment=environment.name)).get(environment.name)
    if present is None:
        return
    facts = {"generation": present["generation"], "release": present["release"], "publish": publish}
    with workspace.store.transaction() as transaction:
        transaction.append(
            LEFT, environment=environment.name, actor=actor, facts=dict(facts), at=process.now()
        )
