"""What is recorded of a promotion is recorded under the lease: who lost it leaves neither row nor entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prefect_sluice.domain.controls import RollbackExtras
from prefect_sluice.domain.errors import LeaseLost
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.promotion import Lease, Promotion, State
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.promotions.records import advance, fenced, keep_reports
from prefect_sluice.stages.deploy import record_written, settle
from prefect_sluice.workspace.workspace import Workspace

NOW = datetime.now(UTC)
FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, schema: main}}}\n",
    "sluice.yml": "environments: {prod: {}}\n",
}
PROMOTION = Promotion("p1", "prod", "r1", Cause.RELEASE, 0, "", State.APPROVED, "Ada", NOW, NOW)
WRITTEN = Generation("prod", 1, "r1", "p1", 1, Cause.RELEASE, 1, NOW, ())


def taken(workspace: Workspace, holder: str, *, ttl: timedelta = timedelta(minutes=1)) -> Lease:
    """Take the lease as somebody; `ttl` may be over already."""
    with workspace.store.transaction() as transaction:
        return transaction.take_lease("prod", holder, now=datetime.now(UTC), ttl=ttl)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project whose promotion was approved, by who works under the lease."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = Workspace.at(tmp_path)
    lease = taken(found, "Ada")
    with found.store.transaction() as transaction:
        transaction.put_promotion(PROMOTION)
    return found.under(lease)


def intent(workspace: Workspace) -> object:
    return advance(workspace, PROMOTION, State.DEPLOYING, actor="Ada")


def outcome(workspace: Workspace) -> object:
    return record_written(workspace, PROMOTION, WRITTEN, "Ada")


def reports(workspace: Workspace) -> object:
    return keep_reports(workspace, PROMOTION, "stage", (GateReport("build", ()),))


def what_follows(workspace: Workspace) -> object:
    with fenced(workspace, "prod") as transaction:
        transaction.put_aftercare(RollbackExtras("p1", "why", catch_up=False))


def derived(workspace: Workspace) -> object:
    with workspace.store.transaction() as transaction:
        transaction.put_cached("a fact", "p1", 1)


WRITES = [intent, outcome, reports, what_follows, derived]


def everything(workspace: Workspace) -> object:
    """Return all that is recorded."""
    store = workspace.store
    kept = (store.aftercare("p1"), store.cached("a fact", ["p1"]), store.reports("p1"))
    return store.promotion("p1"), store.entries(), kept


@pytest.mark.parametrize("write", WRITES)
def test_who_lost_the_lease_records_nothing(
    workspace: Workspace, write: Callable[[Workspace], object]
) -> None:
    """Taken by another one, or run out with nobody there: looked at in the transaction that would write."""
    assert workspace.lease is not None
    before = everything(workspace)
    with workspace.store.under(None).transaction() as transaction:
        transaction.drop_lease(workspace.lease)
        transaction.take_lease("prod", "Bo", now=datetime.now(UTC), ttl=timedelta(minutes=1))
    with pytest.raises(LeaseLost):
        write(workspace)
    late = Workspace.at(workspace.root)
    with late.store.transaction() as transaction:
        lease = replace(workspace.lease, token=workspace.lease.token + 1)
        transaction.drop_lease(lease)
    over = taken(late, "Cy", ttl=timedelta(0))
    with pytest.raises(LeaseLost):
        write(late.under(over))
    assert everything(late) == before


@pytest.mark.parametrize("write", WRITES[:-1])
def test_without_a_lease_nothing_of_a_promotion_is_recorded(
    workspace: Workspace, write: Callable[[Workspace], object]
) -> None:
    with pytest.raises(RuntimeError, match="recorded without its lease"):
        write(workspace.under(None))


@pytest.mark.parametrize("write", WRITES)
def test_who_holds_it_records(workspace: Workspace, write: Callable[[Workspace], object]) -> None:
    before = everything(workspace)
    write(workspace)
    assert everything(workspace) != before


def test_an_intent_that_the_environment_passed_by_is_ended(workspace: Workspace, tmp_path: Path) -> None:
    """As an earlier version left it: nobody can carry it out, and no advice may send anybody after it."""
    from prefect_sluice.warehouse.base import Publication

    environment = workspace.environment("prod")
    for number in (1, 2):
        wrote = replace(WRITTEN, number=number, promotion=f"other{number}", token=1)
        workspace.warehouse(environment).publish(Publication(wrote, number - 1))
    intent(workspace)
    settle(workspace, environment)
    ended = workspace.store.promotion("p1")
    assert ended is not None
    assert (ended.state, ended.message) == (
        State.SUPERSEDED,
        "prod moved on from generation 0 to 2 before it was published",
    )
    assert (tmp_path / "shop.duckdb").exists()
