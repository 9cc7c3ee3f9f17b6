"""A small project that lives on a clock that moves: with a seed, a file that a model reads, a source and a snapshot."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.cli.conftest import Run, git
from tests.moved_clock import MovedClock
from tests.repository import repository

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

    def __init__(self, folder: Path, run: Run, clock: MovedClock) -> None:
        self.folder, self._run, self.clock = repository(folder, FILES), run, clock
        self.load("create schema raw; create table raw.orders as select 0 as id")

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
