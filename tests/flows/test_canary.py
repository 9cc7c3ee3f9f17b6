"""Secrets are where they were put, and nowhere else: not in stores, files, answers, errors, nor at the Prefect server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import pytest
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import (
    PREFECT_LOGGING_TO_API_ENABLED,
    PREFECT_SERVER_DATABASE_CONNECTION_URL,
    temporary_settings,
)
from prefect.types import SecretDict
from pydantic import SecretStr

from prefect_sluice.cli import main
from prefect_sluice.flows.refresh import refresh
from prefect_sluice.flows.release import release
from prefect_sluice.flows.rollback import rollback
from prefect_sluice.orchestration.blocks import SluiceStateStore, SluiceWarehouse, register
from tests.postgres import binaries

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("prefect")]

STATE, WRONG, DBT, PLAIN = "canary-st@te-51", "canary-wr0ng-62", "canary-dbt-73", "canary-plain-84"
CANARIES = tuple(text.encode() for text in (STATE, quote(STATE, safe=""), WRONG, DBT, PLAIN))
FILES = {
    ".gitignore": "*.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": (
        "shop:\n  target: dev\n  outputs:\n"
        "    dev: &one\n      type: duckdb\n      path: dev.duckdb\n"
        "      settings: {home_directory: \"/tmp/{{ env_var('DBT_ENV_SECRET_SHOP') }}\"}\n"
        "      attach: [{path: \"{{ env_var('SHOP_FOLDER') }}/raw_{{ env_var('SHOP_TOKEN') }}.duckdb\", alias: raw, "
        "read_only: true}]\n"
        "    prod:\n      <<: *one\n      path: prod.duckdb\n"
    ),
    "sluice.yml": "environments:\n  dev: {approvals: 0}\n  prod: {approvals: 1}\n",
    "models/orders.sql": "select range as id, 10 as amount from range(30)\n",
    "models/models.yml": "models: [{name: orders, columns: [{name: id, data_tests: [unique]}]}]\n",
}
TWICE = "select range // 2 as id, 10 as amount from range(30)\n"
BROKEN = "select raw_{{ target.name }}.nothing as id from raw.main.nothing\n"


@pytest.fixture
def server() -> Generator[Callable[[str], str]]:
    """A PostgreSQL that wants a password: gives the URL with one."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL's server programs (initdb, pg_ctl) are not installed")
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    (folder / "password").write_text(STATE)
    if user:
        shutil.chown(folder, user)
        shutil.chown(folder / "password", user)

    def call(*command: str | Path) -> None:
        subprocess.run(command, user=user, check=True, stdout=subprocess.DEVNULL, timeout=60, cwd=folder)

    data = folder / "data"
    login = ("-A", "scram-sha-256", "--pwfile", folder / "password")
    try:
        call(programs / "initdb", "-D", data, "-U", "sluice", *login, "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        call(programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options, "start")
        try:
            yield lambda password: f"postgresql://sluice:{quote(password, safe='')}@/postgres?host={folder}"
        finally:
            call(programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository whose profile takes both secrets."""
    import duckdb

    folder = tmp_path / "shop"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    duckdb.connect(str(folder / f"raw_{PLAIN}.duckdb")).close()
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    commit(folder, FILES["models/orders.sql"])
    return folder


def commit(folder: Path, orders: str) -> None:
    (folder / "models" / "orders.sql").write_text(orders, encoding="utf-8")
    for command in (["add", "-A"], ["commit", "-qm", "orders", "--allow-empty"]):
        subprocess.run(["git", *command], cwd=folder, check=True)


def files(*places: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file below the places, by its path."""
    for environment in places:
        for path in [environment] if environment.is_file() else sorted(environment.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield str(path), path.read_bytes()


def told(capfd: pytest.CaptureFixture[str], folder: Path, *lines: str) -> Iterator[tuple[str, bytes]]:
    """Run commands, and yield what each writes."""
    for line in lines:
        main([*line.split(), "-C", str(folder)])
        out, err = capfd.readouterr()
        yield line, (out + err).encode()


def test_no_secret_is_anywhere_but_where_it_was_put(
    prefect_server: str,
    project: Path,
    server: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    seen: dict[str, bytes] = {}
    monkeypatch.setenv("SHOP_FOLDER", str(project))
    as_ada = "--as Ada --via local"
    with monkeypatch.context() as environment:
        environment.setenv("SLUICE_STATE", server(STATE))
        environment.setenv("DBT_ENV_SECRET_SHOP", DBT)
        environment.setenv("SHOP_TOKEN", PLAIN)
        seen |= told(capfd, project, "plan", f"release {as_ada}", f"release --env prod {as_ada}", "doctor")
        seen |= told(capfd, project, "approve --as Grace", "status --json", "report --format html")
        commit(project, TWICE)
        seen |= told(
            capfd, project, f"release --json {as_ada}", "report", "report --format json", "show HEAD --json"
        )
        commit(project, BROKEN)
        seen |= told(capfd, project, f"release {as_ada} --env dev", "history --json")
        environment.setenv("SHOP_TOKEN", f"{PLAIN}-gone")  # cannot be attached
        seen |= told(capfd, project, f"release HEAD~1 {as_ada} --env dev")
        environment.setenv("SLUICE_STATE", server(WRONG))
        environment.setenv("SLUICE_DEBUG", "1")
        seen |= told(capfd, project, "status", f"release {as_ada}", "doctor", f"backup {tmp_path / 'no.db'}")
    assert b"password authentication failed" in seen["status"]
    assert b"refused" in seen[f"release --json {as_ada}"]

    register()
    secrets = {"DBT_ENV_SECRET_SHOP": DBT, "SHOP_TOKEN": PLAIN}
    SluiceWarehouse(secrets=SecretDict(secrets)).save("right")
    SluiceStateStore(url=SecretStr(server(STATE))).save("right")
    SluiceWarehouse(secrets=SecretDict(secrets | {"SHOP_TOKEN": f"{PLAIN}-gone"})).save("gone")
    SluiceStateStore(url=SecretStr(server(STATE))).save("gone")
    SluiceStateStore(url=SecretStr(server(WRONG))).save("wrong")
    SluiceWarehouse(secrets=SecretDict(secrets)).save("wrong")
    where = {"folder": str(project), "environment": "dev", "actor": "Ada", "return_state": True}
    names: list[str] = []
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: True}):
        ways = (
            ("20", "right", release),
            ("20", "right", refresh),
            (TWICE, "right", release),
            ("30", "gone", release),
            ("30", "wrong", release),
        )
        for amount, connections, flow in ways:
            commit(
                project, FILES["models/orders.sql"].replace("10", amount) if amount.isdecimal() else amount
            )
            state = cast(Any, flow)(**where, connections=connections)
            names.append(str(state.name))
            seen[f"{cast(Any, flow).name} {connections}"] = (
                f"{state.name} {state.message} {state.data}".encode()
            )
        back = cast(Any, rollback)(**where, connections="right")
        names.append(str(back.name))
        APILogWorker.drain_all(timeout=20, at_exit=False)
        EventsWorker.drain_all(timeout=20, at_exit=False)
    assert names == ["Released", "Unchanged", "Refused", "BadInput", "BadInput", "Released"]
    out, err = capfd.readouterr()
    seen["what Prefect logs to the terminal"] = (out + err).encode()

    monkeypatch.setenv("SLUICE_STATE", server(STATE))
    monkeypatch.setenv("DBT_ENV_SECRET_SHOP", DBT)
    monkeypatch.setenv("SHOP_TOKEN", PLAIN)
    seen |= told(
        capfd, project, f"backup {tmp_path / 'kept.db'}", "history", "collect --dry-run", "status --disk"
    )
    url = str(PREFECT_SERVER_DATABASE_CONNECTION_URL.value()).partition("///")[2]
    database = [path for path in (Path(url), Path(f"{url}-wal")) if path.is_file()]
    seen |= files(
        project / ".sluice", project / "dev.duckdb", project / "prod.duckdb", tmp_path / "kept.db", *database
    )

    # It is looked for where something is: each place holds what belongs there.
    assert b"password authentication failed" in seen["release wrong"]
    everything = {
        "kept.db": b"orders",
        "prefect": b"rollback dev",
        "bundles": b"range(30)",
        "dev.duckdb": b"orders",
    }
    assert [
        name
        for name, text in everything.items()
        if not any(name in key and text in seen[key] for key in seen)
    ] == []
    found = {
        (place, canary.decode()): content[max(content.find(canary) - 200, 0) : content.find(canary) + 40]
        for place, content in seen.items()
        for canary in CANARIES
        if canary in content
    }
    assert found == {}, found
