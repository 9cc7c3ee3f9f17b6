"""An answer, as a Prefect flow: a yes or no to a promotion that waits, also where the run that asked is gone."""

from __future__ import annotations

from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State

from prefect_sluice.domain.promotion import Decision
from prefect_sluice.orchestration.answering import Reply, conduct_answer
from prefect_sluice.orchestration.conduct import RunContext
from prefect_sluice.orchestration.heartbeat import OWN_HEARTBEAT
from prefect_sluice.orchestration.run_names import run_name_maker
from prefect_sluice.planning.choices import parse_waiting_choice
from prefect_sluice.tasks.approve import approve
from prefect_sluice.tasks.build import build
from prefect_sluice.tasks.deploy import deploy
from prefect_sluice.tasks.monitor import monitor
from prefect_sluice.tasks.source import source
from prefect_sluice.tasks.stage import stage
from prefect_sluice.tasks.test import test


@flow(name="answer", flow_run_name=run_name_maker("answer"), task_runner=OWN_HEARTBEAT, persist_result=False)
def answer(
    decision: Literal["approve", "reject"],
    promotion: str = "",
    comment: str = "",
    folder: str = ".",
    actor: str = "prefect",
    wait_seconds: int = 0,
    connections: str = "",
) -> State[Any]:
    """Say yes or no to a promotion that waits. Its run goes on; where that is gone, this one does its work.

    Args:
        decision: approve publishes exactly what was judged; reject ends it, and nothing changes.
        promotion: The beginning of its id, or of its release's; empty is the only one that waits. A link fills in what it
            showed, and a yes counts for exactly that.
        comment: Why; kept in the ledger.
        folder: The folder that holds sluice.yml, or the git URL of a repository that has it at its top.
        actor: Who says it; recorded as typed, and shown as unauthenticated.
        wait_seconds: How long to wait when a release of its environment is at work.
        connections: The name of the blocks that say where warehouse, state store and bundles are; empty is what the worker has.
    """

    reply = Reply(*parse_waiting_choice(promotion), Decision(decision), actor, comment)
    return conduct_answer(
        reply,
        (source, build, test, stage, approve, deploy, monitor),
        RunContext(folder, connections, wait_seconds),
    )
