"""The gates that remember, `budget` and `anomalies`, through the command line: yes, no, and "I could not tell"."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.cli.conftest import git
from tests.repository import repository

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("histories")]

SETTINGS = "environments: {dev: {}}\ngates: {anomalies: {minimum: 5}, project_tests: {on: 'off'}}\n"
FILES = {
    ".gitignore": "*.duckdb*\n.sluice\ntarget\nlogs\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, threads: 1}}}\n",
    "sluice.yml": SETTINGS,
    "models/sources.yml": "sources: [{name: raw, schema: raw, tables: [{name: orders}]}]\n",
    "models/orders.sql": (
        "{{ config(materialized='incremental', unique_key='id') }}\nselect * from {{ source('raw', 'orders') }}\n"
        "{% if is_incremental() %}where id > (select max(id) from {{ this }}){% endif %}\n"
    ),
}


def load(folder: Path, night: int, rows: int) -> None:
    with duckdb.connect(str(folder / "w.duckdb")) as connection:
        connection.execute("create schema if not exists raw")
        connection.execute(
            "create table if not exists raw.orders (id bigint, amount double, country varchar)"
        )
        connection.execute(
            f"insert into raw.orders select {night} * 100000 + range, 20 + hash(range + {night}) % 10,"
            f" 'c' || (hash(range * {night + 3}) % 5) from range({rows})"
        )


def gate(run: Run, folder: Path, name: str, *command: str) -> tuple[int, dict[str, Any]]:
    """Run a command; return its exit code and what one gate found."""
    answer = run(*command, "-C", folder, "--json")
    [report] = [one for one in json.loads(answer.out)["reports"] if one["gate"] == name]
    return answer.code, report


@pytest.fixture(scope="module")
def nightly(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was released, and refreshed on five quiet nights. Read only."""
    folder = repository(tmp_path_factory.mktemp("nightly"), FILES)
    load(folder, 0, 2000)
    assert run("release", "-C", folder).code == 0
    for night in range(1, 6):
        load(folder, night, 1000 + 7 * night)
        assert run("refresh", "-C", folder).code == 0
    return folder


@pytest.fixture
def shop(nightly: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    folder = tmp_path / "copy"
    shutil.copytree(nightly, folder, symlinks=True)
    return folder


def sql(folder: Path, text: str) -> None:
    (folder / "models" / "orders.sql").write_text(text)
    git(folder, "commit", "--quiet", "--all", "--message", "Another orders")


def test_nights_build_a_history_and_half_a_night_is_stopped(run: Run, shop: Path) -> None:
    load(shop, 6, 1010)
    code, report = gate(run, shop, "anomalies", "refresh")
    assert (code, report["verdict"]) == (0, "PASSED")
    load(shop, 7, 490)
    code, report = gate(run, shop, "anomalies", "refresh")
    assert (code, report["verdict"]) == (1, "FAILED")
    told = {finding["check"]: finding["summary"] for finding in report["findings"]}
    assert told["rows"].startswith("orders: 490 ")
    assert told["rows"].endswith("(6 refreshes)")
    # Refused nights are no history; the rest of this one arrives, and it is like the others.
    with duckdb.connect(str(shop / "w.duckdb")) as connection:
        connection.execute("delete from raw.orders where id >= 700000")
    load(shop, 7, 1004)
    code, report = gate(run, shop, "anomalies", "refresh")
    assert (code, report["findings"][0]["summary"].rpartition(", ")[2]) == (0, "all as in 6 refreshes before")


def test_what_cannot_be_told_holds_a_refresh(run: Run, shop: Path) -> None:
    (shop / "sluice.yml").write_text(SETTINGS.replace("minimum: 5", "minimum: 5, time: {orders: amount}"))
    load(shop, 6, 1010)
    code, report = gate(run, shop, "anomalies", "refresh")
    assert (code, report["verdict"]) == (1, "ERRORED")
    assert "has no column 'amount' of a time type" in report["findings"][0]["summary"]


def test_a_change_that_empties_a_model_is_stopped_and_one_that_does_not_is_served(
    run: Run, shop: Path
) -> None:
    sql(shop, "{{ config(materialized='table') }} select id from {{ source('raw', 'orders') }}")
    code, report = gate(run, shop, "budget", "release")
    assert (code, report["verdict"]) == (0, "PASSED")
    sql(shop, "{{ config(materialized='table') }} select id from {{ source('raw', 'orders') }} where id < 0")
    code, report = gate(run, shop, "budget", "release")
    assert (code, report["verdict"]) == (1, "FAILED")
    assert report["findings"][0]["summary"].startswith("orders has no rows; it had ")


def test_a_limit_that_names_no_model_holds_a_release(run: Run, shop: Path) -> None:
    (shop / "sluice.yml").write_text(
        "environments: {dev: {}}\ngates: {budget: {models: {ordres: {rows: 9}}}}\n"
    )
    sql(shop, "{{ config(materialized='table') }} select id from {{ source('raw', 'orders') }}")
    code, report = gate(run, shop, "budget", "release")
    assert (code, report["verdict"]) == (1, "INCONCLUSIVE")
