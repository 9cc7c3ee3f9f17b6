"""This flow run, and the Prefect deployments of its project."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.context import FlowRunContext

ENTRYPOINTS = "prefect_sluice.flows."
"""How the entrypoint of every Prefect deployment of ours begins, whatever it is called."""
_PAGE = 200


def this_run() -> FlowRun | None:
    """Return the flow run that this code is in; None outside of one."""
    context = FlowRunContext.get()
    return context.flow_run if context else None


def run_name() -> str:
    """Return what the flow run that this code is in is called; "" outside of one."""
    run = this_run()
    return run.name if run is not None else ""


def scheduled() -> FlowRun | None:
    """Return the flow run that this code is in, if a schedule started it; None for one that a person or an event started."""
    run = this_run()
    return run if run is not None and run.deployment_id is not None and run.auto_scheduled else None


def under_way(run: FlowRun) -> bool:
    """Say whether a run ran before: it is resumed, after an approval perhaps, or tried again by hand."""
    return run.total_run_time > timedelta(0)


def deployments(client: SyncPrefectClient, folder: str | None = None) -> Iterator[DeploymentResponse]:
    """Yield the Prefect deployments of ours, those of one project's folder only if it is given."""
    offset = 0
    while page := client.read_deployments(limit=_PAGE, offset=offset):
        offset += len(page)
        for deployment in page:
            ours = (deployment.entrypoint or "").startswith(ENTRYPOINTS)
            if ours and (folder is None or deployment.parameters.get("folder", ".") == folder):
                yield deployment
