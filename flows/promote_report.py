"""Promotion of one dashboard, as a Prefect flow: analysts pick it from a list; what it reads goes to the next environment."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State

from prefect_sluice.orchestration.conduct import RunContext, conduct
from prefect_sluice.orchestration.heartbeat import OWN_HEARTBEAT
from prefect_sluice.orchestration.run_names import run_name_maker
from prefect_sluice.planning.choices import chosen
from prefect_sluice.promotions.dashboards import named_or_last
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
    name="promote-report",
    flow_run_name=run_name_maker("promote"),
    task_runner=OWN_HEARTBEAT,
    persist_result=False,
)
def promote_report(
    report: str,
    environment: str = "",
    release: str = "",
    origin: str = "",
    folder: str = ".",
    actor: str = "prefect",
    wait_seconds: int = 0,
    connections: str = "",
) -> State[Work]:
    """Take what a dashboard reads, directly or not, from the environment before, and nothing else. What reads the same
    relations is built again with the code that it has.

    Args:
        report: The dashboard: a line of the list, or the label or name of a dbt exposure.
        environment: Which environment gets it; empty is the last one.
        release: The beginning of a release's id or commit; empty is what `origin` serves.
        origin: Promote what this environment serves; empty is the one before.
        folder: The folder that holds sluice.yml, or the git URL of a repository that has it at its top.
        actor: Who asks for it, for the ledger.
        wait_seconds: How long to wait when another release of this environment is at work.
        connections: The name of the blocks that say where warehouse, state store and bundles are; empty is what the worker has.
    """
    here = RunContext(folder, connections, wait_seconds, where=named_or_last)
    request = PromoteRequest(Path(), environment, release, origin, report=chosen(report), actor=actor)
    return conduct(request, (source, build, test, stage, approve, deploy, monitor), here)
