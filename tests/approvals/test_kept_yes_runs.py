"""A run that waits for a yes while a night passes: it goes on with what the refresh staged anew. Real flows, a real server."""

from __future__ import annotations

from datetime import timedelta

import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.promotion import State
from prefect_sluice.flows.refresh import refresh
from prefect_sluice.orchestration.conduct import plan_again
from prefect_sluice.orchestration.wake_runs import wake
from prefect_sluice.promotions.work import Work
from prefect_sluice.workspace.workspace import Workspace
from tests.approvals.conftest import DEARER, WaitingShop
from tests.flows.deployed import Deployed
from tests.flows.scheduled import Deployed as Nightly

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("prefect")]

NEW_ORDER = "insert into raw.orders values (100, 1000)"


def died(work: Work, *, wait: timedelta = timedelta(0)) -> None:
    """Stand for a process that was killed before it planned anything again."""


@pytest.fixture
def waiting(prefect_server: str, shop: WaitingShop) -> Deployed:
    """A run whose release waits for a yes."""
    shop.commit(DEARER, "dearer")
    shop.release()
    run = Deployed.waiting(shop.folder)
    assert run.name == "Suspended"
    return run


def test_the_form_is_asked_anew_after_the_night(
    waiting: Deployed, shop: WaitingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the refresh has planned it again, its run is left as it is; an answer to the old form is none."""
    (before,) = shop.waiting()
    assert before.id in waiting.form
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "plan_again", died)  # right after the publish
        refreshed = shop.night(NEW_ORDER)
    assert shop.promotion(before).state is State.SUPERSEDED
    assert wake(Workspace.at(shop.folder)) == ()
    assert waiting.name == "Suspended"

    plan_again(refreshed)
    (after,) = shop.waiting()
    assert wake(Workspace.at(shop.folder)) == (f"promotion {after.id} was planned again: its run asks anew",)
    waiting.start()
    assert waiting.name == "Suspended"
    assert after.id in waiting.form
    assert shop.read("select min(amount) from orders") == [(0,)]
    waiting.answer(decision="approve", name="Grace")
    assert waiting.name == "Released"
    assert shop.read("select count(*), min(amount) from orders") == [(101, 1)]


def test_with_a_kept_yes_the_run_goes_on_by_itself(waiting: Deployed, shop: WaitingShop) -> None:
    """The night is a run of Prefect, too: it plans again what waits, and starts the run that waits for it."""
    (before,) = shop.waiting()
    shop.yes(before)
    shop.load(NEW_ORDER)
    nightly = Nightly.of(refresh, shop.folder)
    assert nightly.execute(nightly.asked()).name == "Released"
    (after,) = shop.waiting()
    assert after.id != before.id
    assert waiting.state.is_scheduled()
    assert waiting.start().name == "Released"
    assert shop.read("select count(*), min(amount) from orders") == [(101, 1)]


def test_what_is_refused_in_the_night_ends_its_run(waiting: Deployed, shop: WaitingShop) -> None:
    shop.load("delete from raw.orders")
    shop.night("insert into raw.clicks values (99)")
    assert shop.waiting() == ()
    wake(Workspace.at(shop.folder))
    assert waiting.name == "Refused"
