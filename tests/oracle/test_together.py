"""The ways in together: what one command leaves behind, the others take as it is, and the doctor finds nothing wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.cli import main
from prefect_sluice.doctor.visit import examine
from prefect_sluice.faults import VARIABLE, Point
from prefect_sluice.workshop import Workshop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

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
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def sluice(folder: Path, *words: str) -> int:
    return main([*words, "-C", str(folder)])


def wrong(folder: Path) -> list[str]:
    """Return what the doctor finds."""
    workshop = Workshop.at(folder)
    found = [item.thing for item in examine(workshop).complaints if not item.note]
    workshop.store.close()
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


def test_leaving_that_died_is_told_and_ended(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sluice(team, "release") == 0
    subprocess.run(
        [sys.executable, "-P", "-m", "prefect_sluice.cli", "leave", "dev", "--yes", "-C", str(team)],
        env={**os.environ, VARIABLE: Point.LEAVE_DONE.value},
        check=False,
    )
    assert rows(team, "mart.two") == [(2,)]
    capsys.readouterr()
    assert sluice(team, "doctor") == 1
    assert "sluice leave dev" in capsys.readouterr().out
    assert sluice(team, "leave", "dev", "--yes") == 0
    assert wrong(team) == []
