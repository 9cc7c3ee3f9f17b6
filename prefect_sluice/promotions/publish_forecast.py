"""What a publish will cost, said before anything is built: which way it goes, how long, and whether it fits the disk."""

from __future__ import annotations

import shutil

from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.node import Name
from prefect_sluice.planning.plan import Action, Plan
from prefect_sluice.warehouse.publishing import Forecast
from prefect_sluice.workspace.workspace import Environment, Workspace


def forecast(workspace: Workspace, environment: Environment, plan: Plan) -> Forecast:
    """Return how the plan's publish will go: an estimate, from what its relations hold today. What is new counts for nothing."""
    warehouse = workspace.warehouse(environment)
    moved = plan.of(Action.BUILD, Action.CARRY, Action.REMOVE)
    return warehouse.forecast(_brought(workspace, environment, plan), len(moved))


def _brought(workspace: Workspace, environment: Environment, plan: Plan) -> list[Name]:
    live = plan.base_of(workspace.warehouse(environment).generation(environment.name)).by_node()
    built = [live[step.node].address for step in plan.of(Action.BUILD, Action.CARRY) if step.node in live]
    # What is adopted is copied, and read again to see that the copy is whole.
    return [*built, *(item.name for item in plan.adopted), *(item.name for item in plan.adopted)]


def refuse_what_does_not_fit(workspace: Workspace, environment: Environment, plan: Plan) -> None:
    """Raise Refused when the disk has no room for the build, or none for the publish, as far as can be told beforehand."""
    if not plan.made:
        return
    expected = forecast(workspace, environment, plan)
    if expected.needs > expected.free:
        raise Refused(
            f"publishing {expected.way.words} needs about {_megabytes(expected.needs)} beside {environment.database.place}, and"
            f" {_megabytes(expected.free)} are free",
            "make room, then run the command again",
        )
    free = shutil.disk_usage(workspace.folder).free
    if expected.brings > free:
        raise Refused(
            f"the build needs about {_megabytes(expected.brings)} in {workspace.folder}, and {_megabytes(free)} are free",
            "make room, then run the command again",
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
