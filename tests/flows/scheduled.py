"""Prefect deployments of a test's project, and runs of them that are executed in this process instead of by a worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import FlowRun, State
from prefect.flow_engine import run_flow
from prefect.schedules import Schedule
from prefect.types.entrypoint import EntrypointType


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for a condition. Raises AssertionError when it does not come."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class Deployed:
    """A Prefect deployment of one flow."""

    flow: Any
    id: UUID

    @classmethod
    def of(
        cls,
        flow: Any,
        folder: Path,
        *,
        pool: str = "",
        queue: str = "",
        schedule: Schedule | None = None,
        **given: Any,
    ) -> Deployed:
        """Tell the server about a flow of a project's folder."""
        made = flow.to_deployment(
            f"{flow.name} {folder.parent.name}",
            entrypoint_type=EntrypointType.MODULE_PATH,
            parameters={"folder": str(folder), "environment": "prod", **given},
            schedules=[schedule] if schedule else None,
            work_pool_name=pool or None,
            work_queue_name=queue or None,
        )
        return cls(flow, made.apply())

    def missed(self, since: timedelta, runs: int = 10) -> list[FlowRun]:
        """Have the scheduler make the runs of the past, as if the worker had been away since then; oldest first."""
        now = datetime.now(UTC)
        asked = {
            "start_time": (now - since).isoformat(),
            "end_time": now.isoformat(),
            "min_runs": runs,
            "max_runs": runs,
        }
        with get_client(sync_client=True) as client:
            client.request("POST", "/deployments/{id}/schedule", path_params={"id": self.id}, json=asked)
        waiting = [run for run in self.runs() if run.state is not None and run.state.is_scheduled()]
        return [run for run in waiting if run.expected_start_time and run.expected_start_time <= now]

    def tick(self) -> State[Any]:
        """Execute the last one of a schedule's runs of the past ten minutes."""
        return self.execute(self.missed(timedelta(minutes=10))[-1])

    def asked(self, **given: Any) -> FlowRun:
        """Make a run as the form does."""
        with get_client(sync_client=True) as client:
            return client.create_flow_run_from_deployment(self.id, parameters=given)

    def execute(self, run: FlowRun) -> State[Any]:
        """Execute a run here, as the process that a worker starts does."""
        with get_client(sync_client=True) as client:
            known = client.read_flow_run(run.id)
        run_flow(self.flow, flow_run=known, parameters=known.parameters, return_type="state")
        with get_client(sync_client=True) as client:
            return cast("State[Any]", client.read_flow_run(run.id).state)

    def runs(self) -> list[FlowRun]:
        """Return the runs of the deployment, by the time that they were due."""
        where = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[self.id]))
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(flow_run_filter=where)
        return sorted(found, key=lambda run: (run.expected_start_time or datetime.now(UTC), run.id))

    def ended(self) -> list[str]:
        """Return the states' names of the runs that are over."""
        return [run.state_name or "" for run in self.runs() if run.state is not None and run.state.is_final()]


def client() -> SyncPrefectClient:
    """Return a client of the server."""
    return get_client(sync_client=True)
