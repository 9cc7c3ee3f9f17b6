"""A month of a project's life: releases, refreshes, rollbacks, and the collector each week, on a clock that moves."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.runtime import process
from tests.cli.conftest import Run, git
from tests.repository import repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FILES = {
    ".gitignore": "w.duckdb*\n.sluice\n",
    "dbt_project.yml": "name: p\nprofile: p\nversion: '1.0'\nmodels: {+materialized: table}\n",
    "profiles.yml": "p: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, schema: main, threads: 1}}}\n",
    "sluice.yml": "environments: {dev: {keep: {generations: 2, age: 2d}}}\ngates: {lint: {on: off}, project_tests: {on: off}}\n",
    "seeds/rates.csv": "id,rate\n1,2\n",
    "data/days.csv": "day\n1\n",
    "models/sources.yml": "sources: [{name: raw, schema: raw, tables: [{name: orders}]}]\n",
    "models/orders.sql": "select o.*, r.rate from {{ source('raw', 'orders') }} o, {{ ref('rates') }} r\n",
    "models/days.sql": "select * from read_csv('data/days.csv')\n",
    "models/version.sql": "select 0 as version from {{ ref('rates') }}\n",
    "snapshots/kept.sql": (
        "{% snapshot kept %}{{ config(unique_key='id', strategy='check', check_cols=['id'], target_schema='main') }}"
        "select id from {{ source('raw', 'orders') }}{% endsnapshot %}\n"
    ),
}  # fmt: skip


class Life:
    """The project, the clock, and the commands that are given on the way."""

    def __init__(self, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._run, self._ahead = folder, run, timedelta()
        self._real = process.now
        monkeypatch.setattr(process, "now", self.now)

    def now(self) -> datetime:
        return self._real() + self._ahead

    def sleep(self, days: int) -> None:
        self._ahead += timedelta(days=days)

    def command(self, *words: str) -> str:
        answer = self._run(*words, "-C", self.folder, "--as", "Ada")
        assert answer.code == 0, (words, answer.out, answer.err)
        return answer.out

    def commit(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text)
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--message", path)

    def load(self, sql: str) -> None:
        with duckdb.connect(str(self.folder / "w.duckdb")) as connection:
            connection.execute(sql)

    def read(self, sql: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.folder / "w.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def life(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Life:
    """The project on its first day; nothing is released."""
    (tmp_path / "shop").mkdir()
    found = Life(repository(tmp_path / "shop", FILES), run, monkeypatch)
    found.load("create schema raw; create table raw.orders as select 0 as id")
    return found


def test_a_month_of_releases_refreshes_rollbacks_and_collections(life: Life) -> None:
    life.command("release")
    for week in range(1, 5):
        life.commit("models/version.sql", f"select {week} as version from {{{{ ref('rates') }}}}\n")
        life.command("release")
        life.sleep(1)
        life.load(f"insert into raw.orders values ({week})")
        life.command("refresh")
        assert life.read("select count(*), min(rate) from main.orders") == [(week + 1, 2)]
        assert life.read("select count(*) from main.kept") == [(week + 1,)]
        life.command("rollback", "--no-hold")
        assert life.read("select version from main.version") == [(0,)], "what another release served before"
        life.sleep(6)
        assert "checkout" in life.command("collect")
        life.command("doctor")
        life.load("insert into raw.orders values (9); delete from raw.orders where id = 9")
        life.command("refresh")  # the older code, on the data of now
        assert life.read("select count(*) from main.orders") == [(week + 1,)]


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
    life.sleep(3)
    life.load("insert into raw.orders values (1)")
    life.command("refresh")
    assert life.read("select id from main.big union all select day from main.days") == [(2,), (2,)]
