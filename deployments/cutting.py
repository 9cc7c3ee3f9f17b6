"""Flow runs whose process is gone with the worker: Prefect would show them as running for ever."""

from __future__ import annotations

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelled, Crashed

_AT_WORK = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
SAID = "the worker was stopped while this ran; run it again: what is finished is kept, and not done twice"


def close_cut_runs(pool: str) -> tuple[str, ...]:
    """Say of each run of a work pool that is at work, while no worker is, that it was cut off. Returns their names.

    To be called only when no worker of the pool runs. Runs that wait for an approval are left alone. Safe to repeat.
    """
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_AT_WORK))
            ),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        )
        for run in found:
            asked_to_end = run.state_type is StateType.CANCELLING
            state = Cancelled(message=SAID) if asked_to_end else Crashed(message=SAID)
            client.set_flow_run_state(run.id, state, force=True)
    return tuple(run.name for run in found)
