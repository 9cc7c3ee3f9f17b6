"""Refreshes on a real project: what is new is found cheaply, a part can be renewed, a failed part stays behind."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.config import Model
from prefect_sluice.domain.errors import BadInput, ConfigInvalid, Refused
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.promotion import Decision
from prefect_sluice.promotions import observe_sources
from prefect_sluice.promotions.request import RefreshRequest, ReleaseRequest
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.reporting.plan_preview import planned
from prefect_sluice.runtime import process
from prefect_sluice.stages import plan_release
from prefect_sluice.stages.approve import record
from prefect_sluice.warehouse import row_digest
from prefect_sluice.warehouse.base import Reader
from prefect_sluice.warehouse.duckdb.file_state import settle
from prefect_sluice.workspace.workspace import Workspace
from tests.outcomes import message, status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("refreshes")]

TABLE = "{{ config(materialized='table') }} "
FILES = {
    ".gitignore": "w.duckdb*\n.sluice\n*.txt\n",
    "dbt_project.yml": "name: p\nprofile: p\nversion: '1.0'\n",
    "profiles.yml": "p: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, schema: main, threads: 1}}}\n",
    "sluice.yml": "environments: {dev: {partial: allow}}\n",
    "models/sources.yml": (
        "sources: [{name: raw, schema: raw, tables: ["
        "{name: orders, config: {loaded_at_field: loaded}}, {name: payments}, {name: seen}]}]\n"
    ),
    "models/schema.yml": (
        "models: [{name: stg_orders, columns: [{name: id, data_tests: [unique]}]},"
        " {name: total, columns: [{name: n, data_tests: [not_null]}]}]\n"
    ),
    "models/stg_orders.sql": TABLE + "select * from {{ source('raw', 'orders') }}\n",
    "models/stg_payments.sql": TABLE + "select * from {{ source('raw', 'payments') }}\n",
    "models/paid.sql": TABLE
    + "select o.id, p.amount from {{ ref('stg_orders') }} o join {{ ref('stg_payments') }} p using (id)\n",
    "models/total.sql": TABLE + "select sum(amount) as n from {{ ref('stg_payments') }}\n",
    "models/both.sql": TABLE + "select t.n, p.id from {{ ref('total') }} t, {{ source('raw', 'payments') }} p\n",
    "models/seen.sql": TABLE + "select * from {{ source('raw', 'seen') }}\n",
}  # fmt: skip


class Shop:
    """The project, and what happens to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def commit(self, files: Mapping[str, str]) -> None:
        self.write(files)
        for command in (["add", "-A"], ["commit", "-qm", "change", "--allow-empty"]):
            subprocess.run(["git", *command], cwd=self.folder, check=True)

    def release(self, files: Mapping[str, str]) -> Work:
        self.commit(files)
        return pipeline.run(ReleaseRequest(self.folder, "dev"))

    def refresh(self, *select: str) -> Work:
        return pipeline.run(RefreshRequest(self.folder, "dev", select=" ".join(select)))

    def load(self, *statements: str) -> None:
        with duckdb.connect(str(self.folder / "w.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    def read(self, sql: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.folder / "w.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose first release serves."""
    folder = tmp_path_factory.mktemp("released") / "shop"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    shop = Shop(folder)
    shop.load(
        "create schema raw",
        "create table raw.orders as select i as id, timestamp '2026-01-01' as loaded from range(5) t(i)",
        "create table raw.payments as select i as id, i * 2 as amount from range(5) t(i)",
        "create table raw.seen as select 1 as n",
    )
    assert status(shop.release(FILES)) is Status.DONE
    return folder


@pytest.fixture
def shop(released: Path, tmp_path: Path) -> Shop:
    """A copy of it, at another path."""
    shutil.copytree(released, tmp_path / "shop", symlinks=True)
    return Shop(tmp_path / "shop")


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every relation of which all rows are read for its version, from here on."""
    seen: list[str] = []
    whole = row_digest.content

    def content(relation: str, reader: Reader) -> str:
        seen.append(relation.replace('"', "").split(".", 1)[1])
        return whole(relation, reader)

    monkeypatch.setattr(row_digest, "content", content)
    return seen


def made(work: Work) -> set[str]:
    assert work.plan is not None
    return {uid.split(".")[2] for uid in work.plan.made}


# ---- what is new ---------------------------------------------------------------------------------------


def test_what_nobody_wrote_is_not_read_again(shop: Shop, scans: list[str]) -> None:
    """After a plan, a publish, and a foreign writer: rows are read when the file was written by another, and only then."""
    first = shop.refresh()
    assert status(first) is Status.UNCHANGED
    assert message(first).startswith("nothing new: dev serves generation 1")
    assert set(scans) == {"raw.orders", "raw.payments", "raw.seen"}, "a copy is another file"
    scans.clear()
    _old_enough(shop)
    assert status(shop.refresh()) is Status.UNCHANGED
    scans.clear()
    assert status(shop.refresh()) is Status.UNCHANGED
    assert not scans

    shop.load("insert into raw.seen values (2)")
    _old_enough(shop)
    work = shop.refresh()
    assert made(work) == {"seen"}
    assert len(scans) == 3, "once each: at the plan, and not again after the build"
    scans.clear()
    assert status(shop.refresh()) is Status.UNCHANGED
    assert not scans, "our own publish changed no source"
    assert shop.read("select max(number) from sluice.generation") == [(2,)]

    shop.load("update raw.payments set amount = 7 where id = 1")
    assert made(shop.refresh()) >= {"stg_payments", "total", "paid", "both"}


def _old_enough(shop: Shop) -> None:
    """Let the file become old enough: what was written in this very moment is never taken for unchanged."""
    settle(shop.folder / "w.duckdb")


def test_a_file_whose_times_were_set_back_is_read_again(shop: Shop, scans: list[str]) -> None:
    """A copying tool may give the old time to new bytes of the same size; the time of the inode it cannot give."""
    path = shop.folder / "w.duckdb"
    _old_enough(shop)
    shop.refresh()
    scans.clear()
    before = path.stat()
    shop.load("update raw.payments set amount = amount + 1")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert made(shop.refresh()) >= {"stg_payments"}


def test_cheaper_versions_by_source(shop: Shop, scans: list[str]) -> None:
    """What is asked instead of all rows, and what it cannot see."""
    shop.release(
        {
            "sluice.yml": "sources:\n  raw.orders: {version: loaded_at}\n  raw.pay*: {version: rows, column: id}\n"
            "  raw.seen: {version: declared, file: batch.txt}\n",
            "batch.txt": "1\n",
        }
    )
    work = shop.refresh()
    assert not scans
    assert work.plan is not None
    assert work.plan.notes.versions == {
        "raw.orders": "count(*), max(loaded): 5, 2026-01-01 00:00:00",
        "raw.payments": 'count(*), max("id"): 5, 4',
        "raw.seen": work.plan.notes.versions["raw.seen"],
    }
    shop.load("update raw.payments set amount = 9 where id = 1", "insert into raw.seen values (2)")
    assert status(shop.refresh()) is Status.UNCHANGED, "an update in place; a batch that is not declared"
    shop.load("insert into raw.orders values (9, '2026-02-01')")
    shop.write({"batch.txt": "2\n"})
    assert made(shop.refresh()) == {"stg_orders", "paid", "seen"}


@pytest.mark.parametrize(
    ("policy", "error", "why"),
    [
        ("raw.payments: {version: loaded_at}", ConfigInvalid, "dbt knows no loaded_at_field of raw.payments"),
        ("raw.payments: {version: rows, column: day}", ConfigInvalid, r"sources\.raw\.payments: raw\.payments: .*day"),
        ("raw.payments: {version: file}", ConfigInvalid, "is a relation, and nothing says which files it reads"),
        ("raw.payments: {version: declared, file: gone.txt}", ConfigInvalid, "there is no file 'gone.txt'"),
        ("raw.paymints: {version: content}", BadInput, "no source .* 'raw.paymints'; did you mean 'raw.payments'"),
        ("nobody.*: {version: content}", BadInput, r"no source of this project is called 'nobody\.\*'"),
    ],
)  # fmt: skip
def test_what_leads_nowhere_is_said(shop: Shop, policy: str, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        shop.release({"sluice.yml": f"sources:\n  {policy}\n"})


# ---- a part --------------------------------------------------------------------------------------------


def test_a_part(shop: Shop) -> None:
    """What reads a selected node goes along; what would mix is refused by name; the rest stays, and is remembered as stale."""
    shop.load("insert into raw.payments values (9, 1)", "insert into raw.seen values (2)")
    with pytest.raises(Refused, match=r"both cannot be refreshed alone.*; select these, too: stg_payments$"):
        shop.refresh("both")
    with pytest.raises(BadInput, match="no model, seed or snapshot matches 'nobody'"):
        shop.refresh("nobody")
    nothing = shop.refresh("stg_orders")
    assert status(nothing) is Status.UNCHANGED
    assert message(nothing).endswith("stale, and not selected: 5")
    shown = planned(RefreshRequest(shop.folder, "dev", "stg_payments")).plan
    part = shop.refresh("stg_payments")
    assert part.plan is not None
    assert shown.digest == part.plan.digest, "what the form plan shows is what a refresh of this part does"
    assert made(part) == {"stg_payments", "paid", "total", "both"}
    assert {uid: str(why) for uid, why in part.plan.held.items()} == {
        "model.p.seen": "stale, and not selected: it stays as it is"
    }
    assert shop.read("select count(*) from seen") == [(1,)]
    assert made(shop.refresh()) == {"seen"}
    assert status(shop.refresh()) is Status.UNCHANGED


# ---- a failed part -------------------------------------------------------------------------------------


def test_what_failed_stays_behind_and_the_rest_is_published(shop: Shop) -> None:
    """Twice the same order: its test fails. Payments do not read orders; what joins both stays with the orders."""
    shop.load("insert into raw.seen values (2)", "insert into raw.orders values (1, '2026-01-02')")
    work = shop.refresh()
    assert status(work) is Status.PARTIAL
    assert "paid" not in made(work)
    assert shop.read("select count(*) from seen") == [(2,)]
    assert shop.read("select count(*) from stg_orders") == [(5,)]
    assert work.plan is not None
    assert work.plan.held.keys() == {"model.p.stg_orders", "model.p.paid"}
    assert str(work.plan.held["model.p.paid"]) == "reads stg_orders, which failed"
    assert "left as it was (failed: unique_stg_orders_id" in message(work)
    assert work.promotion is not None
    store = Workspace.at(shop.folder).store
    facts = [entry.facts for entry in store.entries() if entry.event == "promotion.reduced"]
    assert facts[0]["held"] == {uid: str(why) for uid, why in work.plan.held.items()}
    stages = {stage for stage, _ in store.reports(work.promotion.id)}
    store.close()
    assert stages == {"stage of all", "stage", "monitor"}

    again = shop.refresh()
    assert status(again) is Status.REFUSED, "nothing is left without it"
    assert message(again).endswith(
        "no part of it can be published: all that was to be refreshed failed, or reads what failed"
    )
    shop.load(
        "delete from raw.orders where loaded = '2026-01-02'",
        "insert into raw.orders values (7, '2026-01-02')",
    )
    assert made(shop.refresh()) == {"stg_orders", "paid"}


def test_nothing_is_published_where_a_mix_would_be_served(shop: Shop) -> None:
    """The failed one reads what would be new: it would be older than what it reads."""
    shop.load("update raw.payments set amount = null", "insert into raw.seen values (2)")
    work = shop.refresh()
    assert status(work) is Status.REFUSED
    assert message(work).endswith(
        "no part of it can be published: both, total would read new and old data"
    ), message(work)
    assert shop.read("select count(*) from seen") == [(1,)]


def test_a_partial_refresh_waits_for_its_approval_as_what_it_is(shop: Shop) -> None:
    shop.write({"sluice.yml": "environments: {dev: {partial: allow, refresh_approvals: 1}}\n"})
    shop.load("insert into raw.seen values (2)", "insert into raw.orders values (1, '2026-01-02')")
    work = shop.refresh()
    assert status(work) is Status.WAITING
    assert work.promotion is not None
    again = shop.refresh()
    assert status(again) is Status.WAITING
    assert again.promotion == work.promotion, "the same attempt goes on, with what it left out"
    workspace = Workspace.at(shop.folder)
    record(workspace, work.promotion, Decision.APPROVE, by="Grace")
    workspace.store.close()
    done = shop.refresh()
    assert status(done) is Status.PARTIAL
    assert done.promotion is not None
    assert done.promotion.id == work.promotion.id
    assert shop.read("select count(*) from seen") == [(2,)]


def test_the_stamp_is_not_told_beside_a_journal(shop: Shop) -> None:
    workspace = Workspace.at(shop.folder)
    _old_enough(shop)
    warehouse = workspace.warehouse(workspace.environment("dev"))
    assert warehouse.stamp()
    journal = shop.folder / "w.duckdb.wal"
    journal.touch()
    assert warehouse.stamp() == ""
    journal.unlink()
    (shop.folder / "w.duckdb").touch()
    assert warehouse.stamp() == "", "written this very moment"
    observe_sources.carry_over(workspace, workspace.environment("dev"), "", "x")
    workspace.store.close()


# ---- what no source tells ------------------------------------------------------------------------------


def test_the_day_that_passes(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh takes the new day, a release of something else does not, and midnight during a build stops nothing."""
    day = [datetime(2026, 3, 1, 23, 59, tzinfo=UTC)]
    monkeypatch.setattr(process, "now", lambda: day[0])
    forward = plan_release.forward

    def asks_the_day(nodes: Mapping[str, Node], models: Mapping[str, Model]) -> Mapping[str, Node]:
        # As found in its compiled SQL.
        return {
            uid: replace(node, volatile=("clock:day",)) if node.short == "today" else node
            for uid, node in forward(nodes, models).items()
        }

    monkeypatch.setattr(plan_release, "forward", asks_the_day)
    shop.release({"models/today.sql": TABLE + "select current_date as day\n"})
    assert status(shop.refresh()) is Status.UNCHANGED
    day[0] = datetime(2026, 3, 2, 0, 1, tzinfo=UTC)
    assert made(shop.release({"models/other.sql": "select 1 as n\n"})) == {"other"}
    assert made(shop.refresh()) == {"today"}
    assert status(shop.refresh()) is Status.UNCHANGED
