"""Cancelled, killed and retried as people do it in the Prefect UI: a real worker, and engine processes that end in the midst."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import duckdb
import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Scheduled

from prefect_sluice.cli import main
from prefect_sluice.domain import lease_holder
from prefect_sluice.domain.promotion import State
from prefect_sluice.orchestration.dead_runs import reap
from prefect_sluice.runtime.faults import SLEEP, VARIABLE, FaultPoint
from prefect_sluice.workspace.workspace import Workspace
from tests.repository import repository
from tests.warm_commands import Commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("prefect")]

POOL = "cancelled"
PATIENCE = 180.0
FILES = {
    ".gitignore": "shop.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, schema: main}}}\n",
    "sluice.yml": "environments:\n  prod: {approvals: 0}\n",
    "models/orders.sql": "{{ config(materialized='table') }}\nselect 1 as id, 10 as amount\n",
}


def until(asked: Callable[[], object], what: str, seen: Callable[[], object] = str) -> None:
    """Wait until something is so, looking a few times a second; where it never is, tell what was `seen`."""
    end, pause = time.monotonic() + PATIENCE, threading.Event()
    while not asked():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE:.0f} s; {seen()}"
        pause.wait(0.2)


@dataclass(frozen=True)
class Team:
    """A server's client, a Prefect deployment of `release`, and a worker."""

    client: SyncPrefectClient
    deployment: UUID

    def start(self, folder: Path, fault: str = "") -> UUID:
        """Start a run from the UI; its process stops at `fault`, until it is woken."""
        env = {VARIABLE: f"{SLEEP}{fault}"} if fault else {}
        run = self.client.create_flow_run_from_deployment(
            self.deployment, parameters={"folder": str(folder), "actor": "Ada"}, job_variables={"env": env}
        )
        return run.id

    def retry(self, run: UUID) -> None:
        """Do what the UI's Retry does."""
        self.client.set_flow_run_state(run, Scheduled(name="AwaitingRetry"), force=True)

    def seen(self, run: UUID) -> str:
        """Return the state of a run, and the end of its log."""
        logs = self.client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])))
        return f"{self.client.read_flow_run(run).state!r}; {[log.message for log in logs[-5:]]}"

    def ends(self, run: UUID, *names: str) -> FlowRun:
        """Wait until a run is in one of these states."""
        found: list[FlowRun] = []

        def is_over() -> bool:
            found[:] = [self.client.read_flow_run(run)]
            return found[0].state_name in names

        until(is_over, f"a run that is {' or '.join(names)}", lambda: f"it is {found[0].state!r}")
        return found[0]


@pytest.fixture(scope="module")
def team(
    prefect_server: str, tmp_path_factory: pytest.TempPathFactory, warm_commands: Commands
) -> Generator[Team]:
    """A worker of a process pool, in a process of its own, and the Prefect deployment that it serves."""
    from prefect.types.entrypoint import EntrypointType

    from prefect_sluice.flows.release import release

    home = tmp_path_factory.mktemp("worker")
    environ = {**os.environ, "PREFECT_API_URL": prefect_server, "PREFECT_WORKER_QUERY_SECONDS": "1"}
    with get_client(sync_client=True) as client, warm_commands.flow_runs(environ) as command:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"), overwrite=True)
        made = release.to_deployment(
            POOL,
            entrypoint_type=EntrypointType.MODULE_PATH,
            work_pool_name=POOL,
            job_variables={"command": command},
        )
        deployment = cast(UUID, cast(Any, made).apply())
        with (home / "log").open("w") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL],
                cwd=home,
                env=environ,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield Team(client, deployment)
        finally:
            worker.terminate()
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def process(team: Team, run: UUID, folder: Path) -> int:
    """Return the process that works on the environment, once it sleeps."""
    found: list[int] = []

    def sleeps() -> bool:
        lease = Workspace.at(folder).store.lease("prod")
        who = lease_holder.read(lease.holder) if lease else None
        if who is None or not psutil.pid_exists(who.pid):
            return False
        found[:] = [who.pid]
        return psutil.Process(who.pid).status() == psutil.STATUS_STOPPED

    until(
        sleeps,
        "a process that stops at the point",
        lambda: f"the run is {team.seen(run)}, the process {found}",
    )
    return found[0]


def amounts(folder: Path) -> list[tuple[object, ...]]:
    """Return what a reader sees."""
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as connection:
        return connection.execute("select * from main.orders").fetchall()


def is_sound(folder: Path) -> None:
    """Assert that the doctor finds nothing."""
    assert main(["doctor", "-C", str(folder)]) == 0


def test_cancelled_killed_and_retried_while_publishing(team: Team, tmp_path: Path) -> None:
    """One run's story in the UI: Cancel, Retry, its process is killed, Retry, and once more Retry. Nothing is half done at
    any time, and nothing is built twice."""
    folder = repository(tmp_path / "shop", FILES)
    run = team.start(folder, FaultPoint.DEPLOY_VIEWS)
    pid = process(team, run, folder)
    team.client.set_flow_run_state(run, Cancelling())
    until(lambda: _pending(pid), "a SIGTERM from the worker")
    os.kill(pid, signal.SIGCONT)
    team.ends(run, "Cancelled")
    until(lambda: not psutil.pid_exists(pid), "the end of its process")
    with Workspace.at(folder).store as store:
        assert store.lease("prod") is None
        (promotion,) = store.promotions(environment="prod")
        assert promotion.state is State.DEPLOYING

    team.retry(run)
    os.kill(process(team, run, folder), signal.SIGKILL)
    team.ends(run, "Crashed")
    told = "The run's process was killed while publishing. Nothing is half done; prod serves nothing yet. Run it again:"
    assert told in "".join(reap(Workspace.at(folder)))
    assert told in str(cast(Any, team.ends(run, "Crashed").state).message)

    team.retry(run)
    os.kill(process(team, run, folder), signal.SIGCONT)
    assert "prod serves generation 1" in str(cast(Any, team.ends(run, "Released").state).message)
    assert amounts(folder) == [(1, 10)]
    with Workspace.at(folder).store as store:
        assert [item.id for item in store.promotions(environment="prod")] == [promotion.id]
    team.retry(run)
    team.ends(run, "Unchanged")
    is_sound(folder)


def _pending(pid: int) -> bool:
    """Say whether SIGTERM waits for a process that sleeps, or it is over."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
    masks = [int(line.split()[1], 16) for line in text.splitlines() if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask >> (signal.SIGTERM - 1) & 1 for mask in masks)
