"""A run that waits costs no process: kill the server and the worker, start others, and the answer still counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.flow_runs import resume_flow_run
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE, temporary_settings

from prefect_sluice import pipeline
from prefect_sluice.flows.release import release
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.workspace.workspace import Workspace
from tests.flows.deployed import Deployed
from tests.flows.processes import Site, until
from tests.repository import repository
from tests.warm_commands import Commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("prefect")]

FILES = {
    ".gitignore": "shop.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, schema: main}}}\n",
    "sluice.yml": "environments:\n  prod: {approvals: 1}\n",
    "models/orders.sql": "{{ config(materialized='table') }}\nselect 1 as id\n",
}


def scheduled(folder: Path, command: str) -> Deployed:
    """Create a pool, a deployment as `sluice up` makes it, but for the command of its runs, and a run."""
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="sluice", type="process"))
        deployment = client.create_deployment(
            client.create_flow(release), "release", work_pool_name="sluice",
            entrypoint="prefect_sluice.flows.release.release", pull_steps=[], path=str(folder),
            job_variables={"command": command},
        )  # fmt: skip
        asked = {"environment": "prod", "folder": str(folder), "actor": "Ada"}
        return Deployed(client.create_flow_run_from_deployment(deployment, parameters=asked).id)


def test_a_waiting_run_outlives_the_server_and_the_worker(tmp_path: Path, warm_commands: Commands) -> None:
    """Killed while it waits, both, and answered when others are there: it goes on in a new process."""
    folder = repository(tmp_path / "shop", FILES)
    pipeline.run(ReleaseRequest(folder, "prod", actor="Ada"))
    (tmp_path / "home").mkdir()
    site = Site.at(tmp_path / "home")
    here = cast(dict[Any, Any], {PREFECT_API_URL: site.url, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False})
    with temporary_settings(here), warm_commands.flow_runs(site.environ) as command:
        with site.server():
            run = scheduled(folder, command)
            with site.worker("sluice"):
                # The form is kept after the state is set: a worker killed in between leaves a run without one.
                until(lambda: run.name == "Suspended" and bool(run.inputs), 120, "it waits with its form")
        assert len(Workspace.at(folder).store.questions()) == 1
        with site.server():
            assert run.name == "Suspended"
            resume_flow_run(run.id, run_input={"decision": "approve", "name": "Grace"})
            with site.worker("sluice"):
                until(lambda: run.state.is_final(), 120, "it ends")
            assert (run.name, run.state.message) == (
                "Released",
                f"prod serves generation 1, release {Workspace.at(folder).store.releases()[0].short}",
            )
