"""What Sluice does, from the first release to the rollback, on a small shop: real git, real dbt, real DuckDB.

Read it from top to bottom: each step goes on where the one before ended.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.errors import Stopped
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.planning.plan import Action
from prefect_sluice.promotions.controls import lift
from prefect_sluice.promotions.request import request_for
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.workspace.workspace import Workspace

# One tells on where the other ended, so they stay in one process.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("tutorial")]

# An unmodified dbt project: nothing in it knows of Sluice.
PROJECT = {
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, schema: main, threads: 1}}}\n",
    "sluice.yml": "gates: {lint: {on: off}, project_tests: {on: off}}\n",
    ".gitignore": "target/\nlogs/\n*.duckdb\n.sluice/\n.user.yml\n",
    "models/orders.sql": "{{ config(materialized='table') }} select id, country, amount from {{ source('raw', 'orders') }}",
    "models/revenue.sql": """
{{ config(materialized='table') }} select country, sum(amount) as revenue from {{ ref('orders') }} group by country
""",
    "models/report.sql": "select country, revenue from {{ ref('revenue') }} where revenue > 0",
    "models/countries.sql": "{{ config(materialized='table') }} select 'DE' as country, 'Germany' as name",
    "models/schema.yml": """
sources: [{name: raw, tables: [{name: orders}]}]
models: [{name: orders, columns: [{name: id, data_tests: [unique, not_null]}]}]
""",
}


class Shop:
    """A repository with a warehouse beside it, and what people do with the two."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = folder / "shop.duckdb"
        self.write(PROJECT)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.folder, check=True, capture_output=True)

    def write(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def commit(self, subject: str, files: dict[str, str] | None = None) -> None:
        """A data engineer changes the project and commits."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "-q", "-m", subject)

    def load(self, *statements: str) -> None:
        """Some other system writes raw data into the warehouse."""
        with duckdb.connect(str(self.warehouse)) as connection:
            for statement in statements:
                connection.execute(statement)

    def run(self, cause: Cause = Cause.RELEASE) -> Work:
        """Somebody releases, refreshes or rolls back."""
        return pipeline.run(request_for(cause, self.folder, "dev", actor="ada"))

    def read(self, sql: str) -> list[tuple[object, ...]]:
        """A reader asks, with any tool and without Sluice."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def report(self) -> dict[object, object]:
        return {row[0]: row[1] for row in self.read("select country, revenue from report")}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The shop, with two orders, and nothing released."""
    shop = Shop(tmp_path_factory.mktemp("tutorial") / "shop")
    shop.load(
        "create schema raw",
        "create table raw.orders (id integer, country varchar, amount integer)",
        "insert into raw.orders values (1, 'DE', 10), (2, 'FR', 20)",
    )
    shop.commit("the first version")
    return shop


def built(work: Work) -> set[str]:
    """Return the models that a run built, by the plan that it followed."""
    return names(work, Action.BUILD, Action.CARRY)


def reused(work: Work) -> set[str]:
    return names(work, Action.REUSE)


def names(work: Work, *actions: Action) -> set[str]:
    assert work.plan is not None
    return {step.name.identifier for step in work.plan.of(*actions)}


def ended(work: Work) -> tuple[Status, str]:
    assert work.outcome is not None
    return work.outcome.status, work.outcome.message


def physical(shop: Shop) -> Sequence[object]:
    """Return every table that was ever built."""
    sql = "from duckdb_tables() select table_name where schema_name = 'sluice_store' order by all"
    return [row[0] for row in shop.read(sql)]


def test_1_the_first_release_builds_everything(shop: Shop) -> None:
    work = shop.run()
    assert ended(work)[0] is Status.DONE, ended(work)
    assert built(work) == {"orders", "revenue", "report", "countries"}
    assert shop.report() == {"DE": 10, "FR": 20}
    assert shop.read("select environment, number, cause from sluice.generation") == [("dev", 1, "release")]


def test_2_the_same_commit_again_is_no_work(shop: Shop) -> None:
    status, message = ended(shop.run())
    assert status is Status.UNCHANGED
    assert "dev serves this already: generation 1" in message


def test_3_a_change_builds_what_it_touches_and_links_the_rest(shop: Shop) -> None:
    before = physical(shop)
    revenue = PROJECT["models/revenue.sql"].replace("sum(amount)", "sum(amount) * 100")
    shop.commit("revenue in cents", {"models/revenue.sql": revenue})
    assert shop.report() == {"DE": 10, "FR": 20}, "a commit is no release"

    work = shop.run()
    assert ended(work)[0] is Status.DONE, ended(work)
    assert built(work) == {"revenue", "report"}
    assert reused(work) == {"orders", "countries"}
    assert shop.report() == {"DE": 1000, "FR": 2000}
    assert set(before) < set(physical(shop)), "what was built is immutable, and still there"


def test_4_a_release_that_fails_its_tests_is_seen_by_nobody(shop: Shop) -> None:
    orders = PROJECT["models/orders.sql"]
    shop.commit("orders twice", {"models/orders.sql": f"{orders} union all select 1, 'DE', 99"})
    work = shop.run()
    assert ended(work)[0] is Status.REFUSED
    failed = [
        finding for report in work.reports for finding in report.findings if finding.verdict is Verdict.FAILED
    ]
    assert [finding.check for finding in failed] == ["unique_orders_id"]
    assert failed[0].evidence is not None
    assert failed[0].evidence.rows == (("1", "2"),), "the id that is there twice"
    assert shop.report() == {"DE": 1000, "FR": 2000}
    shop.commit("mended", {"models/orders.sql": orders})


def test_5_a_rollback_builds_nothing(shop: Shop) -> None:
    before = physical(shop)
    work = shop.run(Cause.ROLLBACK)
    assert ended(work)[0] is Status.DONE, ended(work)
    assert shop.report() == {"DE": 10, "FR": 20}
    assert physical(shop) == before
    assert shop.read("select number, cause, origin from sluice.generation order by number desc limit 1") == [
        (3, "rollback", 1)
    ]


def test_6_a_rollback_holds_until_somebody_lifts_that(shop: Shop) -> None:
    with pytest.raises(Stopped, match="rolled back from generation 2"):
        shop.run()
    assert shop.report() == {"DE": 10, "FR": 20}
    lift(Workspace.at(shop.folder), "dev", by="Grace", reason="it was a false alarm")


def test_7_what_was_built_once_is_not_built_again(shop: Shop) -> None:
    before = physical(shop)
    work = shop.run()
    assert ended(work)[0] is Status.DONE, ended(work)
    assert built(work) == {"report"}, "a view: it is linked anew, and no data moves"
    assert shop.report() == {"DE": 1000, "FR": 2000}
    assert physical(shop) == before


def test_8_new_data_reaches_readers_with_a_refresh(shop: Shop) -> None:
    shop.load("insert into raw.orders values (3, 'FR', 5)")
    assert shop.report() == {"DE": 1000, "FR": 2000}, "readers see one state until the next refresh"

    work = shop.run(Cause.REFRESH)
    assert ended(work)[0] is Status.DONE, ended(work)
    assert built(work) == {"orders", "revenue", "report"}
    assert reused(work) == {"countries"}
    assert shop.report() == {"DE": 1000, "FR": 2500}


def test_9_bad_data_stays_outside(shop: Shop) -> None:
    shop.load("insert into raw.orders values (3, 'FR', 7)")
    assert ended(shop.run(Cause.REFRESH))[0] is Status.REFUSED
    assert shop.report() == {"DE": 1000, "FR": 2500}
    assert shop.read("select count(*) from orders") == [(3,)]
