"""Files that a project brings (seeds, data that models read) are those of the release that is built."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.project_life import Life
from tests.moved_clock import MovedClock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def life(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Life:
    """The project on its first day; nothing is released."""
    return Life(tmp_path / "shop", run, MovedClock(monkeypatch))


def test_files_that_the_project_brings_are_those_of_the_release_that_is_built(life: Life) -> None:
    """dbt keeps its parse between releases, and in it the checkout that each seed was first found in."""
    life.commit("seeds/large.csv", "id,text\n" + f"1,{'x' * 1000}\n" * 1100)
    life.commit("models/big.sql", "select max(id) as id from {{ ref('large') }}\n")
    life.command("release")
    life.commit("seeds/large.csv", "id,text\n" + f"2,{'x' * 1000}\n" * 1100)
    life.commit("data/days.csv", "day\n2\n")
    life.command("release")
    assert life.read("select id from main.big union all select day from main.days") == [(2,), (2,)]
    checkouts = life.folder / ".sluice" / "checkouts"
    shutil.rmtree(checkouts)
    life.clock.pass_days(3)
    life.load("insert into raw.orders values (1)")
    life.command("refresh")
    assert life.read("select id from main.big union all select day from main.days") == [(2,), (2,)]
