"""A shop in which several releases wait, and nights pass."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.promotion import Decision, Promotion
from prefect_sluice.promotions.records import WAITING
from prefect_sluice.promotions.request import RefreshRequest, ReleaseRequest, RollbackRequest
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.stages.approve import record
from prefect_sluice.workspace.workspace import Workspace
from tests.outcomes import status
from tests.repository import repository

GATES = "gates: {lint: {on: off}, project_tests: {on: off}, secrets: {on: off}}\n"
FILES = {
    ".gitignore": "shop.duckdb*\n.sluice\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, schema: main, threads: 1}}}\n",
    "sluice.yml": f"environments:\n  prod: {{approvals: 1, partial: allow}}\n{GATES}",
    "models/sources.yml": "sources: [{name: raw, schema: raw, tables: [{name: orders}, {name: clicks}]}]\n",
    "models/schema.yml": (
        "models:\n"
        "  - {name: orders, columns: [{name: id, data_tests: [{unique: {config: {severity: warn}}}]}]}\n"
        "  - {name: clicks, columns: [{name: id, data_tests: [not_null]}]}\n"
    ),
    "models/orders.sql": "select id, amount from {{ source('raw', 'orders') }}\n",
    "models/totals.sql": "select count(*) as n, sum(amount) as amount from {{ ref('orders') }}\n",
    "models/clicks.sql": "select id from {{ source('raw', 'clicks') }}\n",
}
DEARER = {
    "models/orders.sql": (
        "select id, case when id < 3 then amount + 1 else amount end as amount from {{ source('raw', 'orders') }}\n"
    )
}
"""A change of the rows 0, 1 and 2: of one hundred at first."""


class WaitingShop:
    """The project, what happens to it, and what a reader sees."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def commit(self, files: Mapping[str, str], message: str = "change") -> None:
        """Write files and commit them."""
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        for command in (["add", "-A"], ["commit", "-qm", message, "--allow-empty"]):
            subprocess.run(["git", *command], cwd=self.folder, check=True)

    def branch(self, name: str, since: str = "main") -> None:
        """Check out a new branch."""
        subprocess.run(["git", "checkout", "-q", "-b", name, since], cwd=self.folder, check=True)

    def release(self, ref: str = "HEAD") -> Work:
        """Release a commit, as Ada."""
        return pipeline.run(ReleaseRequest(self.folder, "prod", ref=ref, actor="Ada"))

    def night(self, *statements: str) -> Work:
        """Have new data come, and refresh."""
        self.load(*statements)
        return pipeline.run(RefreshRequest(self.folder, "prod", actor="night"))

    def back(self) -> Work:
        """Roll back by one generation."""
        return pipeline.run(RollbackRequest(self.folder, "prod", actor="Ada"))

    def yes(self, work: Work | Promotion, by: str = "Grace") -> Promotion:
        """Say yes to what a run left waiting."""
        promotion = work.promotion if isinstance(work, Work) else work
        assert promotion is not None
        with Workspace.at(self.folder).store as store:
            promotion = store.promotion(promotion.id)
        assert promotion is not None
        record(Workspace.at(self.folder), promotion, Decision.APPROVE, by=by)
        return promotion

    def load(self, *statements: str) -> None:
        """Run statements in the warehouse, as whoever loads it."""
        with duckdb.connect(str(self.folder / "shop.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    def read(self, sql: str) -> list[tuple[object, ...]]:
        """Return what a reader sees."""
        with duckdb.connect(str(self.folder / "shop.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def waiting(self) -> tuple[Promotion, ...]:
        """Return the promotions that wait, newest first."""
        return Workspace.at(self.folder).store.promotions(environment="prod", states=tuple(WAITING))

    def promotion(self, work: Work | Promotion) -> Promotion:
        """Return a promotion as it is recorded now."""
        promotion = work.promotion if isinstance(work, Work) else work
        assert promotion is not None
        recorded = Workspace.at(self.folder).store.promotion(promotion.id)
        assert recorded is not None
        return recorded


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose first release serves."""
    shop = WaitingShop(repository(tmp_path_factory.mktemp("serving") / "shop", FILES))
    shop.load(
        "create schema raw",
        "create table raw.orders as select i as id, i * 10 as amount from range(100) t(i)",
        "create table raw.clicks as select i as id from range(5) t(i)",
    )
    shop.yes(shop.release())
    assert status(shop.release()) is Status.DONE
    return shop.folder


@pytest.fixture
def shop(serving: Path, tmp_path: Path) -> WaitingShop:
    """A copy of it, for one test."""
    return WaitingShop(shutil.copytree(serving, tmp_path / "shop", symlinks=True))
