"""`sluice up` as one uses it: a real server and worker, a release from the form, and nothing left when it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import httpx
import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.states import Running

from prefect_sluice.local_server.processes import MARK
from tests.architecture.test_imports import loaded_by
from tests.prefect_api import client
from tests.repository import repository

FILES = {
    ".gitignore": "*.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, schema: main}}}\n",
    "sluice.yml": "environments:\n  prod: {approvals: 0}\nschedules: {refresh: off, collect: off, monitor: off}\n",
    "models/orders.sql": "{{ config(materialized='table') }}\nselect 1 as id, 10 as amount\n",
    "models/schema.yml": "exposures: [{name: sales, label: Sales board, type: dashboard, owner: {name: Sales},"
    " depends_on: [ref('orders')]}]\n",
}
RELEASE, ROLLBACK = "release/release", "rollback/rollback"


def until(holds: Callable[[], Any], *, seconds: float = 120) -> Any:
    """Wait until it holds, and return what it returned."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)
    return found


def free_port() -> int:
    """Return a port that is free, as the next one is: the reports take that."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sluice(project: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "prefect_sluice.cli", *arguments, "-C", str(project)]
    return subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=False)


@contextmanager
def up(project: Path, home: Path) -> Generator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Have it up, and give the process and what it says when it is ready."""
    environ = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"} | {
        "PREFECT_HOME": str(home)
    }
    arguments = ["-m", "prefect_sluice.cli", "up", "-C", str(project), "--port", str(free_port()), "--json"]
    with subprocess.Popen(
        [sys.executable, *arguments], env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository of a small dbt project."""
    return repository(tmp_path / "shop", FILES)


def marked(project: Path) -> list[int]:
    """Return the processes that bear the mark of the project's folder."""
    mark = str(project / ".sluice" / "up")
    found: list[int] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK, "").startswith(mark):
                found.append(process.pid)
    return found


class Server:
    """The Prefect server's API, as a form uses it."""

    def __init__(self, api: str) -> None:
        self._client = client(api)

    def deployment(self, name: str) -> dict[str, Any]:
        """Return a Prefect deployment."""
        return self._client.get(f"/deployments/name/{name}").raise_for_status().json()

    def start(self, name: str, **parameters: object) -> httpx.Response:
        """Ask for a run, as the form does."""
        identifier = self.deployment(name)["id"]
        return self._client.post(
            f"/deployments/{identifier}/create_flow_run", json={"parameters": parameters}
        )

    def ended(self, started: httpx.Response) -> tuple[str, str]:
        """Wait for a run's end, and return its state's name and message."""
        identifier = started.raise_for_status().json()["id"]

        def state() -> Any:
            found = self._client.get(f"/flow_runs/{identifier}").raise_for_status().json()["state"]
            return found if found["type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"} else None

        found = until(state)
        return found["name"], found["message"]

    def logged(self, started: httpx.Response) -> str:
        """Return the log of a run."""
        asked = {"logs": {"flow_run_id": {"any_": [started.json()["id"]]}}}
        return "\n".join(line["message"] for line in self._client.post("/logs/filter", json=asked).json())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_release_from_the_form_is_served_and_nothing_is_left(project: Path, tmp_path: Path) -> None:
    with up(project, tmp_path / "home") as (process, ready):
        server = Server(ready["api"])
        wrong = server.start(RELEASE, environment="production")
        assert (wrong.status_code, "'production' is not one of ['prod']" in wrong.text) == (409, True)
        assert ready["ui"] == ready["api"].replace("/api", "/v2/deployments")
        assert httpx.get(ready["api"].replace("/api", "/ui-settings")).json()["api_url"] == ready["api"]

        name, message = server.ended(server.start(RELEASE, environment="prod", ref="main", actor="Ada"))
        assert (name, message.split(", ")[0]) == ("Released", "prod serves generation 1")
        with duckdb.connect(str(project / "shop.duckdb"), read_only=True) as connection:
            assert connection.execute("select amount from main.orders").fetchall() == [(10,)]

        # The first generation is nothing to go back to; which a run says in its state and one line, without a traceback.
        started = server.start(ROLLBACK, environment="prod", reason="the sums are off", actor="Ada")
        name, message = server.ended(started)
        assert "generation 1 is the first, there is nothing before it" in message
        assert "Traceback" not in server.logged(started)

        second = sluice(project, "up", "--port", str(free_port()))
        assert (
            second.returncode,
            f"it runs here already (pid {process.pid} at {ready['ui']})" in second.stderr,
        ) == (1, True)
        until(lambda: len(marked(project)) == 2)  # the run's own process ends a moment after the run
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert marked(project) == []
    assert not (project / ".sluice" / "up" / "processes.json").exists()


@pytest.mark.slow
@pytest.mark.xdist_group("prefect")
def test_only_the_deployments_for_a_server_that_is_there(prefect_server: str, project: Path) -> None:
    done = sluice(project, "up", "--only", "deployments", "--json", PREFECT_API_URL=prefect_server)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["api"], RELEASE in told["deployments"]) == (prefect_server, True)
    server = Server(prefect_server)
    found = server.deployment(RELEASE)
    assert found["parameters"]["folder"] == str(project)
    assert found["parameter_openapi_schema"]["properties"]["environment"]["enum"] == ["prod"]
    with get_client(sync_client=True) as prefect:  # which tries again when SQLite is busy
        # Who takes it for a free port is refused, and says nothing about the runs that are at work there.
        run = prefect.create_flow_run_from_deployment(UUID(server.deployment(RELEASE)["id"])).id
        prefect.set_flow_run_state(run, Running(), force=True)
        port = prefect_server.rpartition(":")[2].partition("/")[0]
        refused = sluice(project, "up", "--port", port)
        assert (refused.returncode, "a Prefect server that is not of this project" in refused.stderr) == (
            1,
            True,
        )
        assert prefect.read_flow_run(run).state_type is StateType.RUNNING
        for name in told["deployments"]:
            prefect.delete_deployment(UUID(server.deployment(name)["id"]))


@pytest.mark.slow
def test_what_is_wrong_is_said_before_anything_starts(project: Path) -> None:
    none = sluice(project, "up", "--no-server", PREFECT_API_URL="")
    assert (none.returncode, none.stderr) == (
        2, "sluice: PREFECT_API_URL: no Prefect server is configured; set it, or leave --no-server out\n"
    )  # fmt: skip
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        busy = sluice(project, "up", "--port", str(port))
        assert (busy.returncode, f"port {port} of 127.0.0.1 is taken" in busy.stderr) == (1, True)
        away = sluice(
            project, "up", "--only", "deployments", PREFECT_API_URL=f"http://127.0.0.1:{free_port()}/api"
        )
        assert (away.returncode, "no Prefect server answers there" in away.stderr) == (2, True)
    assert marked(project) == []


def test_without_prefect_it_says_what_to_install(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from prefect_sluice.cli import main
    from prefect_sluice.cli.commands import up as command

    def missing(_name: str) -> None:
        return None

    monkeypatch.setattr(command, "find_spec", missing)
    assert main(["up", "-C", str(project)]) == 2
    assert (
        capsys.readouterr().err == "sluice: Prefect is not installed; pip install 'prefect-sluice[prefect]'\n"
    )


def test_its_help_is_light(tmp_path: Path) -> None:
    ask = "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main(['up', '--help'])"
    loaded = loaded_by(f"from prefect_sluice.cli import main\n{ask}", tmp_path)
    assert loaded & {"prefect", "dbt", "duckdb", "pandas", "sqlalchemy", "httpx"} == set()
