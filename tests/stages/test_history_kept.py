"""Rows that only the past has: incremental models and snapshots keep them through changes, ways back, failures and deaths."""

from __future__ import annotations

import subprocess
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.promotions.request import (
    RefreshRequest,
    ReleaseRequest,
    RollbackFollowUp,
    RollbackRequest,
)
from prefect_sluice.promotions.work import Status, Work

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SNAPSHOT = "{{% snapshot {name} %}}{{{{ config(unique_key='id', {config}) }}}}{sql}{{% endsnapshot %}}\n"
ALL = "strategy='check', check_cols='all'"
ROWS = "select id, amount, loaded from {{ source('raw', 'orders') }}"
INCREMENTAL = (
    "{{{{ config(materialized='incremental'{config}) }}}}\n"
    "select id, amount{more} from {{{{ source('raw', 'orders') }}}}\n"
    "{{% if is_incremental() %}}where id > (select max(id) from {{{{ this }}}}){{% endif %}}\n"
)
FORWARD = ", meta={'sluice': {'forward_only': true}}"


def snapshot(name: str, config: str = ALL, sql: str = ROWS) -> str:
    return SNAPSHOT.format(name=name, config=config, sql=sql)


FILES = {
    ".gitignore": "w.duckdb*\n.sluice\n",
    "dbt_project.yml": "name: p\nprofile: p\nversion: '1.0'\n",
    "profiles.yml": "p: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, schema: main, threads: 1}}}\n",
    "sluice.yml": "models: {by_file: {forward_only: true}}\n",
    "models/sources.yml": "sources: [{name: raw, schema: raw, tables: [{name: orders}]}]\n",
    "models/plain.sql": INCREMENTAL.format(config="", more=""),
    "models/by_meta.sql": INCREMENTAL.format(config=FORWARD, more=""),
    "models/by_file.sql": INCREMENTAL.format(config="", more=", loaded"),
    "snapshots/same.sql": snapshot("same"),
    "snapshots/sql_changes.sql": snapshot("sql_changes"),
    "snapshots/cols_change.sql": snapshot("cols_change"),
    "snapshots/strategy_changes.sql": snapshot("strategy_changes"),
    "snapshots/deletes.sql": snapshot("deletes", ALL + ", hard_deletes='invalidate'"),
}
CHANGED = {
    "models/by_meta.sql": INCREMENTAL.format(config=FORWARD, more=", amount * 2 as double"),
    "models/by_file.sql": INCREMENTAL.format(config="", more=""),
    "snapshots/sql_changes.sql": snapshot("sql_changes", sql=ROWS.replace("amount", "amount + 0 as amount")),
    "snapshots/cols_change.sql": snapshot("cols_change", "strategy='check', check_cols=['amount']"),
    "snapshots/strategy_changes.sql": snapshot(
        "strategy_changes", "strategy='timestamp', updated_at='loaded'"
    ),
    "snapshots/deletes.sql": snapshot("deletes", ALL + ", hard_deletes='ignore'"),
}
SNAPSHOTS = ("same", "sql_changes", "cols_change", "strategy_changes", "deletes")


class Shop:
    """The project, and what happens to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._git("init", "-q", "-b", "main")

    def release(self, files: dict[str, str]) -> Work:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self._git("add", "-A")
        self._git("commit", "-qm", "change")
        return pipeline.run(ReleaseRequest(self.folder, "dev"))

    def refresh(self) -> Work:
        return pipeline.run(RefreshRequest(self.folder, "dev"))

    def rollback(self, to: int) -> Work:
        return pipeline.run(RollbackRequest(self.folder, "dev", str(to), after=RollbackFollowUp(hold=False)))

    def load(self, *rows: tuple[int, int], day: int) -> None:
        """Replace the raw orders: what was there before is nowhere else. In the future: dbt compares them with its own clock."""
        values = ", ".join(f"({number}, {amount}, timestamp '{2090 + day}-01-01')" for number, amount in rows)
        with duckdb.connect(str(self.folder / "w.duckdb")) as connection:
            connection.execute("create schema if not exists raw")
            connection.execute(
                f"create or replace table raw.orders as from (values {values}) t(id, amount, loaded)"
            )

    def read(self, sql: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.folder / "w.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def versions(self, name: str) -> list[tuple[object, ...]]:
        """Return a snapshot's rows: id, amount, whether it holds."""
        return self.read(f'select id, amount, dbt_valid_to is null from "{name}" order by all')

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Released on two orders, refreshed when one of them had changed and another had come: generations 1 and 2."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.load((1, 10), (2, 20), day=1)
    assert done(shop.release(FILES))
    shop.load((2, 21), (3, 30), day=2)
    assert done(shop.refresh())
    return shop


