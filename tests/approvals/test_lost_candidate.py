"""A candidate that is lost before it is published is built and judged again; a yes to just those bytes counts."""

from __future__ import annotations

import shutil
import signal

import pytest

from prefect_sluice.domain.promotion import State
from prefect_sluice.promotions.work import Status, Work, listening
from prefect_sluice.runtime.faults import VARIABLE, FaultPoint
from prefect_sluice.workspace.workspace import Workspace
from tests.approvals.conftest import DEARER, WaitingShop
from tests.outcomes import message, status
from tests.warm_commands import Commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("kept-yes")]

NEW_AND_OTHER_EACH_TIME = {
    "models/totals.sql": "select count(*) as n, random() as amount from {{ ref('orders') }}\n"
}


def lose(shop: WaitingShop, waiting: Work) -> None:
    """Lose the candidate of a promotion, and nothing else."""
    assert waiting.promotion is not None
    shutil.rmtree(shop.folder / ".sluice" / "candidates" / waiting.promotion.id)


def killed(shop: WaitingShop, warm_commands: Commands, point: FaultPoint) -> None:
    """Release, in a process that dies at that point."""
    release = ("release", "--env", "prod", "--as", "Ada", "-C", shop.folder)
    ended = warm_commands.sluice(*release, folder=shop.folder, environ={VARIABLE: point.value})
    assert ended.code == -signal.SIGKILL


def test_lost_while_it_waits_it_is_built_again_and_the_yes_counts(shop: WaitingShop) -> None:
    shop.commit(DEARER)
    waiting = shop.release()
    shop.yes(waiting)
    lose(shop, waiting)
    done = shop.release()
    assert (status(done), shop.promotion(waiting).state) == (Status.DONE, State.STABLE)
    assert shop.read("select min(amount) from orders") == [(1,)]


@pytest.mark.crash
@pytest.mark.parametrize("point", [FaultPoint.APPROVE_USED, FaultPoint.DEPLOY_INTENT])
@pytest.mark.parametrize("binds", ["", ", approval_binds: data"])
def test_lost_after_the_yes_was_used_it_is_built_again_and_the_yes_counts(
    shop: WaitingShop, warm_commands: Commands, point: FaultPoint, binds: str
) -> None:
    """The process died between Approve and Deploy. What is published is byte for byte what was approved, under one yes."""
    if binds:
        settings = (shop.folder / "sluice.yml").read_text()
        shop.commit({"sluice.yml": settings.replace("approvals: 1", f"approvals: 1{binds}")})
        shop.yes(shop.release())
        assert status(shop.release()) is Status.DONE
    shop.commit(DEARER)
    waiting = shop.release()
    shop.yes(waiting)
    binding = shop.promotion(waiting).binding
    killed(shop, warm_commands, point)
    state = shop.promotion(waiting).state
    assert state in {State.APPROVED, State.DEPLOYING}
    lose(shop, waiting)
    lines: list[str] = []
    with listening(lines.append):
        done = shop.release()
    assert "its candidate was not there any more; it is again, byte for byte what was approved" in lines
    assert (status(done), shop.promotion(waiting).binding) == (Status.DONE, binding)
    assert shop.read("select min(amount) from orders") == [(1,)]
    workspace = Workspace.at(shop.folder)
    (approval,) = workspace.store.approvals(shop.promotion(waiting).id)
    assert (approval.binding, approval.used_at is not None) == (binding, True)
    events = [
        entry.event
        for entry in workspace.store.entries(promotion=approval.promotion)
        if entry.event == "promotion.approved"
    ]
    assert events == ["promotion.approved"]


@pytest.mark.crash
def test_what_is_other_bytes_each_time_is_asked_about_again(
    shop: WaitingShop, warm_commands: Commands
) -> None:
    """What the gates found on the lost bytes is replaced by what they find on these: nobody can compare the two any more."""
    shop.commit({**DEARER, **NEW_AND_OTHER_EACH_TIME})
    waiting = shop.release()
    shop.yes(waiting)
    lose(shop, waiting)
    again = shop.release()
    assert status(again) is Status.WAITING
    assert "does not count: it is for another plan or other evidence" in message(again)
    shop.yes(again)
    killed(shop, warm_commands, FaultPoint.APPROVE_USED)
    lose(shop, again)
    third = shop.release()
    assert (status(third), shop.promotion(again).state) == (Status.WAITING, State.STAGED)
    shop.yes(third)
    assert status(shop.release()) is Status.DONE


def test_of_two_yeses_the_one_that_is_to_what_is_there_now_is_kept(shop: WaitingShop) -> None:
    """Grace said yes with a test that warns, Heidi after the night in which it passed; now it warns again, as Grace saw it."""
    assert status(shop.night("insert into raw.orders values (5, 50)")) is Status.DONE
    shop.commit(DEARER)
    first = shop.release()
    shop.yes(first)
    assert status(shop.night("delete from raw.orders where id = 5 and rowid >= 100")) is Status.DONE
    (second,) = shop.waiting()
    shop.yes(second, by="Heidi")
    lines: list[str] = []
    with listening(lines.append):
        assert status(shop.night("insert into raw.orders values (5, 50)")) is Status.DONE
    assert "the yes of Grace (unauthenticated) is kept: nothing is new or worse since" in lines[-1]
    assert status(shop.release()) is Status.DONE
