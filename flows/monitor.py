"""Monitoring, as a Prefect flow: settles what a dead process left, checks what is served, starts missed refreshes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.monitoring.care import Health, care_for, is_news
from prefect_sluice.monitoring.run_signs import signed
from prefect_sluice.orchestration.connections import connected
from prefect_sluice.orchestration.dead_runs import begin_again, reap
from prefect_sluice.orchestration.ended_previews import end_previews
from prefect_sluice.orchestration.heartbeat import OWN_HEARTBEAT, beating
from prefect_sluice.orchestration.missed_refreshes import catch_up
from prefect_sluice.orchestration.project_folder import project
from prefect_sluice.orchestration.prune_runs import keep_newest
from prefect_sluice.orchestration.quiet_tracebacks import hide_engine_traceback
from prefect_sluice.orchestration.run_links import note_forms
from prefect_sluice.orchestration.run_names import run_name_maker
from prefect_sluice.orchestration.run_parameters import refuse_odd_parameters
from prefect_sluice.orchestration.shown.messages import error_with_forms, name_forms, speaking
from prefect_sluice.orchestration.shown.status_artifact import show_status
from prefect_sluice.orchestration.this_run import this_run
from prefect_sluice.orchestration.wake_runs import wake
from prefect_sluice.runtime import process
from prefect_sluice.workspace.workspace import Workspace

Care = Callable[[Workspace], tuple[str, ...]]
"""Looks after something in a project's folder, once a minute, and returns a line for each thing it did. Safe to repeat."""

CARE: tuple[Care, ...] = (wake, end_previews)
"""What else is looked after."""

HEALTHY, ATTENDED, UNHEALTHY, STILL_UNHEALTHY = "Healthy", "Attended", "Unhealthy", "StillUnhealthy"


@flow(
    name="monitor", flow_run_name=run_name_maker("monitor"), task_runner=OWN_HEARTBEAT, persist_result=False
)
def monitor(
    environment: str = "", folder: str = ".", actor: str = "monitor", connections: str = ""
) -> State[Any]:
    """Look at what is served, settle what a dead process left, and start the night that was missed.

    Args:
        environment: Which environment; empty is all of them.
        folder: The folder that holds sluice.yml, or the git URL of a repository that has it at its top.
        actor: Who asks for it, for the ledger.
        connections: The name of the blocks that say where warehouse, state store and bundles are; empty is what the worker has.
    """
    process.disable_telemetry()
    hide_engine_traceback()
    with speaking():
        return _ended_well(environment, folder, actor, connections)


def _ended_well(environment: str, folder: str, actor: str, connections: str) -> State[Any]:
    try:
        refuse_odd_parameters()
        with connected(connections), beating():
            return _monitor_environments(project(folder, fresh=False), environment, folder, actor)
    except SluiceError as error:
        get_run_logger().error(str(error))
        return Failed(name=UNHEALTHY, message=error_with_forms(error))


def _monitor_environments(workspace: Workspace, environment: str, folder: str, actor: str) -> State[Any]:
    chosen = [workspace.environment(environment)] if environment else list(workspace.environments.values())
    run = this_run()
    with signed(workspace.store, str(run.id) if run else "", actor):
        health_of_each = tuple(care_for(workspace, resolved, actor) for resolved in chosen)
        return _ended(workspace, environment, health_of_each, _rest(workspace.anew(), folder))


def _rest(workspace: Workspace, folder: str) -> tuple[Health, ...]:
    """Look after everything that is no environment; what breaks is a problem, and keeps nothing else from its turn."""
    cares: dict[str, Callable[[], tuple[str, ...]]] = {
        "dead runs": lambda: reap(workspace),
        "runs that never began": lambda: begin_again(folder),
    }
    run = this_run()
    if run is not None and run.deployment_id is not None:
        cares["missed nights"] = lambda: catch_up(workspace, folder)
        cares["links to forms"] = lambda: note_forms(workspace, folder)
        cares["the status"] = lambda: show_status(workspace) or ()
    for care in CARE:
        cares[getattr(care, "__name__", "care")] = lambda care=care: care(workspace)
    return tuple(health for name, care in cares.items() for health in _cared(name, care))


def _cared(name: str, care: Callable[[], tuple[str, ...]]) -> tuple[Health, ...]:
    try:
        return tuple(Health("", line, done=line) for line in care())
    except Exception as error:  # whatever it is, the others have their turn, and the run says it
        problem = f"{name} could not be looked after: {error or type(error).__name__}"
        return (Health("", problem, problem=problem),)


def _ended(
    workspace: Workspace, scope: str, health_of_each: tuple[Health, ...], rest: tuple[Health, ...]
) -> State[Any]:
    logger, everything = get_run_logger(), (*health_of_each, *rest)
    for health in everything:
        (logger.error if health.problem else logger.info)(health.line)
    problems = tuple(health.problem for health in everything if health.problem)
    news = is_news(workspace, scope or "all", problems)
    if problems:
        name = UNHEALTHY if news else STILL_UNHEALTHY
        keep_newest(STILL_UNHEALTHY, HEALTHY) if not news else None
        return Failed(name=name, message=name_forms("; ".join(problems)))
    done = [health.done for health in everything if health.done]
    if done:
        return Completed(name=ATTENDED, message=name_forms("; ".join(done)))
    keep_newest(HEALTHY, STILL_UNHEALTHY)
    return Completed(name=HEALTHY, message=name_forms("; ".join(health.line for health in health_of_each)))
