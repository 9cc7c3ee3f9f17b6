"""Two workers in folders of their own, one Prefect server on PostgreSQL: they share URLs, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy import create_engine, text

from prefect_sluice.domain import ledger
from prefect_sluice.domain.promotion import Decision, State
from prefect_sluice.runtime.faults import VARIABLE, FaultPoint
from prefect_sluice.stages.approve import record
from prefect_sluice.workspace.workspace import Workspace
from tests.machines.servers import serving, started, wait_until
from tests.repository import repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

POOL = "machines"


@dataclass(frozen=True, slots=True)
class Team:
    """What the machines share, and the client of their server."""

    base: Path
    client: SyncPrefectClient
    deployment: UUID

    def on(self, machine: str, **environ: str) -> FlowRun:
        """Have a machine's worker run the release, and return the run when it is over, or waits for a yes."""
        variables = {"env": environ} if environ else {}
        run = self.client.create_flow_run_from_deployment(
            self.deployment, work_queue_name=machine, job_variables=variables
        )

        def is_over() -> bool:
            state = self.client.read_flow_run(run.id).state
            return state is not None and (state.is_final() or state.is_paused())

        wait_until(is_over, f"the run on {machine}", seconds=150)
        return self.client.read_flow_run(run.id)

    def log(self, machine: str) -> str:
        """Return what a machine's worker, and the runs on it, wrote."""
        return (self.base / machine / "worker-start.log").read_text()

    def workspace(self) -> Workspace:
        """Open what they share from a third machine."""
        return Workspace.at(self.base / "origin")


def _project(base: Path, state: str) -> Path:
    files = {
        "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
        "profiles.yml": f"shop: {{target: prod, outputs: {{prod: {{type: duckdb, path: {base}/shop.duckdb}}}}}}\n",
        "sluice.yml": f"state: {state}\nbundles: file://{base}/bundles\n",
        "models/orders.sql": "{{ config(materialized='table') }}\nselect 1 as id, 10 as amount\n",
    }
    return repository(base / "origin", files)


def _database(server: str, name: str) -> str:
    engine = create_engine(server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def team(postgres_server: str, tmp_path: Path) -> Generator[Team]:
    """A server, and a worker on each of two machines."""
    from prefect.types.entrypoint import EntrypointType

    from prefect_sluice.flows.release import release

    origin = _project(tmp_path, _database(postgres_server, "sluice_state"))
    with ExitStack() as stack:
        url = stack.enter_context(serving(tmp_path / "server", _database(postgres_server, "prefect")))
        stack.enter_context(temporary_settings({PREFECT_API_URL: url}))
        client = stack.enter_context(get_client(sync_client=True))
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        deployed: Any = release.to_deployment(
            "machines",
            entrypoint_type=EntrypointType.MODULE_PATH,
            work_pool_name=POOL,
            parameters={"folder": f"file://{origin}", "environment": "prod", "wait_seconds": 90},
        )
        deployment: UUID = deployed.apply()
        for machine in ("a", "b"):
            words = ["worker", "start", "--pool", POOL, "--work-queue", machine, "--name", machine]
            own = {"PREFECT_API_URL": url, "PREFECT_WORKER_QUERY_SECONDS": "1"}
            stack.enter_context(started(words, tmp_path / machine, own))
        yield Team(tmp_path, client, deployment)


def test_one_is_killed_the_other_finishes_and_what_it_staged_the_first_deploys(team: Team) -> None:
    """Kill -9 on a, the rest on b up to the approval, the deployment on a: built once after the approval was asked for."""
    killed = team.on("a", **{VARIABLE: FaultPoint.STAGE_BUILT.value})
    assert killed.state_type is not None
    assert killed.state_type.value == "CRASHED"

    waits = team.on("b")
    assert (waits.state_name, "building 1 relation" in team.log("b")) == ("Suspended", True), team.log("b")
    workspace = team.workspace()
    (promotion,) = workspace.store.promotions(environment="prod", states=(State.STAGED,))
    assert not (team.base / "shop.duckdb").exists()
    record(workspace, promotion, Decision.APPROVE, by="Grace")

    for kept in (team.base / "a" / "sluice").glob("repositories/*/kept/candidates"):
        shutil.rmtree(kept)  # what the dead run had built there: the same code gives the same bytes
    built_on_a = team.log("a").count("building 1 relation")
    done = team.on("a")
    assert done.state_name == "Released", team.log("a")
    assert team.log("a").count("building 1 relation") == built_on_a == 1
    assert f"fetching the candidate of promotion {promotion.id}" in team.log("a")
    with duckdb.connect(str(team.base / "shop.duckdb"), read_only=True) as connection:
        assert connection.execute("select amount from main.orders").fetchall() == [(10,)]
    served = workspace.store.promotion(promotion.id)
    assert served is not None
    assert served.state is State.STABLE
    ledger.verify(workspace.store.entries())
    workspace.store.close()

    # Nothing but the URLs: neither machine knows the other's folder, and none is in the origin.
    assert not (team.base / "origin" / ".sluice" / "candidates").exists()
    for machine in ("a", "b"):
        (clone,) = (team.base / machine / "sluice" / "repositories").iterdir()
        assert (clone / "kept").is_dir()
    assert list((team.base / "bundles" / "candidates").iterdir()) == []
