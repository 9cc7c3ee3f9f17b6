"""Promotion, as a Prefect flow: a release that serves in one environment is made current in the next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import Field

from prefect_sluice.orchestration.conduct import RunContext, conduct
from prefect_sluice.orchestration.heartbeat import OWN_HEARTBEAT
from prefect_sluice.orchestration.run_names import run_name_maker
from prefect_sluice.planning.choices import chosen
from prefect_sluice.promotions.request import PromoteRequest
from prefect_sluice.promotions.work import Work
from prefect_sluice.tasks.approve import approve
from prefect_sluice.tasks.build import build
from prefect_sluice.tasks.deploy import deploy
from prefect_sluice.tasks.monitor import monitor
from prefect_sluice.tasks.source import source
from prefect_sluice.tasks.stage import stage
from prefect_sluice.tasks.test import test


@flow(
    name="promote", flow_run_name=run_name_maker("promote"), task_runner=OWN_HEARTBEAT, persist_result=False
)
def promote(
    environment: str,
    release: Annotated[str, Field(pattern=r"^\s*[0-9a-fA-F]*\s*$")] = "",
    origin: str = "",
    report: str = "",
    select: str = "",
    folder: str = ".",
    actor: str = "prefect",
    wait_seconds: int = 0,
    connections: str = "",
) -> State[Work]:
    """Take a release that is served already, by its own bundle, through Build → … → Monitor of another environment.

    Args:
        environment: Which environment gets it.
        release: The beginning of a release's id or commit; empty is what the other environment serves.
        origin: Promote what this environment serves; empty is the one before.
        report: Only what this dashboard reads, directly or not: a line of the list, or the label or name of a dbt exposure.
        select: dbt's selector of the part to promote; empty is all of it.
        folder: The folder that holds sluice.yml, or the git URL of a repository that has it at its top.
        actor: Who asks for it, for the ledger.
        wait_seconds: How long to wait when another release of this environment is at work.
        connections: The name of the blocks that say where warehouse, state store and bundles are; empty is what the worker has.
    """
    request = PromoteRequest(Path(), environment, release, origin, select, chosen(report), actor=actor)
    return conduct(
        request,
        (source, build, test, stage, approve, deploy, monitor),
        RunContext(folder, connections, wait_seconds),
    )
