"""Makes the Prefect deployments of one project on a server, or brings them up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from prefect_sluice import __version__
from prefect_sluice.deployments import limits
from prefect_sluice.deployments.catalog import ROWS, DeploymentRow, Timing, timing
from prefect_sluice.deployments.forms import form, usual
from prefect_sluice.planning.choices import FormChoices
from prefect_sluice.workspace.workspace import Workspace

SLUG = "sluice"
"""The one schedule that is ours; others that people add in the UI are theirs."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A Prefect deployment as the server has it."""

    row: DeploymentRow
    id: UUID
    timing: Timing | None = None


def schema_of(row: DeploymentRow) -> Mapping[str, Any]:
    """Return the parameter schema that Prefect makes of a row's flow."""
    module, _, name = row.entrypoint.rpartition(".")
    flow: Flow[..., Any] = getattr(import_module(module), name)
    return parameter_schema(flow.fn).model_dump_for_openapi()


def apply(
    workspace: Workspace,
    choices: FormChoices,
    *,
    pool: str,
    rows: Iterable[DeploymentRow] = ROWS,
    command: str = "",
) -> tuple[Applied, ...]:
    """Make the Prefect deployments, or bring them up to date, and the work pool if there is none. Safe to repeat.

    `command` is what starts a run on the machine of its worker ("": what the worker takes for it). A schedule that somebody
    switched off in the UI stays off.
    """
    ensure_pool(pool)
    limits.apply(pool, choices.environments)
    with get_client(sync_client=True) as client:
        return tuple(_applied(client, workspace, row, choices, pool, command) for row in rows)


def renew(applied: Iterable[Applied], choices: FormChoices) -> None:
    """Put what is offered now into the forms; nothing else of the Prefect deployments changes. Safe to repeat."""
    with get_client(sync_client=True) as client:
        for one in applied:
            update = DeploymentUpdate(parameter_openapi_schema=form(schema_of(one.row), one.row, choices))
            client.update_deployment(one.id, update)


def ensure_pool(pool: str) -> None:
    """Make a work pool of processes if there is none of that name; one of another kind is left as it is. Safe to repeat."""
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(pool)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            new_pool = WorkPoolCreate(name=pool, type=ProcessWorker.type, base_job_template=template)
            with suppress(ObjectAlreadyExists):  # somebody was faster
                client.create_work_pool(new_pool)


def worker_is_online(pool: str, name: str, *, since: datetime) -> bool:
    """Say whether the worker of that name has been heard of since a time (UTC)."""
    with get_client(sync_client=True) as client:
        workers = client.read_workers_for_work_pool(pool)
    return any(
        worker.name == name and worker.last_heartbeat_time is not None and worker.last_heartbeat_time >= since
        for worker in workers
    )


def _applied(
    client: SyncPrefectClient,
    workspace: Workspace,
    row: DeploymentRow,
    choices: FormChoices,
    pool: str,
    command: str,
) -> Applied:
    when = timing(row, workspace.settings.schedules, choices)
    before = _find_deployment(client, row)
    identifier = client.create_deployment(
        client.create_flow_from_name(row.flow_name),
        row.name,
        version=__version__,
        description=row.description,
        tags=list(row.tags),
        entrypoint=row.entrypoint,
        pull_steps=[],
        work_pool_name=pool,
        parameters={**row.parameters, "folder": str(workspace.root)},
        parameter_openapi_schema=form(schema_of(row), row, choices),
        enforce_parameter_schema=True,
        job_variables={"command": command} if command else {},
        work_queue_name=limits.queue_of(row.flow, usual(row, choices) or choices.last),
        schedules=_schedules(when, before),
    )
    return Applied(row, identifier, when)


def _find_deployment(client: SyncPrefectClient, row: DeploymentRow) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(f"{row.flow_name}/{row.name}")
    except ObjectNotFound:
        return None


def _schedules(when: Timing | None, before: DeploymentResponse | None) -> list[DeploymentScheduleCreate]:
    if when is None:
        return []
    on = {schedule.slug: schedule.active for schedule in before.schedules} if before else {}
    by = (
        CronSchedule(cron=when.cron, timezone=when.timezone)
        if when.cron
        else IntervalSchedule(interval=when.every or timedelta(hours=1), timezone=when.timezone)
    )
    return [
        DeploymentScheduleCreate(
            schedule=by, active=on.get(SLUG, True), parameters=dict(when.parameters), slug=SLUG
        )
    ]
