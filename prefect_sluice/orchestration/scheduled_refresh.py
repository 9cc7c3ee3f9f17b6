"""A refresh as a Prefect flow run: what it was due for, how long it waits, and the state Skipped."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Cancelled

from prefect_sluice.domain.errors import Skipped
from prefect_sluice.domain.refresh_rules import ScheduledTime
from prefect_sluice.orchestration.conduct import RunContext, Stages, at_work, prepared
from prefect_sluice.orchestration.final_states import concluded, ending
from prefect_sluice.orchestration.shown.messages import error_with_forms
from prefect_sluice.orchestration.this_run import this_run, under_way
from prefect_sluice.promotions.request import RefreshRequest
from prefect_sluice.promotions.work import Work
from prefect_sluice.workspace.workspace import Workspace

SKIPPED = "Skipped"
"""The state of a refresh that was left out: neither done nor failed, so it is told apart in the history and by automations."""


def conduct_refresh(request: RefreshRequest, stages: Stages, here: RunContext) -> State[Work]:
    """Run the stages of a refresh and return the state that the run ends in: Skipped where the policy leaves it out.

    Without `here.wait_seconds` it waits as the environment's policy says. Otherwise as `conduct`.
    """
    return ending(lambda: _refreshed(request, stages, here))


def _refreshed(request: RefreshRequest, stages: Stages, here: RunContext) -> State[Work]:
    with prepared(request, here) as (workspace, prepared_request):
        try:
            patience = timedelta(seconds=_patience(workspace, prepared_request, here.wait_seconds))
            return concluded(at_work(workspace, replace(prepared_request, due=_due_for()), stages, patience))
        except Skipped as skipped:
            get_run_logger().warning(str(skipped))
            return Cancelled(name=SKIPPED, message=error_with_forms(skipped), data=skipped)


def _patience(workspace: Workspace, request: RefreshRequest, wait_seconds: int | None) -> int:
    if wait_seconds is not None:
        return wait_seconds
    environment = workspace.environment(request.environment or None)
    return int(environment.policy.refresh.patience.total_seconds())


def _due_for() -> ScheduledTime | None:
    """Return what this run was due for; None for one that no Prefect deployment started, or that is under way already."""
    run = this_run()
    if run is None or run.deployment_id is None or run.expected_start_time is None:
        return None
    if under_way(run):
        return None  # it is wanted, whatever came meanwhile
    return ScheduledTime(run.expected_start_time.astimezone(UTC), str(run.id))
