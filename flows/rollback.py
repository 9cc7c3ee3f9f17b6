"""Rollback, as a Prefect flow: an older generation is served again."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State

from prefect_sluice.orchestration.conduct import RunContext, at_work, prepared
from prefect_sluice.orchestration.final_states import concluded, ending
from prefect_sluice.orchestration.heartbeat import OWN_HEARTBEAT
from prefect_sluice.orchestration.run_names import run_name_maker
from prefect_sluice.promotions.request import RollbackFollowUp, RollbackRequest
from prefect_sluice.promotions.work import Work
from prefect_sluice.stages.after_rollback import follow_up
from prefect_sluice.tasks.approve import approve
from prefect_sluice.tasks.build import build
from prefect_sluice.tasks.deploy import deploy
from prefect_sluice.tasks.monitor import monitor
from prefect_sluice.tasks.rollback import rollback as write_again
from prefect_sluice.tasks.source import source
from prefect_sluice.tasks.stage import stage


@flow(
    name="rollback", flow_run_name=run_name_maker("rollback"), task_runner=OWN_HEARTBEAT, persist_result=False
)
def rollback(
    environment: str = "",
    to: str = "",
    from_generation: int | None = None,
    folder: str = ".",
    hold: bool = True,
    reason: str = "",
    catch_up: bool = False,
    actor: str = "prefect",
    wait_seconds: int = 0,
    connections: str = "",
) -> State[Work]:
    """Write an older table of pointers again. Builds nothing, moves no row.

    Args:
        environment: What to roll back; empty is the project's default environment.
        to: The generation to serve again: a line of the list, its number or its release's id; empty is the former release
            that is not blocked.
        from_generation: Only if this generation serves, and nobody went back from it yet; empty is whatever serves.
        folder: The folder that holds sluice.yml, or the git URL of a repository that has it at its top.
        hold: Keep the environment there until somebody lifts the hold.
        reason: Why; it is the hold's reason, too.
        catch_up: Refresh the older code's data afterwards, through its gates.
        actor: Who asks for it, for the ledger.
        wait_seconds: How long to wait when another release of this environment is at work.
        connections: The name of the blocks that say where warehouse, state store and bundles are; empty is what the worker has.
    """
    after = RollbackFollowUp(hold, reason, catch_up)
    request = RollbackRequest(Path(), environment, to, after, from_generation or 0, actor=actor)
    here = RunContext(folder, connections, wait_seconds)

    def both() -> State[Work]:
        with prepared(request, here) as (
            workspace,
            work_request,
        ):  # once, for the question between the two, too
            done = at_work(workspace, work_request, (write_again, monitor), here.wait)
            more = follow_up(done)
            if more is None:
                return concluded(done)
            refreshed = at_work(
                workspace.anew(),
                more,
                (source, build, stage, approve, deploy, monitor),
                here.wait,
            )
            return concluded(refreshed)

    return ending(both)
