"""Missed refreshes: Prefect schedules nothing for the past, so one run is started for all that were missed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
)
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule

from prefect_sluice.domain.refresh_rules import moment
from prefect_sluice.orchestration.this_run import ENTRYPOINTS, deployments
from prefect_sluice.promotions.refresh_history import last
from prefect_sluice.runtime import process
from prefect_sluice.workspace.workspace import Workspace

REFRESH = f"{ENTRYPOINTS}refresh.refresh"
GRACE = timedelta(minutes=2)
"""How long Prefect may take to start by itself what is due."""
_FAR = timedelta(days=8)


def catch_up(workspace: Workspace, folder: str) -> tuple[str, ...]:
    """Start one run of each nightly refresh that nobody did since it was due, and return a line for each. Repeatable.

    `folder` is the parameter by which Prefect deployments name the project. A run that Prefect has for that time, late,
    cancelled or crashed, is Prefect's matter: nothing is started beside it.
    """
    lines: list[str] = []
    with get_client(sync_client=True) as client:
        for deployment in deployments(client, folder):
            if deployment.entrypoint == REFRESH and not deployment.paused:
                lines += [
                    line
                    for schedule in deployment.schedules
                    if (line := _caught_up(workspace, client, deployment, schedule))
                ]
    return tuple(lines)


def last_due(cron: str, timezone: str, since: datetime, until: datetime) -> datetime | None:
    """Return the last time (UTC) after `since`, and not after `until`, that a cron line names; None if there is none.

    As Prefect's own scheduler counts, summer time included. It looks back eight days at most.
    """
    from prefect.server.schemas.schedules import CronSchedule as Counted

    start = max(since + timedelta(seconds=1), until - _FAR)
    if start > until:
        return None
    # In UTC, so that no clock change lies between what is handed in and what is counted.
    dates = asyncio.run(Counted(cron=cron, timezone=timezone).get_dates(start=start, end=until))
    times = [due.astimezone(UTC) for due in dates if since < due <= until]
    return times[-1] if times else None


def known_since(deployment: DeploymentResponse) -> datetime:
    """Return since when (UTC) the server knows of a Prefect deployment: what was due before was not missed."""
    return deployment.created or process.now()


def _caught_up(
    workspace: Workspace,
    client: SyncPrefectClient,
    deployment: DeploymentResponse,
    schedule: DeploymentSchedule,
) -> str:
    if not schedule.active or not isinstance(schedule.schedule, CronSchedule):
        return ""
    given = {**deployment.parameters, **schedule.parameters}
    environment = workspace.environment(str(given.get("environment") or "") or None)
    done, now = last(workspace.store, environment.name), process.now()
    since = known_since(deployment)
    if done is not None and done.ended is not None:
        since = max(since, done.at)
    due = last_due(schedule.schedule.cron, schedule.schedule.timezone or "UTC", since, now - GRACE)
    if due is None or _is_prefects(client, deployment, due, now):
        return ""
    run = client.create_flow_run_from_deployment(
        deployment.id,
        parameters=schedule.parameters,
        idempotency_key=f"missed {schedule.id} {due.isoformat()}",
    )
    if run.state is not None and run.state.is_final():
        return ""  # it was started before, and ended without a word in our records: crashed
    return f"{environment.name}: the refresh that was due at {moment(due)} was missed; started {run.name}"


def _is_prefects(
    client: SyncPrefectClient, deployment: DeploymentResponse, due: datetime, now: datetime
) -> bool:
    """Say whether Prefect has a run for that time or a later one, or an older one that is still to come to its end."""
    where = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]),
        expected_start_time=FlowRunFilterExpectedStartTime.model_validate(
            {"after_": due - _FAR, "before_": now}
        ),
    )
    runs = client.read_flow_runs(flow_run_filter=where, limit=200)
    return any(
        (run.expected_start_time is not None and run.expected_start_time >= due)
        or (run.state is not None and not run.state.is_final() and not run.state.is_paused())
        for run in runs
    )