def done(work: Work) -> bool:
    assert work.outcome is not None
    assert work.outcome.status is Status.DONE, work.outcome.message
    return True


HISTORY = [(1, 10, True), (2, 20, False), (2, 21, True), (3, 30, True)]


def test_the_whole_way(shop: Shop) -> None:
    """One way through all of it, because each step begins where the last one ended."""
    _after_a_refresh(shop)
    _after_every_definition_changed(shop)
    _after_a_way_back_and_a_refresh(shop)
    _after_the_strategy_is_named_otherwise(shop)


def _after_a_refresh(shop: Shop) -> None:
    for name in SNAPSHOTS:
        if name != "deletes":
            assert shop.versions(name) == HISTORY, name
    assert shop.versions("deletes") == [(1, 10, False), (2, 20, False), (2, 21, True), (3, 30, True)]
    for name in ("plain", "by_meta", "by_file"):
        # The first order is in no source any more, and the change of the second is not what the model looks for.
        assert shop.read(f"select id, amount from {name} order by all") == [(1, 10), (2, 20), (3, 30)], name


def _after_every_definition_changed(shop: Shop) -> None:
    shop.load((3, 30), (4, 40), day=3)
    work = shop.release(CHANGED)
    assert done(work)
    assert work.plan is not None
    told = {step.name.identifier: (step.action.value, str(step.note)) for step in work.plan.steps}
    assert told["by_meta"][0] == told["by_file"][0] == "carry over"
    assert "new columns are appended" in told["by_meta"][1]
    assert all(told[name][0] == "carry over" for name in SNAPSHOTS)
    for name in SNAPSHOTS:
        assert {(1, 10), (2, 20), (2, 21), (3, 30)} <= {row[:2] for row in shop.versions(name)}, name
        assert (4, 40, True) in shop.versions(name), name
    assert shop.read("select id, amount, double from by_meta order by id") == [
        (1, 10, None), (2, 20, None), (3, 30, None), (4, 40, 80),
    ]  # fmt: skip
    assert shop.read("select id, loaded is null from by_file order by id") == [
        (1, False), (2, False), (3, False), (4, True),
    ]  # fmt: skip


def _after_a_way_back_and_a_refresh(shop: Shop) -> None:
    assert done(shop.rollback(2))
    assert shop.versions("same") == HISTORY
    assert done(shop.refresh())
    assert [row for row in shop.versions("same") if row in HISTORY] == HISTORY
    assert (4, 40, True) in shop.versions("same")
    assert shop.read("select id, amount from by_meta order by id") == [(1, 10), (2, 20), (3, 30), (4, 40)]


def _after_the_strategy_is_named_otherwise(shop: Shop) -> None:
    """Changed forward again: what was built from that history is not taken for what is built from this one."""
    shop.load((3, 33), (4, 40), day=4)
    assert done(shop.release({**CHANGED, "models/new.sql": "select 1 as n\n"}))
    for name in SNAPSHOTS:
        rows = shop.versions(name)
        assert {(1, 10), (2, 20), (2, 21), (3, 30), (3, 33), (4, 40)} <= {row[:2] for row in rows}, name
