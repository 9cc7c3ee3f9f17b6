"""Flow runs whose process is gone with the worker: Prefect would show them as running, or about to, for ever."""

from __future__ import annotations

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import State, StateType
from prefect.states import Cancelled, Crashed, Scheduled

from prefect_sluice.orchestration.cut_off_runs import cut_off
from prefect_sluice.orchestration.stopped_runs import BY_KILL
from prefect_sluice.workspace.workspace import Workspace

_AT_WORK = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
NOT_BEGUN = "the worker was stopped before this began; it begins with the next one"


def close_cut_runs(pool: str, workspace: Workspace | None = None) -> tuple[str, ...]:
    """Say of each run of a work pool that is at work, while no worker is, that it was cut off. Returns their names.

    With the project's workspace it says what the run was at.

    What had not begun is put back, to begin with the next worker. To be called only when no worker of the pool runs. Runs
    that wait for an approval are left alone. Safe to repeat.
    """
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_AT_WORK))
            ),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        )
        for run in runs:
            message = cut_off(workspace, str(run.id), BY_KILL)
            client.set_flow_run_state(run.id, _after(run.state_type, message), force=True)
    return tuple(run.name for run in runs if run.state_type is not StateType.PENDING)


def _after(kind: StateType | None, message: str) -> State:
    if kind is StateType.PENDING:
        # Not Crashed: the run may have been started by an answer in its form, which counts for this start only.
        return Scheduled(message=NOT_BEGUN)
    return Cancelled(message=message) if kind is StateType.CANCELLING else Crashed(message=message)
