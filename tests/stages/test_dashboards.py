"""The promotion of what a dashboard reads: a real project with two environments, and real dbt."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.promotions.dashboards import reports
from prefect_sluice.promotions.request import PromoteRequest, ReleaseRequest
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.reporting.dashboard_story import dashboard_story
from prefect_sluice.workspace.workspace import Workspace
from tests.repository import repository
from tests.stages.test_promote import write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXPOSURE = (
    "  - {{name: {name}, label: {label}, type: dashboard, owner: {{name: Ops}}, depends_on: [{reads}]}}\n"
)
FILES = {
    ".gitignore": "*.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": (
        "shop: {target: dev, outputs: {dev: {type: duckdb, path: dev.duckdb}, prod: {type: duckdb, path: prod.duckdb}}}\n"
    ),
    "sluice.yml": "environments:\n  dev:\n  prod: {approvals: 0}\n",
    "models/orders.sql": "select range as id, range as amount from range(3)\n",
    "models/totals.sql": "select sum(amount) as amount from {{ ref('orders') }}\n",
    "models/customers.sql": "select 1 as id, 'Ada' as name\n",
    "models/models.yml": "models: [{name: orders, columns: [{name: id, data_tests: [unique]}]}]\n",
    "models/exposures.yml": "exposures:\n"
    + EXPOSURE.format(name="sums", label="Sums", reads="ref('totals')")
    + EXPOSURE.format(name="people", label="People", reads="ref('customers')")
    + EXPOSURE.format(name="all", label="Everything", reads="ref('orders')"),
}


def promote(folder: Path, report: str) -> Work:
    """Promote what a dashboard reads."""
    return pipeline.run(PromoteRequest(folder, "prod", actor="Ada", report=report))


def rows(folder: Path, relation: str) -> list[tuple[object, ...]]:
    """Return what a reader of prod sees."""
    with duckdb.connect(str(folder / "prod.duckdb"), read_only=True) as connection:
        return connection.execute(f"select * from main.{relation} order by all").fetchall()


def test_what_a_dashboard_reads_goes_on_and_nothing_else(tmp_path: Path) -> None:
    """Its relations, its own declaration, and who reads the same; the other change stays behind."""
    folder = repository(tmp_path / "shop", FILES)
    pipeline.run(ReleaseRequest(folder, "dev", actor="Ada"))
    pipeline.run(PromoteRequest(folder, "prod", actor="Ada"))
    second = {
        "models/orders.sql": "select range as id, range + 1 as amount from range(3)\n",
        "models/customers.sql": "select 1 as id, 'Grace' as name\n",
        "models/exposures.yml": FILES["models/exposures.yml"].replace("label: Sums", "label: Totals"),
    }
    write(folder, second, "second")
    pipeline.run(ReleaseRequest(folder, "dev", actor="Ada"))

    workspace = Workspace.at(folder)
    assert [item.label for item in reports(workspace)] == ["Everything", "People", "Totals"]
    with pytest.raises(
        BadInput, match=r"what dev serves has no dashboard 'Nobody'; it has: Everything, People, Totals"
    ):
        promote(folder, "Nobody")
    with pytest.raises(BadInput, match="two answers to one question"):
        pipeline.run(PromoteRequest(folder, "prod", select="orders", report="Totals"))

    done = promote(folder, "Totals (Ops)")
    assert done.outcome is not None
    assert done.outcome.status is Status.DONE, done.outcome
    assert (rows(folder, "totals"), rows(folder, "customers")) == ([(6,)], [(1, "Ada")])
    story = dashboard_story(done)
    assert story is not None
    assert story.title == "Totals (Ops)"  # its own declaration came along
    assert story.changes == (("orders", "3 of 3 rows change, in amount"), ("totals", story.changes[1][1]))
    assert (story.relations, story.beside, story.others) == (2, (), (("Everything (Ops)", ("orders",)),))

    again = promote(folder, "totals")
    assert again.outcome is not None
    assert again.outcome.status is Status.UNCHANGED
    assert again.outcome.message.startswith("dashboard 'totals' already shows in prod what it shows in dev")
