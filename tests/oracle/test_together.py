"""The ways in together: what one command leaves behind, the others take as it is, and the doctor finds nothing wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.cli import main
from prefect_sluice.maintenance.doctor.examine import examine
from prefect_sluice.runtime.faults import VARIABLE, FaultPoint
from prefect_sluice.workspace.workspace import Workspace
from tests.repository import repository
from tests.warm_commands import Commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("plain-dbt")]

FILES = {
    ".gitignore": "w.duckdb*\n.sluice/\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, schema: mart, threads: 1}}}\n",
    "sluice.yml": "environments: {dev: {}}\n",
    "models/one.sql": "{{ config(materialized='table') }}\nselect 1 as n\n",
    "models/two.sql": "select n + 1 as n from {{ ref('one') }}\n",
}


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A small project that was never built."""
    return repository(tmp_path, FILES)


def sluice(folder: Path, *words: str) -> int:
    return main([*words, "-C", str(folder)])


def killed(commands: Commands, folder: Path, point: FaultPoint, *words: str) -> int:
    """Run a command that dies at a point; return how it ended."""
    return commands.sluice(*words, folder=folder, environ={VARIABLE: point.value}).code


def wrong(folder: Path) -> list[str]:
    """Return what the doctor finds."""
    workspace = Workspace.at(folder)
    found = [item.thing for item in examine(workspace).complaints if not item.note]
    workspace.store.close()
    return found


def rows(folder: Path, relation: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as connection:
        return connection.execute(f"from {relation}").fetchall()


def test_the_doctor_knows_who_left_and_who_was_adopted(team: Path) -> None:
    assert sluice(team, "release") == 0
    assert sluice(team, "leave", "dev", "--yes") == 0
    assert wrong(team) == [], "the generations went as they should"
    assert sluice(team, "release", "--adopt") == 0
    assert wrong(team) == [], "no promotion wrote generation 0"
    assert sluice(team, "rollback") == 0
    assert wrong(team) == []
    (team / "w.duckdb").unlink()
    assert any("is not in the warehouse" in item for item in wrong(team)), "a file that is gone is told still"
    assert sluice(team, "release-hold", "dev", "--reason", "the file is lost") == 0
    assert sluice(team, "release") == 0
    assert wrong(team) == [], "released again, as it advised"


def test_leaving_that_died_is_told_and_ended(
    team: Path, warm_commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sluice(team, "release") == 0
    assert killed(warm_commands, team, FaultPoint.LEAVE_DONE, "leave", "dev", "--yes") < 0
    assert rows(team, "mart.two") == [(2,)]
    capsys.readouterr()
    assert sluice(team, "doctor") == 1
    assert "sluice leave dev" in capsys.readouterr().out
    assert sluice(team, "leave", "dev", "--yes") == 0
    assert wrong(team) == []


def test_what_served_unwatched_is_closed_by_what_comes_next(team: Path, warm_commands: Commands) -> None:
    """Killed before Monitor, then something else is released: the dead promotion is at its end, and nothing waits for it."""
    assert killed(warm_commands, team, FaultPoint.DEPLOY_RECORDED, "release") < 0
    assert [item.partition(" is ")[2] for item in wrong(team) if item.startswith("promotion")] == [
        "deployed, and nobody works on it"
    ]
    (team / "models" / "one.sql").write_text("{{ config(materialized='table') }}\nselect 5 as n\n")
    subprocess.run(["git", "commit", "-qam", "second"], cwd=team, check=True)
    assert sluice(team, "release") == 0
    assert wrong(team) == []
    left = list((team / ".sluice" / "candidates").glob("*/*.duckdb"))
    assert left == [], "what was served is in the store: nobody takes anything from its candidate"
    assert killed(warm_commands, team, FaultPoint.ROLLBACK_FLIPPED, "rollback") < 0
    assert sluice(team, "rollback") == 0
    assert rows(team, "mart.two") == [(2,)]
    assert sluice(team, "history") == 0
    assert wrong(team) == []
    assert sluice(team, "leave", "dev", "--yes") == 0


def test_leaving_breaks_nobodys_view(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sluice(team, "release") == 0
    with duckdb.connect(str(team / "w.duckdb")) as connection:
        found = connection.execute("select address from sluice.pointer where identifier = 'two'").fetchall()
        connection.execute("create schema mine")
        connection.execute(f'create view mine.past as from sluice_store."{found[0][0]}"')
        connection.execute("create view mine.public as from mart.two")
    capsys.readouterr()
    assert sluice(team, "leave", "dev", "--yes") == 1
    assert "no longer work: mine.past; let them read the public names" in capsys.readouterr().err
    assert rows(team, "mine.past") == [(2,)]
    with duckdb.connect(str(team / "w.duckdb")) as connection:
        connection.execute("create or replace view mine.past as from mart.two")
    assert sluice(team, "leave", "dev", "--yes") == 0
    assert rows(team, "mine.past") == rows(team, "mine.public") == [(2,)]
