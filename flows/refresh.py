"""Refresh, as a Prefect flow: the release that serves, built on what its sources hold now."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State

from prefect_sluice.orchestration.conduct import RunContext
from prefect_sluice.orchestration.heartbeat import OWN_HEARTBEAT
from prefect_sluice.orchestration.run_names import run_name_maker
from prefect_sluice.orchestration.scheduled_refresh import conduct_refresh
from prefect_sluice.promotions.request import RefreshRequest
from prefect_sluice.promotions.work import Work
from prefect_sluice.tasks.approve import approve
from prefect_sluice.tasks.build import build
from prefect_sluice.tasks.deploy import deploy
from prefect_sluice.tasks.monitor import monitor
from prefect_sluice.tasks.source import source
from prefect_sluice.tasks.stage import stage


@flow(
    name="refresh", flow_run_name=run_name_maker("refresh"), task_runner=OWN_HEARTBEAT, persist_result=False
)
def refresh(
    environment: str = "",
    folder: str = ".",
    actor: str = "prefect",
    wait_seconds: int | None = None,
    select: str = "",
    connections: str = "",
) -> State[Work]:
    """Rebuild what new source data reaches, judge it, and publish it. Nothing new: nothing is built or published.

    Args:
        environment: What to refresh; empty is the project's default environment.
        folder: The folder that holds sluice.yml, or the git URL of a repository that has it at its top.
        actor: Who asks for it, for the ledger.
        wait_seconds: How long to wait when another release of this environment is at work; none is as sluice.yml says.
        select: dbt selectors, with blanks between them; empty is everything. What reads a selected relation goes along.
        connections: The name of the blocks that say where warehouse, state store and bundles are; empty is what the worker has.
    """
    request = RefreshRequest(Path(), environment, select, actor=actor)
    return conduct_refresh(
        request,
        (source, build, stage, approve, deploy, monitor),
        RunContext(folder, connections, wait_seconds),
    )
