"""The Prefect deployments as data, and prefect.yaml, which says the same."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from prefect_sluice import __version__
from prefect_sluice.config.schedules import CronSchedule, IntervalSchedule, Poll, Schedules
from prefect_sluice.deployments.applying import apply, schema_of
from prefect_sluice.deployments.catalog import ROWS, DeploymentRow, Timing, timing
from prefect_sluice.deployments.prefect_yaml import FILE, text
from prefect_sluice.planning.choices import FormChoices
from prefect_sluice.workspace.workspace import Workspace
from tests.repository import repository

CHOICES = FormChoices(("dev", "staging", "prod"), "dev")
BY_NAME = {row.name: row for row in ROWS}


def test_prefect_knows_each_flow_by_one_name() -> None:
    for row in ROWS:
        module, _, name = row.entrypoint.rpartition(".")
        assert getattr(import_module(module), name).name == row.flow_name


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_form_shows_what_its_flow_takes(row: DeploymentRow) -> None:
    taken = set(schema_of(row)["properties"])
    assert {*row.fields, *row.parameters, "folder"} <= taken
    assert set(row.required) <= set(row.fields)
    assert row.description.startswith("**For ")
    assert "sluice" in row.tags


def test_schedules_are_those_of_the_configuration() -> None:
    asked = Schedules(
        release=Poll(every=timedelta(minutes=1), branch="trunk"),
        refresh=CronSchedule(cron="30 3 * * 1-5", timezone="Europe/Berlin"),
        collect=CronSchedule(cron="0 5 * * 0", environment="prod"),
    )
    found = {row.name: timing(row, asked, CHOICES) for row in ROWS}
    own = {"actor": "schedule"}
    assert found["release"] == Timing(
        every=timedelta(minutes=1), parameters={"ref": "trunk", "environment": "dev", **own}
    )
    assert found["nightly-refresh"] == Timing(
        "30 3 * * 1-5", "Europe/Berlin", parameters={"environment": "prod", **own}
    )
    assert found["collect"] == Timing("0 5 * * 0", parameters={"environment": "prod", **own})
    assert found["promote"] is None
    assert found["rollback"] is None


def test_what_is_off_does_not_run_by_itself() -> None:
    off = Schedules(refresh=None, collect=None, monitor=None)
    assert {timing(row, off, CHOICES) for row in ROWS} == {None}


def test_what_is_for_all_environments_names_none() -> None:
    row = DeploymentRow("watch", "collect", "**For on-call.**", ("sluice",), (), timer="monitor")
    found = timing(row, Schedules(monitor=IntervalSchedule(every=timedelta(minutes=5))), CHOICES)
    assert found == Timing(every=timedelta(minutes=5), parameters={"actor": "schedule"})


def test_prefect_yaml_is_what_the_catalog_says() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), (
        "write it: prefect_sluice.deployments.prefect_yaml.write()"
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.xdist_group("prefect")
def test_both_ways_make_the_same_deployments(prefect_server: str, tmp_path: Path) -> None:
    """`prefect deploy --all` takes prefect.yaml as it is; what `sluice up` makes differs only by what the project adds."""
    from prefect.client.orchestration import get_client

    project = repository(tmp_path / "shop", FILES)
    environ = {
        **os.environ,
        "PREFECT_API_URL": prefect_server,
        "SLUICE_FOLDER": str(project),
        "SLUICE_VERSION": __version__,
        "SLUICE_ENVIRONMENT": "prod",
    }
    workspace = Workspace.at(project)
    made = apply(workspace, FormChoices(("dev", "prod"), "dev"), pool="sluice")
    with get_client(sync_client=True) as client:
        ours = [_told(client.read_deployment(one.id)) for one in made]
        command = ["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(FILE)]
        done = subprocess.run(
            [sys.executable, "-m", *command],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        theirs = [_told(client.read_deployment(one.id)) for one in made]
        assert theirs == ours
        for one in made:  # the other tests' server is to run none of it by itself
            client.delete_deployment(one.id)


def _told(deployment: Any) -> dict[str, Any]:
    schedules = [(item.slug, item.active, item.parameters, item.schedule) for item in deployment.schedules]
    keys = ("name", "entrypoint", "version", "description", "tags", "parameters", "enforce_parameter_schema")
    return {
        **{key: getattr(deployment, key) for key in keys},
        "schedules": [(slug, on, given, _when(by)) for slug, on, given, by in schedules],
        "limit": deployment.global_concurrency_limit and deployment.global_concurrency_limit.limit,
        "pull": deployment.pull_steps or [],
        "pool": deployment.work_pool_name,
    }


def _when(by: Any) -> tuple[Any, ...]:
    return getattr(by, "cron", None), getattr(by, "interval", None), by.timezone


FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": yaml.safe_dump(
        {"shop": {"target": "dev", "outputs": {
            "dev": {"type": "duckdb", "path": "dev.duckdb"}, "prod": {"type": "duckdb", "path": "prod.duckdb"}}}}
    ),
    "sluice.yml": "environments: {dev: , prod: }\n",
}  # fmt: skip
