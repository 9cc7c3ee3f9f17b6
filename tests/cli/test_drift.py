"""A plain `dbt run` on a target that Sluice serves: every command says so and changes nothing, and one takes the names back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner

from prefect_sluice.monitoring.care import care_for
from prefect_sluice.workspace.workspace import Workspace
from tests.cli.conftest import Run, git
from tests.cli.test_doctor import repaired, sql
from tests.warm import let_go

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("drift")]

NAMES = ["main.customers", "main.orders", "main.totals"]
REFUSAL = (
    "dev does not serve what was published: a table stands at main.orders, main.totals, another view stands at"
    " main.customers; take the names back: sluice doctor --repair"
)


@pytest.fixture(scope="module")
def drifted(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the shared project, after a plain `dbt run` on what dev serves. Read only."""
    folder = tmp_path_factory.mktemp("drift") / "shop"
    shutil.copytree(shared, folder, symlinks=True)
    customers = folder / "models" / "customers.sql"
    customers.write_text("{{ config(materialized='view') }} select 2 as id, 'Eve' as name\n")
    with contextlib.chdir(folder):  # in this process, which has imported dbt already
        answer = dbtRunner().invoke(["--quiet", "run", "--target", "dev", "--profiles-dir", "."])  # pyright: ignore[reportUnknownMemberType]  # its keywords
    assert answer.success, answer
    let_go()
    git(folder, "checkout", "--", "models")
    git(folder, "clean", "-fdq")
    return folder


def content(folder: Path) -> str:
    """Return what tells one state of the served file from another."""
    return hashlib.sha256((folder / "dev.duckdb").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "command",
    [
        ("release",),
        ("release", "HEAD~1"),
        ("refresh",),
        ("rollback", "--from", "2"),
        ("promote", "--from", "prod", "--to", "dev"),
    ],
    ids=" ".join,
)
def test_nothing_goes_on_over_what_dbt_made(run: Run, drifted: Path, command: tuple[str, ...]) -> None:
    before = content(drifted)
    answer = run(*command, "-C", drifted, "--as", "Ada")
    assert (answer.code, len(answer.err.strip().splitlines())) == (1, 1), answer
    assert REFUSAL in answer.err
    assert content(drifted) == before


def test_status_and_the_monitor_say_what_stands_there(run: Run, drifted: Path) -> None:
    shown = run("status", "--env", "dev", "-C", drifted)
    assert "not ours" in shown.out
    assert "take the names back: sluice doctor --repair" in shown.out
    (dev,) = json.loads(run("status", "--env", "dev", "-C", drifted, "--json").out)["environments"]
    assert dev["displaced"] == [
        {"name": "main.customers", "instead": "another view"},
        {"name": "main.orders", "instead": "a table"},
        {"name": "main.totals", "instead": "a table"},
    ]
    for words in (("plan",), ("diff",), ("history",), ("report", "2")):
        told = run(*words, "--env", "dev", "-C", drifted).out
        assert "a table stands at main.orders, main.totals" in told, words
        assert "sluice doctor --repair" in told, words
    workspace = Workspace.at(drifted)
    health = care_for(workspace, workspace.environment("dev"), "Ada")
    assert health.line.endswith("3 names do not show what was published")
    assert "another view stands at main.customers, not what was published and 2 more" in health.problem
    assert "sluice doctor --repair" in health.problem


def test_the_doctor_takes_the_names_back_and_keeps_the_tables(
    run: Run, drifted: Path, shared: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(drifted, folder, symlinks=True)
    query = "from main.{} order by all"
    served = [sql(shared, query.format(name)) for name in ("orders", "totals", "customers")]
    by_dbt = [sql(folder, query.format(name)) for name in ("orders", "totals")]
    assert by_dbt[0] != served[0]
    assert run("collect", "-C", folder, "--as", "Ada").code == 0
    assert [sql(folder, query.format(name)) for name in ("orders", "totals")] == by_dbt, "nothing is dropped"

    assert sorted(repaired(run, folder)) == [
        "a table stands at main.orders, where a public view was; it is main.orders__set_aside now",
        "a table stands at main.totals, where a public view was; it is main.totals__set_aside now",
        "the public view main.customers was altered",
    ]
    assert [sql(folder, query.format(name)) for name in ("orders", "totals", "customers")] == served
    assert [sql(folder, query.format(f"{name}__set_aside")) for name in ("orders", "totals")] == by_dbt
    assert run("rollback", "--from", "2", "-C", folder, "--as", "Ada").code == 0
    (dev,) = json.loads(run("status", "--env", "dev", "-C", folder, "--json").out)["environments"]
    assert (dev["displaced"], dev["generation"]["number"]) == ([], 3)


def test_what_happens_between_the_look_and_the_publish_is_refused_too(
    run: Run, released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's table comes while a rollback is at work: no raw word of the engine, and the table stays."""
    from prefect_sluice import pipeline

    def too_early(*_: Any) -> None:
        sql(released, "drop view main.orders", "create table main.orders as select 666 as id")

    monkeypatch.setattr(pipeline, "public_names_are_ours", too_early)
    answer = run("rollback", "--from", "2", "-C", released, "--as", "Ada")
    assert (answer.code, len(answer.err.strip().splitlines())) == (1, 1), answer
    assert "dev does not serve what was published: a table stands at " in answer.err
    assert "main.orders; take the names back: sluice doctor --repair" in answer.err
    assert sql(released, "from main.orders") == [(666,)]
