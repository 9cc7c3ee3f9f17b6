"""Pruning the run history: of scheduled runs in which nothing happened, only the newest stays."""

from __future__ import annotations

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from prefect_sluice.orchestration.this_run import scheduled
from prefect_sluice.runtime import process

LATE = ("Scheduled", "Late")
"""The states of a run that is to begin; Prefect calls it late some seconds after it was due."""
_PAGE = 200


def keep_newest(*names: str) -> int:
    """Delete the earlier runs of this run's Prefect deployment that a schedule started and that ended in one of these states.

    Those that are late go too: this run did what they were for. Returns how many; none if no schedule started this run.
    What cannot be deleted now is deleted by the next one. Repeatable.
    """
    run = scheduled()
    if run is None or run.deployment_id is None:
        return 0
    where = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[run.deployment_id]),
        state=FlowRunFilterState(name=FlowRunFilterStateName(any_=[*names, *LATE])),
    )
    gone, now = 0, process.now()
    try:
        with get_client(sync_client=True) as client:
            for earlier_run in client.read_flow_runs(
                flow_run_filter=where, limit=_PAGE, sort=FlowRunSort.EXPECTED_START_TIME_ASC
            ):
                due = earlier_run.expected_start_time
                if earlier_run.id == run.id or not earlier_run.auto_scheduled or due is None or due > now:
                    continue
                try:
                    client.delete_flow_run(earlier_run.id)
                except ObjectNotFound:
                    continue  # another one was faster
                gone += 1
    except PrefectHTTPStatusError as error:
        get_run_logger().debug("uneventful runs stay until the next one: %s", error)
    return gone
