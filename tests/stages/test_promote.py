"""Promotions between environments: a real project with three of them, real dbt, and a repository that is gone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Decision, Promotion, State
from prefect_sluice.promotions.request import PromoteRequest, RefreshRequest, ReleaseRequest, RollbackRequest
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.stages.approve import record
from prefect_sluice.workspace.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("promote")]

FILES = {
    ".gitignore": "*.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": (
        "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: dev.duckdb}\n"
        "    staging: {type: duckdb, path: staging.duckdb}\n    prod: {type: duckdb, path: prod.duckdb}\n"
    ),
    "sluice.yml": "environments:\n  dev:\n  staging:\n  prod: {approvals: 1}\n",
    "macros/cents.sql": "{% macro cents(n) %}{{ n }} * 100{% endmacro %}\n",
    "models/sources.yml": "sources: [{name: raw, schema: raw, tables: [{name: clicks}]}]\n",
    "models/orders.sql": "select range as id, {{ cents('range') }} as amount from range(3)\n",
    "models/totals.sql": "select sum(amount) as amount from {{ ref('orders') }}\n",
    "models/customers.sql": "select 1 as id, 'Ada' as name\n",
    "models/clicks.sql": "select * from {{ source('raw', 'clicks') }}\n",
    "models/models.yml": "models: [{name: customers, columns: [{name: id, data_tests: [unique]}]}]\n",
}
SECOND = {
    "models/orders.sql": "select range as id, {{ cents('range') }} + 1 as amount from range(3)\n",
    "models/totals.sql": "select sum(amount) as amount, count(*) as orders from {{ ref('orders') }}\n",
    "models/customers.sql": "select 1 as id, 'Ada Lovelace' as name\n",
}


def write(folder: Path, files: Mapping[str, str], message: str) -> None:
    """Write files and commit them."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for command in (["add", "-A"], ["commit", "-qm", message]):
        subprocess.run(["git", *command], cwd=folder, check=True)


def clicks(folder: Path, environment: str, number: int) -> None:
    """Load the raw data of one environment: what an ETL job would do."""
    with duckdb.connect(str(folder / f"{environment}.duckdb")) as connection:
        connection.execute("create schema if not exists raw")
        connection.execute(f"create or replace table raw.clicks as select range as id from range({number})")


def rows(folder: Path, relation: str, environment: str = "prod") -> list[tuple[object, ...]]:
    """Return what a reader sees."""
    with duckdb.connect(str(folder / f"{environment}.duckdb"), read_only=True) as connection:
        return connection.execute(f"select * from main.{relation} order by all").fetchall()


def promote(folder: Path, to: str = "prod", ref: str = "", select: str = "", origin: str = "") -> Work:
    """Promote, and go on after the yes that production asks for."""
    request = PromoteRequest(folder, to, ref, actor="Ada", select=select, origin=origin)
    work = pipeline.run(request)
    if work.outcome is not None and work.outcome.status is Status.WAITING:
        approve(folder, work)
        work = pipeline.run(request)
    return work


def approve(folder: Path, work: Work) -> None:
    """Say yes to what waits."""
    assert work.promotion is not None
    with Workspace.at(folder).store as store:
        promotion = store.promotion(work.promotion.id)
    assert promotion is not None
    record(Workspace.at(folder), promotion, Decision.APPROVE, by="Grace")


def done(work: Work) -> Work:
    """Check that it ended well."""
    assert work.outcome is not None
    assert work.outcome.status is Status.DONE, work.outcome
    return work


def built(work: Work) -> set[str]:
    """Return the names of what the plan makes."""
    assert work.plan is not None
    return {uid.split(".")[-1] for uid in work.plan.made}


def promotion(folder: Path, work: Work) -> Promotion:
    """Return the promotion as it stands now."""
    assert work.promotion is not None
    found = Workspace.at(folder).store.promotion(work.promotion.id)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first commit, promoted from dev through staging to prod, without its repository; read only."""
    folder = tmp_path_factory.mktemp("shop")
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    write(folder, FILES, "First")
    for environment in ("dev", "staging", "prod"):
        clicks(folder, environment, 2)
    done(pipeline.run(ReleaseRequest(folder, "dev", actor="Ada")))
    hidden = folder.with_name("git")
    shutil.move(folder / ".git", hidden)
    done(promote(folder, "staging"))
    done(promote(folder))
    shutil.move(hidden, folder / ".git")
    return folder


@pytest.fixture(scope="module")
def second(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second commit with three changed models, stable in staging; read only."""
    folder = tmp_path_factory.mktemp("second") / "shop"
    shutil.copytree(first, folder, symlinks=True)
    write(folder, SECOND, "Second")
    done(pipeline.run(ReleaseRequest(folder, "dev", actor="Ada")))
    done(promote(folder, "staging"))
    return folder


