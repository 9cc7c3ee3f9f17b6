"""History belongs to the public name: whatever id dbt knows a node by, its rows go on, or their loss is refused and told."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.node import short_name
from prefect_sluice.maintenance import collect
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions.request import RefreshRequest, ReleaseRequest
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.runtime import process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("history")]

EVENTS = "{{ source('raw', 'events') }}"


def incremental(config: str = "", reads: str = EVENTS, column: str = "id") -> str:
    return (
        f"{{{{ config(materialized='incremental'{config}) }}}}\nselect {column}, stamped from {reads}\n"
        "{% if is_incremental() %}where id > (select max(id) from {{ this }}){% endif %}\n"
    )


def snapshot(name: str, more: str = "") -> str:
    config = f"{{unique_key: id, strategy: timestamp, updated_at: stamped{more}}}"
    return f"snapshots: [{{name: {name}, relation: \"source('raw', 'events')\", config: {config}}}]\n"


FIRST = {
    ".gitignore": "w.duckdb*\n.sluice\n",
    "dbt_project.yml": "name: shop\nprofile: p\nversion: '1.0'\n",
    "profiles.yml": "p: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, schema: main, threads: 1}}}\n",
    "sluice.yml": "gates: {lint: {on: off}}\nenvironments: {dev: {keep: {generations: 1, age: 0s}}}\n",
    "models/sources.yml": "sources: [{name: raw, schema: raw, tables: [{name: events}]}]\n",
    "models/aliased.sql": incremental(),
    "models/versioned.sql": incremental(),
    "models/packaged.sql": incremental(),
    "models/untouched.sql": incremental(),
    "models/stage.sql": f"{{{{ config(materialized='table') }}}}\nselect id, stamped from {EVENTS}\n",
    "models/reads_aliased.sql": incremental(reads="{{ ref('stage') }}"),
    "models/never_in_full.sql": incremental(", full_refresh=false"),
    "snapshots/called_so.yml": snapshot("called_so", ", hard_deletes: invalidate"),
    "models/off.sql": incremental(),
    "models/plain.sql": incremental(column="1 * id as id"),
    "models/inline.sql": incremental(", alias='inline_old'", column="2 * id - id as id"),
    "models/moves.sql": incremental(),
    "models/reads_moves.sql": incremental(reads="{{ ref('moves') }}"),
    "snapshots/hist.yml": snapshot("hist"),
    "snapshots/off_hist.yml": snapshot("off_hist"),
}
OTHER_IDS = {
    "models/aliased.sql": "",
    "models/journal.sql": incremental(", alias='aliased'"),
    "models/versions.yml": "models: [{name: versioned, latest_version: 1,"
    " versions: [{v: 1, defined_in: versioned, config: {alias: versioned}}]}]\n",
    "models/packaged.sql": "",
    "dbt_packages/lib/dbt_project.yml": "name: lib\nversion: '1.0'\n",
    "dbt_packages/lib/models/packaged.sql": incremental(),
    "models/stage.sql": "",
    "models/staged.sql": f"{{{{ config(materialized='table', alias='stage') }}}}\nselect id, stamped from {EVENTS}\n",
    "models/reads_aliased.sql": incremental(reads="{{ ref('staged') }}"),
    "models/never_in_full.sql": incremental(", full_refresh=false", column="id + 0 as id"),
    "snapshots/called_so.yml": snapshot("called_otherwise", ", hard_deletes: invalidate"),
    "models/off.sql": incremental(", enabled=false"),
    "models/plain.sql": "",
    "models/renamed.sql": incremental(column="1 * id as id"),
    "models/inline.sql": "",
    "models/of_another_file.sql": incremental(", alias='inline_new'", column="2 * id - id as id"),
    "models/moves.yml": "models: [{name: moves, config: {schema: mart}}]\n",
    "snapshots/hist.yml": snapshot("history", ", alias: hist"),
    "snapshots/off_hist.yml": snapshot("off_hist", ", enabled: false"),
}
OTHER_PROJECT = {
    "dbt_project.yml": "name: store\nprofile: p\nversion: '1.0'\n",
    "models/off.sql": incremental(),
    "snapshots/off_hist.yml": snapshot("off_hist"),
}


class Shop:
    """The project, and what happens to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._git("init", "-q", "-b", "main")

    def release(self, files: Mapping[str, str], message: str = "change") -> Work:
        """Commit files (an empty text removes one), and release."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8") if text else path.unlink()
        self._git("add", "-A", "-f", "--", ".", ":!.sluice", ":!w.duckdb*")
        self._git("commit", "-qm", message)
        return pipeline.run(ReleaseRequest(self.folder, "dev"))

    def load(self, number: int) -> None:
        """Replace the raw events by one: those of before are nowhere else."""
        with duckdb.connect(str(self.folder / "w.duckdb")) as connection:
            connection.execute("create schema if not exists raw")
            connection.execute(
                f"create or replace table raw.events as select {number} as id, timestamp '2090-01-0{number}' as stamped"
            )

    def ids(self, name: str) -> list[int]:
        """Return the events that a relation holds."""
        with duckdb.connect(str(self.folder / "w.duckdb"), read_only=True) as connection:
            return [row[0] for row in connection.execute(f"select id from {name} order by all").fetchall()]

    def stored(self, name: str) -> int:
        """Return how many physical relations there are of a name."""
        with duckdb.connect(str(self.folder / "w.duckdb"), read_only=True) as connection:
            sql = "select count(*) from duckdb_tables() where schema_name = 'sluice_store' and starts_with(table_name, ?)"
            return int(connection.execute(sql, [f"{name}__"]).fetchall()[0][0])

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Released, refreshed, with ids that changed, and with a project that did: one event came before each."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.load(1)
    done(shop.release(FIRST))
    shop.load(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_FULL_REFRESH", "1")
        done(pipeline.run(RefreshRequest(shop.folder, "dev")))
    shop.load(3)
    told = notes(done(shop.release(OTHER_IDS)))
    assert "goes on as main.called_otherwise" in told["main.called_so"]
    assert "stays in the store" in told["main.off"]
    assert "stays in the store" in told["main.off_hist"]
    assert "full_refresh: false" in told["main.never_in_full"]
    assert "goes on as main.renamed" in told["main.plain"]
    shop.load(4)
    told = notes(done(shop.release(OTHER_PROJECT)))
    assert not any(told.values()), "nothing is lost, nothing is done in another way"
    return shop


def done(work: Work) -> Work:
    assert work.outcome is not None
    assert work.outcome.status is Status.DONE, (
        work.outcome,
        [r for r in work.reports if not r.verdict.lets_through],
    )
    return work


def notes(work: Work) -> dict[str, str]:
    plan = work.plan
    assert isinstance(plan, Plan)
    return {str(step.name): str(step.note or "") for step in plan.steps}


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("aliased", [1, 2, 3, 4]),
        ("versioned", [1, 2, 3, 4]),
        ("packaged", [1, 2, 3, 4]),
        ("untouched", [1, 2, 3, 4]),
        ("reads_aliased", [1, 2, 3, 4]),
        ("never_in_full", [1, 2, 3, 4]),
        ("called_otherwise", [1, 2, 3, 4]),
        ("renamed", [1, 2, 3, 4]),
        ("inline_new", [1, 2, 3, 4]),
        ("main_mart.moves", [1, 2, 3, 4]),
        ("reads_moves", [1, 2, 3, 4]),
        ("plain", [1, 2, 3, 4]),
        ("called_so", [1, 2, 3, 4]),
        ("moves", [1, 2, 3, 4]),
        ("hist", [1, 2, 3, 4]),
        ("off", [1, 2, 4]),
        ("off_hist", [1, 2, 4]),
    ],
)
def test_the_rows_are_those_of_plain_dbt(shop: Shop, name: str, events: list[int]) -> None:
    """dbt goes on in the same table whatever the node is called; only a new name is better: the old one stays, too."""
    assert shop.ids(name) == events


def test_an_old_name_gives_way_and_ends(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may build on it: they would read what served before. A model takes its name at once; its day ends the others."""
    with pytest.raises(Refused, match=r"by_hand reads main\.plain, the old name of main\.renamed"):
        shop.release({"models/by_hand.sql": "select id from main.plain\n"})
    back = snapshot("called_so", ", hard_deletes: invalidate")
    others = {
        "models/by_hand.sql": "",
        "models/plain.sql": "select 7 as id\n",
        "snapshots/called_so.yml": back,
    }
    taken = done(shop.release(others))
    assert taken.plan is not None
    assert [str(item.name) for item in taken.plan.ended] == ["main.called_so", "main.plain"]
    assert shop.ids("plain") == [7]
    assert shop.ids("called_so") == shop.ids("called_otherwise") == [1, 2, 3, 4], (
        "renamed back, with its rows"
    )
    day = process.now() + timedelta(days=30)
    monkeypatch.setattr(process, "now", lambda: day)
    [swept] = collect.collect(collect.CollectRequest(shop.folder)).warehouses
    assert [str(name) for _, name in swept.plan.over] == [
        "main.called_otherwise",
        "main.inline_old",
        "main.moves",
    ]
    with pytest.raises(duckdb.CatalogException):
        shop.ids("called_otherwise")
    assert collect.collect(collect.CollectRequest(shop.folder)).is_empty


