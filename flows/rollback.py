"""An older generation, served again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State

from prefect_sluice.flows.ending import concluded
from prefect_sluice.generation import Cause
from prefect_sluice.pipeline import begin
from prefect_sluice.stages.work import Request, Work, walk
from prefect_sluice.tasks.monitor import monitor
from prefect_sluice.tasks.rollback import rollback as write_again


@flow(name="rollback", flow_run_name="rollback {environment}", persist_result=False)
def rollback(
    environment: str = "", to: str = "", folder: str = ".", actor: str = "prefect", wait_seconds: int = 0
) -> State[Work]:
    """Write an older table of pointers again. Builds nothing, moves no row.

    Args:
        environment: What to roll back; empty is the project's default environment.
        to: A generation's number or a release's id; empty is the former release.
        folder: The folder that holds sluice.yml.
        actor: Who asks for it, for the ledger.
        wait_seconds: How long to wait when another release of this environment is at work.
    """
    request = Request(Path(folder), environment, Cause.ROLLBACK, to, actor=actor)
    with begin(request, wait=timedelta(seconds=wait_seconds)) as work:
        return concluded(walk(work, write_again, monitor))
