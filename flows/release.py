"""Release, as a Prefect flow: a change in git goes through all stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import Field

from prefect_sluice.orchestration.conduct import RunContext
from prefect_sluice.orchestration.heartbeat import OWN_HEARTBEAT
from prefect_sluice.orchestration.polled_release import conduct_release
from prefect_sluice.orchestration.run_names import run_name_maker
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.promotions.work import Work
from prefect_sluice.tasks.approve import approve
from prefect_sluice.tasks.build import build
from prefect_sluice.tasks.deploy import deploy
from prefect_sluice.tasks.monitor import monitor
from prefect_sluice.tasks.source import source
from prefect_sluice.tasks.stage import stage
from prefect_sluice.tasks.test import test


@flow(
    name="release", flow_run_name=run_name_maker("release"), task_runner=OWN_HEARTBEAT, persist_result=False
)
def release(
    environment: str = "",
    ref: Annotated[str, Field(pattern=r"\S")] = "HEAD",
    folder: str = ".",
    dirty: bool = False,
    actor: str = "prefect",
    wait_seconds: int = 0,
    adopt: bool = False,
    connections: str = "",
) -> State[Work]:
    """Take a commit through Source → Build → Test → Stage → Approve → Deploy → Monitor.

    Args:
        environment: Where to release to; empty is the project's default environment.
        ref: What to release; HEAD is what the project's folder has checked out.
        folder: The folder that holds sluice.yml, or the git URL of a repository that has it at its top.
        dirty: Release the working tree as it is; only where no approval is needed.
        actor: Who asks for it, for the ledger.
        wait_seconds: How long to wait when another release of this environment is at work.
        adopt: Take over what stands under the project's names; a first release only.
        connections: The name of the blocks that say where warehouse, state store and bundles are; empty is what the worker has.
    """
    request = ReleaseRequest(Path(), environment, ref, dirty, adopt, actor=actor)
    return conduct_release(
        request,
        (source, build, test, stage, approve, deploy, monitor),
        RunContext(folder, connections, wait_seconds),
    )
