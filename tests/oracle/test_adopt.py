"""A team that ran plain dbt for years comes, goes back, and goes: at every step it has its own rows, history and all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.cli import main
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.generation import Cause
from prefect_sluice.promotions.request import ReleaseRequest, request_for
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.workspace.workspace import Workspace
from tests.warm_commands import Commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("plain-dbt")]

FILES = {
    ".gitignore": "w.duckdb*\nlogs/\ntarget/\n",
    "dbt_project.yml": "name: p\nprofile: p\nversion: '1.0'\n",
    "profiles.yml": "p: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, schema: mart, threads: 1}}}\n",
    "sluice.yml": "",
    "models/s.yml": "sources: [{name: raw, tables: [{name: o}]}]\n",
    "models/stg.sql": "select * from {{ source('raw', 'o') }}",
    "models/events.sql": (
        "{{ config(materialized='incremental', unique_key='id') }}\nselect id, v from {{ ref('stg') }}\n"
        "{% if is_incremental() %}where id > (select max(id) from {{ this }}){% endif %}"
    ),
    "models/total.sql": "{{ config(materialized='table') }}\nselect sum(v) as v from {{ ref('events') }}",
    "models/best.sql": "select max(v) as v from {{ ref('total') }}",
    "snapshots/kept.sql": (
        "{% snapshot kept %}{{ config(unique_key='id', strategy='check', check_cols=['v']) }}"
        "select id, v from {{ ref('stg') }}{% endsnapshot %}"
    ),
}
KEPT = "select id, v, dbt_valid_to is null from mart.kept order by all"


def run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def dbt(commands: Commands, folder: Path) -> None:
    """Build it as the team always did."""
    ran = commands.dbt("--quiet", "build", folder=folder)
    assert ran.code == 0, ran


def sql(folder: Path, *statements: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(folder / "w.duckdb")) as connection:
        for statement in statements[:-1]:
            connection.execute(statement)
        return connection.execute(statements[-1]).fetchall()


@pytest.fixture
def team(tmp_path: Path, warm_commands: Commands) -> Path:
    """A project and its warehouse; the sources no longer hold what the history was made from."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    sql(tmp_path, "create schema raw", "create table raw.o as select i as id, i * 10 as v from range(5) t(i)")
    dbt(warm_commands, tmp_path)
    sql(
        tmp_path,
        "delete from raw.o where id < 3",
        "update raw.o set v = 99 where id = 4",
        "insert into raw.o values (5, 50)",
    )
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "as it is"]):
        run("git", *command, cwd=tmp_path)
    return tmp_path


def go(folder: Path, cause: Cause = Cause.RELEASE, *, adopt: bool = False) -> Work:
    request = ReleaseRequest(folder, "dev", adopt=True) if adopt else request_for(cause, folder, "dev")
    return pipeline.run(request)


def test_a_team_comes_goes_back_and_goes(team: Path, warm_commands: Commands) -> None:
    before = {
        name: sql(team, f"from mart.{name} order by all") for name in ("events", "total", "best", "kept")
    }
    with pytest.raises(Refused, match="take them over: sluice release --adopt"):
        go(team)
    work = go(team, adopt=True)
    assert work.outcome is not None
    assert work.outcome.status is Status.DONE
    # The history that only the old relations hold goes on, exactly as a plain run would have gone on.
    expected = [(0, 0), (1, 10), (2, 20), (3, 30), (4, 40), (5, 50)]
    assert sql(team, "from mart.events order by all") == expected
    assert sql(team, "from mart.total") == [(150,)]
    assert (4, 40, False) in sql(team, KEPT)
    assert (4, 99, True) in sql(team, KEPT)
    assert go(team, adopt=True).outcome == go(team).outcome, "again: nothing to do"

    work = go(team, Cause.ROLLBACK)
    assert {name: sql(team, f"from mart.{name} order by all") for name in before} == before
    assert work.generation is not None
    assert (work.generation.number, work.generation.origin) == (2, 0)
    again = go(team, Cause.ROLLBACK).outcome
    assert again is not None
    assert (again.status, again.message[:39]) == (Status.UNCHANGED, "dev was rolled back from generation 1 t")

    assert main(["release-hold", "dev", "--reason", "forward again", "-C", str(team)]) == 0
    assert go(team).generation is not None, "and forward again, without --adopt"
    assert sql(team, "from mart.events order by all") == expected

    kept = sql(team, KEPT)
    assert main(["leave", "dev", "--yes", "-C", str(team)]) == 0
    assert main(["leave", "dev", "--yes", "-C", str(team)]) == 0
    assert sql(team, "select count(*) from duckdb_schemas() where schema_name like 'sluice%'") == [(0,)]
    assert (sql(team, "from mart.events order by all"), sql(team, KEPT)) == (expected, kept)
    sql(team, "insert into raw.o values (6, 60)")
    dbt(warm_commands, team)
    assert sql(team, "from mart.events order by all") == [*expected, (6, 60)]
    assert sql(team, "from mart.total") == [(210,)]

    again = go(team, adopt=True)
    assert again.generation is not None
    assert again.generation.number == 1
    assert sql(team, "from mart.events order by all") == [*expected, (6, 60)]


def test_who_adopts_with_approval_need_not_say_it_twice(team: Path) -> None:
    """The yes is of a plan that adopts: `sluice approve --deploy` and the plain command go on with it."""
    (team / "sluice.yml").write_text("environments: {dev: {approvals: 1}}\n")
    run("git", "commit", "-qam", "ask", cwd=team)
    waiting = go(team, adopt=True)
    assert waiting.promotion is not None
    assert waiting.plan is not None
    assert [item["name"] for item in waiting.plan.document()["adopted"]] == [  # type: ignore[index,call-overload]
        "mart.best", "mart.events", "mart.kept", "mart.stg", "mart.total",
    ]  # fmt: skip
    assert main(["leave", "dev", "--yes", "-C", str(team)]) == 1, "a promotion is open"
    assert main(["approve", waiting.promotion.id, "--yes", "--deploy", "-C", str(team)]) == 0
    assert sql(team, "select count(*) from mart.events") == [(6,)]
    workspace = Workspace.at(team)
    facts = [entry.facts for entry in workspace.store.entries() if entry.event == "generation.written"]
    assert facts[0]["publish"]["way"] == "in_place"  # type: ignore[index,call-overload]
    workspace.store.close()