def test_a_loss_is_refused_until_a_commit_declares_it(shop: Shop) -> None:
    """An incremental model by new code, a table in the place of a snapshot, a new hook that deletes from a history that goes
    on: each would let rows go that only it has. That the gate `diff` is off changes nothing of it."""
    shop.load(5)
    table = f"{{{{ config(materialized='table', alias='hist') }}}}\nselect id, stamped from {EVENTS}\n"
    changed = {
        "models/journal.sql": incremental(", alias='aliased'", column="id + 0 as id"),
        "snapshots/hist.yml": "",
        "models/hist.sql": table,
        "models/never_in_full.sql": incremental(
            ", full_refresh=false, post_hook='delete from {{ this }} where id = 1'"
        ),
        "sluice.yml": FIRST["sluice.yml"].replace("lint: {on: off}", "lint: {on: off}, diff: {on: off}"),
    }
    work = shop.release(changed)
    assert work.outcome is not None
    assert work.outcome.status is Status.REFUSED
    assert work.plan is not None
    assert {str(step.name) for step in work.plan.steps if step.loses_history} == {"main.aliased", "main.hist"}
    findings = [item for report in work.reports if report.gate == "stage" for item in report.findings]
    lost = {short_name(item.subject): item for item in findings if item.check == "history"}
    assert set(lost) == {"journal", "hist", "never_in_full"}
    assert "Expect: journal rows up to 100%" in lost["journal"].fix
    assert shop.ids("hist") == [1, 2, 3, 4]
    words = "Start over\n\nExpect: journal rows\nExpect: hist rows\nExpect: never_in_full rows up to 25%\n"
    done(shop.release({"why.md": "rows go\n"}, words))
    assert shop.ids("hist") == shop.ids("aliased") == [5]
    assert shop.ids("never_in_full") == [2, 3, 4, 5]


def test_what_leaves_keeps_its_rows_until_somebody_lets_them_go(shop: Shop) -> None:
    """The collector's retention is one generation here, and nothing is young."""
    done(shop.release({"snapshots/off_hist.yml": ""}))
    done(shop.release({"models/one.sql": "select 1 as n\n"}))
    done(shop.release({"models/two.sql": "select 2 as n\n"}))
    [swept] = collect.collect(collect.CollectRequest(shop.folder)).warehouses
    assert [str(name) for _, name in swept.plan.resting] == ["main.off_hist"]
    assert shop.stored("off_hist") == 1
    asked = collect.CollectRequest(shop.folder, drop_history=("main.OFF_HIST", "main.nobody"))
    gone = collect.collect(asked)
    assert [str(name) for _, name in gone.warehouses[0].plan.ended] == ["main.off_hist"]
    assert [note.partition(" was")[0] for note in gone.notes] == ["no history of main.nobody"]
    assert shop.stored("off_hist") == 0
