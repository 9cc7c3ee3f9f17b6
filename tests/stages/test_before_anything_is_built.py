"""What is refused, or found unchanged, before a relation is built: on a real project, with real dbt and git."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.domain.promotion import ENDED
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.promotions.work import Status
from prefect_sluice.reporting.plan_preview import planned
from prefect_sluice.reporting.styled_text import plain
from prefect_sluice.reporting.terminal.publishing import taken_lines
from prefect_sluice.workspace.workspace import Workspace
from tests.repository import repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FILES = {
    ".gitignore": "shop.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, schema: main}}}\n",
    "sluice.yml": "",
    "models/orders.sql": "{{ config(materialized='table') }}\nselect 1 as id\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository with one model."""
    return repository(tmp_path, FILES)


def test_a_name_that_somebody_else_owns_is_refused_before_the_build(project: Path) -> None:
    """A warehouse that dbt built into: said at once, by name, with nothing built and nothing left open."""
    with duckdb.connect(str(project / "shop.duckdb")) as connection:
        connection.execute("create table Orders as select 7 as id")
    with pytest.raises(Refused, match=r"did not make: main\.Orders"):
        pipeline.run(ReleaseRequest(project, "dev"))
    plan = planned(ReleaseRequest(project, "dev"))
    assert plan.taken is not None
    text = plain(taken_lines(plan.taken))
    assert "these public names hold relations that Sluice did not make:\n  main.Orders\n" in text
    assert "take them over: sluice release --adopt --env dev" in text
    adopting = planned(ReleaseRequest(project, "dev", adopt=True))
    assert (adopting.taken, [str(one.name) for one in adopting.plan.adopted]) == (None, ["main.Orders"])
    store = Workspace.at(project).store
    assert not store.promotions()
    store.close()
    with duckdb.connect(str(project / "shop.duckdb"), read_only=True) as connection:
        assert connection.execute("select id from orders").fetchall() == [(7,)]


def test_what_does_not_fit_the_disk_is_refused_before_the_build(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle of a publish is no way to learn it."""

    class Usage(NamedTuple):
        total: int
        used: int
        free: int

    def usage(_: object) -> Usage:
        return Usage(1000, 990, 10)

    with duckdb.connect(str(project / "shop.duckdb")) as connection:
        connection.execute("create table orders as select range as id from range(100000)")
    monkeypatch.setattr(shutil, "disk_usage", usage)
    with pytest.raises(
        Refused, match=r"publishing in place needs about .* MB beside .*, and 0 MB are free; make room"
    ):
        pipeline.run(ReleaseRequest(project, "dev", adopt=True))
    store = Workspace.at(project).store
    assert not store.promotions()
    store.close()


def test_the_same_working_tree_is_the_same_release(project: Path) -> None:
    """Released as it is, twice: the second time there is nothing to do."""
    (project / "models" / "orders.sql").write_text(
        "{{ config(materialized='table') }}\nselect 2 as id\n", encoding="utf-8"
    )
    with pytest.raises(Refused, match=r"not committed: models/orders\.sql"):
        pipeline.run(ReleaseRequest(project, "dev"))
    first = pipeline.run(ReleaseRequest(project, "dev", dirty=True))
    again = pipeline.run(ReleaseRequest(project, "dev", dirty=True))
    assert first.outcome is not None
    assert again.outcome is not None
    assert (first.outcome.status, again.outcome.status) == (Status.DONE, Status.UNCHANGED)
    store = Workspace.at(project).store
    assert {promotion.state for promotion in store.promotions()} <= ENDED
    store.close()
    assert not list((project / ".sluice" / "candidates").iterdir())


def test_a_working_tree_has_no_ref(project: Path) -> None:
    """Both at once is a question with two answers."""
    with pytest.raises(BadInput, match="a working tree has no ref"):
        pipeline.run(ReleaseRequest(project, "dev", "HEAD~1", dirty=True))