@pytest.fixture
def shop(second: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    folder = tmp_path / "shop"
    shutil.copytree(second, folder, symlinks=True)
    return folder


def test_a_release_goes_on_by_its_own_bundle(first: Path) -> None:
    """No ref of git was looked at, since there was none: three environments serve one release."""
    workspace = Workspace.at(first)
    current = [
        workspace.warehouse(environment).generation(name)
        for name, environment in workspace.environments.items()
    ]
    assert len({item.release for item in current}) == 1
    assert [item.cause for item in current] == [Cause.RELEASE, Cause.PROMOTION, Cause.PROMOTION]
    assert rows(first, "orders") == rows(first, "orders", "dev")
    again = promote(first)
    assert again.outcome is not None
    assert again.outcome.status is Status.UNCHANGED


def test_the_order_of_environments_is_kept(second: Path) -> None:
    """Every way that does not go on is refused with the command that does."""
    with Workspace.at(second).store as store:
        newest, oldest = (item.id for item in store.releases())
    with pytest.raises(Refused, match=r"is past dev: .* sluice release \w+ --env dev"):
        promote(second, "dev", ref=oldest)
    with pytest.raises(BadInput, match="cannot be promoted to itself"):
        promote(second, "prod", origin="prod")
    with pytest.raises(BadInput, match="two answers"):
        promote(second, "prod", ref=newest, origin="staging")
    with pytest.raises(BadInput, match="nothing says where"):
        promote(second, "dev")
    with pytest.raises(BadInput, match="there is no release 'main'"):
        promote(second, "prod", ref="main")
    with pytest.raises(BadInput, match="no environment 'live'"):
        promote(second, "live")


def test_what_was_never_stable_in_between_is_refused(shop: Path) -> None:
    write(shop, {"models/customers.sql": "select 1 as id, 'Grace' as name\n"}, "Third")
    work = done(pipeline.run(ReleaseRequest(shop, "dev", actor="Ada")))
    assert work.release is not None
    with pytest.raises(Refused, match=r"never stable in staging.*sluice promote \w+ --to staging"):
        promote(shop, "prod", origin="dev")
    settings = "environments:\n  dev:\n  staging:\n  prod: {approvals: 1, after: any, direct: deny}\n"
    (shop / "sluice.yml").write_text(settings, encoding="utf-8")
    with pytest.raises(Refused, match="never stable in staging"):
        promote(shop, "prod", origin="dev")  # what lies here is no policy
    # The other order goes the way of the old one first.
    write(shop, {}, "Any order")
    for environment in ("dev", "staging", "prod"):
        done(
            pipeline.run(ReleaseRequest(shop, "dev", actor="Ada"))
            if environment == "dev"
            else promote(shop, environment)
        )
    write(shop, {"models/customers.sql": "select 1 as id, 'Hopper' as name\n"}, "Fourth")
    done(pipeline.run(ReleaseRequest(shop, "dev", actor="Ada")))
    done(promote(shop, "prod", origin="dev"))
    assert rows(shop, "customers") == [(1, "Hopper")]
    with pytest.raises(Refused, match=r"takes no release directly .* sluice promote --to prod"):
        pipeline.run(ReleaseRequest(shop, "prod", actor="Ada"))


def test_a_part_that_needs_more_is_refused_with_the_list(second: Path) -> None:
    with pytest.raises(Refused, match=r"incoherent: orders must go along; .*--select 'orders totals'"):
        promote(second, select="totals")
    with pytest.raises(BadInput, match=r"'nothing' matches no model, seed or snapshot"):
        promote(second, select="nothing")
    with pytest.raises(BadInput, match="mend it: --select"):
        promote(second, select="colour:blue")


def test_a_part_becomes_a_release_of_its_own(shop: Path) -> None:
    """Selected nodes are those of the release, all else is as it was; what reads them is built again."""
    work = done(promote(shop, select="orders"))
    assert built(work) == {"orders", "totals"}
    assert rows(shop, "orders") == [(0, 1), (1, 101), (2, 201)]
    assert rows(shop, "totals") == [(303,)]
    assert rows(shop, "customers") == [(1, "Ada")]
    assert work.release is not None
    assert work.release.composed is not None
    assert work.release.composed.select == "orders"
    again = promote(shop, select="orders")
    assert again.outcome is not None
    assert again.outcome.status is Status.UNCHANGED
    clicks(shop, "prod", 3)
    refreshed = done(pipeline.run(RefreshRequest(shop, "prod", actor="Ada")))
    assert (built(refreshed), refreshed.release) == ({"clicks"}, work.release)
    rest = done(promote(shop))
    assert built(rest) == {"totals", "customers"}
    assert rows(shop, "totals") == [(303, 3)]
    done(pipeline.run(RollbackRequest(shop, "prod", actor="Ada")))
    assert (rows(shop, "totals"), rows(shop, "customers"), len(rows(shop, "clicks"))) == (
        [(303,)], [(1, "Ada")], 3,
    )  # fmt: skip


def test_the_rest_of_a_part_keeps_its_data_until_the_next_refresh(shop: Path) -> None:
    """A part is said yes to while the rest has new data; a refresh renews the rest, and the yes to the part is kept."""
    clicks(shop, "prod", 7)
    request = PromoteRequest(shop, "prod", actor="Ada", select="orders")
    waits = pipeline.run(request)
    assert waits.plan is not None
    assert [(uid, str(why)) for uid, why in waits.plan.held.items()] == [
        ("model.shop.clicks", "new data, and no part of this")
    ]
    assert waits.plan.notes.behind.keys() == {"model.shop.clicks"}
    approve(shop, waits)
    assert built(done(pipeline.run(RefreshRequest(shop, "prod", actor="Ada")))) == {"clicks"}
    again = done(pipeline.run(request))
    assert (built(again), again.approved_by) == ({"orders", "totals"}, "Grace (unauthenticated)")
    assert (len(rows(shop, "clicks")), rows(shop, "totals")) == (7, [(303,)])
    clicks(shop, "prod", 9)
    done(promote(shop, select="customers"))
    assert (len(rows(shop, "clicks")), rows(shop, "customers")) == (7, [(1, "Ada Lovelace")])
    assert built(done(pipeline.run(RefreshRequest(shop, "prod", actor="Ada")))) == {"clicks"}


def test_planned_again_when_production_moved(shop: Path) -> None:
    """What the new plan does not demand is not built again, gates look at it again, and the yes is kept: nothing is worse."""
    request = PromoteRequest(shop, "prod", actor="Ada")
    waits = pipeline.run(request)
    approve(shop, waits)
    clicks(shop, "prod", 5)
    done(pipeline.run(RefreshRequest(shop, "prod", actor="Ada")))
    again = done(pipeline.run(request))
    assert again.approved_by == "Grace (unauthenticated)"
    assert built(again) == {"orders", "totals", "customers"}
    by_gate = {report.gate: report for report in again.reports}
    assert "0 built in 0.0 s, 3 taken from an earlier attempt" in by_gate["build"].findings[-1].summary
    assert [finding.subject for finding in by_gate["data_tests"].findings]
    assert rows(shop, "totals") == [(303, 3)]
    assert len(rows(shop, "clicks")) == 5
    assert promotion(shop, waits).state is State.SUPERSEDED
    assert not list((shop / ".sluice" / "candidates").iterdir()), (
        "when it is served, the old work is of no more use"
    )


def test_finished_work_that_was_touched_is_not_taken(shop: Path) -> None:
    """Not the bytes that were sealed: built again, as if nothing were there."""
    request = PromoteRequest(shop, "prod", actor="Ada")
    waits = pipeline.run(request)
    assert waits.promotion is not None
    file = shop / ".sluice" / "candidates" / waits.promotion.id / "prod.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("update main.customers set name = 'Eve'")
    clicks(shop, "prod", 5)
    done(pipeline.run(RefreshRequest(shop, "prod", actor="Ada")))
    done(promote(shop))
    assert rows(shop, "customers") == [(1, "Ada Lovelace")]
