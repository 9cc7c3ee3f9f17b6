"""Dead runs: Prefect takes them to be running, or about to, and their process is gone. They are ended, or begin again.

Prefect's own automation for this ends every suspended run, too, and with it every release that waits for an approval.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed, Scheduled

from prefect_sluice.domain.lease_holder import holder_text
from prefect_sluice.domain.run_signs import SignOfLife
from prefect_sluice.monitoring.run_signs import dead, forget
from prefect_sluice.orchestration.cut_off_runs import cut_off
from prefect_sluice.orchestration.this_run import deployments
from prefect_sluice.runtime import process
from prefect_sluice.workspace.workspace import Workspace

BY_END = "The run's process was killed"
"""Its worker may have been, or only it: who looks later cannot tell."""
_PROCESS, _ELSEWHERE = timedelta(minutes=3), timedelta(minutes=30)


def reap(workspace: Workspace) -> tuple[str, ...]:
    """End the runs of this project whose process is gone, and return a line for each. Repeatable.

    Only what says Running or Cancelling is ended, and one that crashed says why: any other is left as it is.
    """
    gone = dead(workspace.store)
    if not gone:
        return ()
    with get_client(sync_client=True) as client:
        lines = [_ended(client, workspace, sign) for sign in gone]
    for sign in gone:
        forget(workspace.store, sign.run)
    return tuple(line for line in lines if line)


def begin_again(folder: str) -> tuple[str, ...]:
    """Put back the runs of this project that a worker took and never began, and return a line for each. Repeatable.

    `folder` is the parameter by which Prefect deployments name the project. Such a run has its place in the queue of its
    environment, and would keep all later ones out for ever. It had done nothing, so it is not ended as Crashed.
    """
    with get_client(sync_client=True) as client:
        where = [deployment.id for deployment in deployments(client, folder)]
        stuck = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=where),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING])),
            )
        ) if where else []  # fmt: skip
        return tuple(line for run in stuck if (line := _put_back(client, run)))


def patience(kind: str) -> timedelta:
    """Return how long a run may take to begin in a work pool of a type ("": no pool): an image may have to be fetched. Pure."""
    return _PROCESS if kind in {"", "process"} else _ELSEWHERE


def _put_back(client: SyncPrefectClient, run: FlowRun) -> str:
    pool = client.read_work_pool(run.work_pool_name) if run.work_pool_name else None
    if run.state is None or process.now() - run.state.timestamp < patience(pool.type if pool else ""):
        return ""
    why = f"a worker took it at {run.state.timestamp:%H:%M:%S} UTC, and never began it; it is to begin again"
    client.set_flow_run_state(run.id, Scheduled(message=why), force=True)
    return f"{run.name}: {why}"


def _ended(client: SyncPrefectClient, workspace: Workspace, sign: SignOfLife) -> str:
    try:
        run = client.read_flow_run(UUID(sign.run))
    except ObjectNotFound:
        return ""
    state = _end(run.state_type, sign, cut_off(workspace, sign.run, BY_END))
    if state is None:
        return ""
    client.set_flow_run_state(run.id, state, force=True)
    return f"{run.name}: {state.message}"


def _end(kind: StateType | None, sign: SignOfLife, message: str) -> State | None:
    who = f"{holder_text(sign.holder)}, last heard of at {sign.seen:%Y-%m-%d %H:%M:%S} UTC"
    if kind is StateType.RUNNING or kind is StateType.CRASHED:  # by its worker, with a number for a message
        return Crashed(message=f"{message} ({who})")
    if kind is StateType.CANCELLING:
        return Cancelled(message=f"its process is gone: {who}")
    return None
