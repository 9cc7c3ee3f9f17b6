"""Check, as a Prefect flow: a commit is built and judged as its release would be, and nothing is published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import Field

from prefect_sluice.orchestration.conduct import RunContext
from prefect_sluice.orchestration.heartbeat import OWN_HEARTBEAT
from prefect_sluice.orchestration.polled_check import conduct_check
from prefect_sluice.orchestration.run_names import run_name_maker
from prefect_sluice.promotions.request import CheckRequest
from prefect_sluice.promotions.work import Work
from prefect_sluice.tasks.build import build
from prefect_sluice.tasks.source import source
from prefect_sluice.tasks.stage import stage
from prefect_sluice.tasks.test import test


@flow(name="check", flow_run_name=run_name_maker("check"), task_runner=OWN_HEARTBEAT, persist_result=False)
def check(
    environment: str = "",
    ref: Annotated[str, Field(pattern=r"\S")] = "HEAD",
    branch: str = "",
    preview: str = "",
    base: str = "",
    folder: str = ".",
    actor: str = "prefect",
    wait_seconds: int = 600,
    connections: str = "",
) -> State[Work]:
    """Take a commit through Source → Build → Test → Stage beside what an environment serves. Nothing is published.

    Args:
        environment: What to check it against; empty is the project's default environment.
        ref: What to check; HEAD is what the project's folder has checked out.
        branch: Where the commit was found; one that `schedules.check` does not name is not checked. Empty is not said.
        preview: The preview that shows what passed; `*` is the branch's own. Empty is none.
        base: The branch that the commit's own was made from; what is of its own is told apart. Empty is none.
        folder: The folder that holds sluice.yml, or the git URL of a repository that has it at its top.
        actor: Who asks for it, for the ledger.
        wait_seconds: How long to wait when another check for this environment is at work.
        connections: The name of the blocks that say where warehouse, state store and bundles are; empty is what the worker has.
    """
    request = CheckRequest(Path(), environment, ref, actor=actor, branch=branch, preview=preview, base=base)
    return conduct_check(request, (source, build, test, stage), RunContext(folder, connections, wait_seconds))
