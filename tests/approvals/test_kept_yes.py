"""A yes outlives the night: it is to the change, as long as nothing in it is new or worse, and never to anything else."""

from __future__ import annotations

import shutil
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from prefect_sluice.approvals.decide import ruling
from prefect_sluice.cli import main
from prefect_sluice.domain.controls import Control, ControlKind
from prefect_sluice.domain.promotion import Approval, Decision, State
from prefect_sluice.maintenance.collect import CollectRequest, collect
from prefect_sluice.promotions.work import Status, Work, listening
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import VARIABLE, FaultPoint
from prefect_sluice.stages.approve import record
from prefect_sluice.workspace.workspace import Workspace
from tests.approvals.conftest import DEARER, GATES, WaitingShop
from tests.moved_clock import MovedClock
from tests.outcomes import message, status
from tests.policies import put_in_force
from tests.warm_commands import Commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("kept-yes")]

NEW_CLICK = "insert into raw.clicks values (99)"
NEW_ORDER = "insert into raw.orders values (100, 1000)"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    """The clock, which the test moves on."""
    return MovedClock(monkeypatch)


def approved(shop: WaitingShop) -> Work:
    """Commit the change, and say yes to it; it is not published yet."""
    shop.commit(DEARER, "dearer")
    waiting = shop.release()
    shop.yes(waiting)
    return waiting


def test_a_yes_is_kept_over_two_nights_and_what_is_served_is_of_the_last(shop: WaitingShop) -> None:
    """Each refresh plans and stages anew what waits: in the morning it stands there, as fresh as what serves, with its yes."""
    waiting = approved(shop)
    assert waiting.promotion is not None
    lines: list[str] = []
    with listening(lines.append):
        assert status(shop.night(NEW_ORDER)) is Status.DONE
    (first,) = shop.waiting()
    kept = "the yes of Grace (unauthenticated) is kept: nothing is new or worse since"
    assert lines[-1] == f"promotion {waiting.promotion.id} was planned again, as {first.id}; {kept}"
    assert shop.promotion(waiting).state is State.SUPERSEDED
    assert status(shop.night("insert into raw.orders values (101, 7)")) is Status.DONE
    (second,) = shop.waiting()
    assert (second.base, second.actor) == (3, "Ada")
    assert status(shop.night()) is Status.UNCHANGED
    assert shop.waiting() == (second,), "nothing new came, so it is as it was"

    lines.clear()
    with listening(lines.append):
        done = shop.release()
    assert status(done) is Status.DONE
    assert not [line for line in lines if line.startswith("building")], "it was built and judged in the night"
    assert shop.read("select count(*), min(amount) from orders") == [(102, 1)]
    store = Workspace.at(shop.folder).store
    entries = [entry for entry in store.entries() if entry.event == "approval.kept"]
    assert [entry.facts["promotion"] for entry in entries] == [first.id, second.id]
    judged = {str(entry.facts["from_promotion"]) for entry in entries}
    assert judged == {waiting.promotion.id}, "that one is what a person judged"
    assert entries[0].facts["from_binding"] == shop.promotion(waiting).binding
    (approval,) = store.approvals(second.id)
    assert (approval.by, approval.used_at is not None) == ("Grace", True)
    (given,) = store.approvals(waiting.promotion.id)
    assert approval.expires_at == given.expires_at, "nobody said anything more, so it ends when it would have"


def test_what_nobody_said_yes_to_is_ready_in_the_morning_too(shop: WaitingShop) -> None:
    shop.commit(DEARER, "dearer")
    waiting = shop.release()
    assert waiting.promotion is not None
    assert status(shop.night(NEW_ORDER)) is Status.DONE
    (again,) = shop.waiting()
    shop.yes(again)
    assert status(shop.release()) is Status.DONE
    assert shop.read("select count(*), min(amount) from orders") == [(101, 1)]


def test_what_a_gate_refuses_in_the_night_is_refused_and_waits_no_more(shop: WaitingShop) -> None:
    """A bad load, of which the refresh publishes the rest; the next night is good, and the yes counts again."""
    tests = "[not_null, {unique: {config: {severity: warn}}}]"
    orders = f"{{name: orders, columns: [{{name: id, data_tests: {tests}}}]}}"
    clicks = "{name: clicks, columns: [{name: id, data_tests: [not_null]}]}"
    shop.commit({**DEARER, "models/schema.yml": f"models: [{orders}, {clicks}]\n"}, "dearer")
    waiting = shop.release()
    shop.yes(waiting)
    lines: list[str] = []
    with listening(lines.append):
        assert status(shop.night("insert into raw.orders values (null, 7)")) is Status.DONE
    assert "was planned again, as " in lines[-1]
    assert "data_tests stopped it in stage" in lines[-1]
    assert shop.waiting() == ()
    assert status(shop.night("delete from raw.orders where id is null")) is Status.DONE
    assert status(shop.release()) is Status.DONE


def test_a_test_that_warns_since_the_night_is_asked_about(shop: WaitingShop) -> None:
    waiting = approved(shop)
    assert status(shop.night("insert into raw.orders values (5, 50)")) is Status.DONE
    again = shop.release()
    assert status(again) is Status.WAITING
    assert "the yes of Grace (unauthenticated) was for" in message(again)
    assert "worse: " in message(again)
    assert "unique" in message(again)
    assert shop.promotion(waiting).state is State.SUPERSEDED
    shop.yes(again)
    assert status(shop.release()) is Status.DONE


def test_far_more_rows_than_were_approved_are_asked_about(shop: WaitingShop) -> None:
    """Three of a hundred rows change; after the night it is three of ten."""
    approved(shop)
    assert status(shop.night("delete from raw.orders where id >= 10")) is Status.DONE
    again = shop.release()
    assert status(again) is Status.WAITING
    assert "more: " in message(again)


def test_some_more_rows_are_not(shop: WaitingShop) -> None:
    approved(shop)
    assert status(shop.night("delete from raw.orders where id >= 75")) is Status.DONE
    assert status(shop.release()) is Status.DONE


def test_bound_to_the_data_it_is_for_that_night_alone(shop: WaitingShop) -> None:
    put_in_force(shop.folder, f"environments:\n  prod: {{approvals: 1, approval_binds: data}}\n{GATES}")
    approved(shop)
    assert status(shop.night(NEW_CLICK)) is Status.DONE
    again = shop.release()
    assert status(again) is Status.WAITING
    assert "approval_binds: data" in message(again)


def test_it_does_not_outlive_its_time_or_the_policy(
    shop: WaitingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = approved(shop)
    assert waiting.promotion is not None
    later = process.now() + timedelta(hours=73)
    with monkeypatch.context() as patched:
        patched.setattr(process, "now", lambda: later)
        assert status(shop.night(NEW_CLICK)) is Status.DONE
        assert status(again := shop.release()) is Status.WAITING
    assert "the yes of" not in message(again), "it expired"

    put_in_force(shop.folder, f"environments:\n  prod: {{approvals: 1, approvers: [Lin]}}\n{GATES}")
    assert "the policy that judges it is another one" in message(shop.release())


def test_nights_do_not_keep_it_waiting_for_ever(shop: WaitingShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planned again each night, it waits since it was staged first: for seven days."""
    shop.commit(DEARER, "dearer")
    shop.release()
    begun = process.now()
    for day, many in ((4, 1), (6, 1), (8, 0)):
        now = begun + timedelta(days=day)
        monkeypatch.setattr(process, "now", lambda now=now: now)
        assert status(shop.night(f"insert into raw.clicks values ({day})")) is Status.DONE
        assert len(shop.waiting()) == many
    last = Workspace.at(shop.folder).store.promotions(environment="prod", states=(State.EXPIRED,))
    assert [promotion.base for promotion in last] == [3]
    assert "nobody decided within 7d" in last[0].message
    assert status(shop.release()) is Status.WAITING, "asked for anew, it waits anew"


def test_what_the_collector_took_waits_no_more_and_stops_nothing(
    shop: WaitingShop, clock: MovedClock
) -> None:
    """An attempt that ended by a rollback, and of which nothing is left but that it was: nights and its release go on."""
    approved_then = approved(shop)
    assert status(shop.night(NEW_CLICK)) is Status.DONE
    shop.back()
    with Workspace.at(shop.folder).store.transaction() as transaction:
        (hold,) = transaction.controls()
        lifted = replace(hold, lifted_at=process.now(), lifted_by="Lin", lifted_reason="go on")
        transaction.put_control(lifted)
    clock.pass_days(9)
    collect(CollectRequest(shop.folder))
    assert not Workspace.at(shop.folder).bundles.has(shop.promotion(approved_then).policy)
    assert status(shop.night(NEW_ORDER)) is Status.DONE
    put_in_force(shop.folder, f"environments:\n  prod: {{approvals: 1, approvers: [Lin]}}\n{GATES}")
    assert status(shop.release()) is Status.WAITING


def test_the_collector_leaves_what_a_yes_was_given_to_for_as_long_as_it_counts(
    shop: WaitingShop, clock: MovedClock
) -> None:
    keep = "keep: {generations: 1, age: 1h}"
    put_in_force(shop.folder, f"environments:\n  prod: {{approvals: 1, {keep}}}\n{GATES}")
    approved(shop)
    for day in (1, 2):
        clock.pass_days(1)
        assert status(shop.night(f"insert into raw.clicks values ({day})")) is Status.DONE
        collect(CollectRequest(shop.folder))
    assert status(shop.release()) is Status.DONE


def test_a_backup_has_what_a_yes_was_given_to(shop: WaitingShop, tmp_path: Path) -> None:
    """The attempt that was judged ended in the night; restored, the yes to it is held against the next night all the same."""
    approved(shop)
    assert status(shop.night(NEW_CLICK)) is Status.DONE
    file = tmp_path / "kept.db"
    assert main(["backup", str(file), "-C", str(shop.folder)]) == 0
    shutil.rmtree(shop.folder / ".sluice")
    assert main(["restore", str(file), "-C", str(shop.folder), "--as", "Lin"]) == 0
    assert status(shop.night(NEW_ORDER)) is Status.DONE
    assert status(shop.release()) is Status.DONE


def test_of_two_who_said_yes_it_is_the_newer_yes_that_is_kept(shop: WaitingShop, clock: MovedClock) -> None:
    """It counts for longer."""
    waiting = approved(shop)
    clock.pass_days(2)
    shop.yes(waiting, by="Lin")
    assert status(shop.night(NEW_CLICK)) is Status.DONE
    (again,) = shop.waiting()
    clock.pass_days(2)
    by = ruling(Workspace.at(shop.folder), again).by
    assert by is not None, "that of Grace expired"
    assert by.by == "Lin"


def test_a_yes_that_is_said_again_after_the_night_is_to_what_it_is_now(
    shop: WaitingShop, clock: MovedClock
) -> None:
    """Grace looked at it again: it counts for its whole time from then on, though her first one was kept until now."""
    approved(shop)
    clock.pass_days(2)
    assert status(shop.night(NEW_CLICK)) is Status.DONE
    (promotion,) = shop.waiting()
    for _ in ("said", "said twice"):
        shop.yes(promotion)
    approvals = Workspace.at(shop.folder).store.approvals(promotion.id)
    assert len(approvals) == 2, "the kept one, and hers of today, once"
    clock.pass_days(2)
    assert status(shop.night(NEW_ORDER)) is Status.DONE
    assert status(shop.release()) is Status.DONE


def test_a_no_that_no_run_has_heard_weighs_more_than_the_yes(shop: WaitingShop) -> None:
    waiting = shop.promotion(approved(shop))
    record(Workspace.at(shop.folder), waiting, Decision.REJECT, by="Lin")
    assert status(shop.night(NEW_CLICK)) is Status.DONE
    assert shop.waiting() == (), "what somebody said no to is not planned again"
    again = shop.release()
    assert status(again) is Status.WAITING
    assert "the yes of" not in message(again)


def test_a_block_in_between_ends_it(shop: WaitingShop) -> None:
    waiting = approved(shop)
    assert waiting.promotion is not None
    now = process.now()
    block = Control("b1", ControlKind.BLOCK, waiting.promotion.release, "Lin", "bad", now)
    with Workspace.at(shop.folder).store.transaction() as transaction:
        transaction.put_control(replace(block, lifted_at=now, lifted_by="Lin", lifted_reason="good"))
    assert status(shop.night(NEW_CLICK)) is Status.DONE
    assert "its release was blocked meanwhile, by Lin" in message(shop.release())


def test_a_rollback_in_between_ends_it(shop: WaitingShop) -> None:
    approved(shop)
    assert status(shop.night(NEW_CLICK)) is Status.DONE
    shop.back()
    with Workspace.at(shop.folder).store.transaction() as transaction:
        (hold,) = transaction.controls()
        transaction.put_control(
            replace(hold, lifted_at=process.now(), lifted_by="Lin", lifted_reason="go on")
        )
    assert "generation 3 was published meanwhile, by a rollback" in message(shop.release())


def test_a_row_of_a_kept_yes_that_nobody_gave_is_none(shop: WaitingShop) -> None:
    """Whoever can write rows cannot have a yes count for what it was not given to; not with an entry of keeping it either."""
    shop.commit(DEARER, "dearer")
    waiting = shop.release().promotion
    assert waiting is not None
    now = process.now()
    forged = Approval(
        "f1", waiting.id, waiting.binding, Decision.APPROVE, "Grace", "", now, now + timedelta(days=1)
    )
    facts = {
        "promotion": waiting.id, "decision": "approve", "binding": waiting.binding, "comment": "",
        "expires": forged.expires_at.isoformat(), "by": "Grace", "of": "x",
        "from_promotion": "x", "from_binding": "y",
    }  # fmt: skip
    with Workspace.at(shop.folder).store.transaction() as transaction:
        transaction.put_approval(forged)
        transaction.append("approval.kept", environment="prod", actor="policy", facts=facts, at=now)
    again = shop.release()
    assert status(again) is Status.WAITING
    assert "the ledger has no entry of it" in message(again)


def test_a_yes_to_another_change_is_not_kept_though_the_ledger_says_so(shop: WaitingShop) -> None:
    """What the ledger says of keeping a yes is not taken for it: the two attempts are compared again."""
    shop.commit({"models/totals.sql": "select 1 as n\n"}, "harmless")
    harmless = shop.yes(shop.release())
    (given,) = Workspace.at(shop.folder).store.approvals(harmless.id)
    shop.commit(DEARER, "dearer")
    waiting = shop.release().promotion
    assert waiting is not None
    forged = replace(given, id="f1", promotion=waiting.id, binding=waiting.binding, at=process.now())
    facts = {
        "promotion": waiting.id, "decision": "approve", "binding": waiting.binding, "comment": "",
        "expires": given.expires_at.isoformat(), "by": "Grace", "of": given.id,
        "from_promotion": harmless.id, "from_binding": harmless.binding,
    }  # fmt: skip
    with Workspace.at(shop.folder).store.transaction() as transaction:
        transaction.put_approval(forged)
        transaction.append("approval.kept", environment="prod", actor="policy", facts=facts, at=forged.at)
    again = shop.release()
    assert status(again) is Status.WAITING
    assert "does not count: the release is another one" in message(again)


def test_killed_while_it_is_kept_and_run_again(shop: WaitingShop, warm_commands: Commands) -> None:
    approved(shop)
    shop.load(NEW_CLICK)
    killed = warm_commands.sluice(
        *("refresh", "--env", "prod", "-C", shop.folder),
        folder=shop.folder,
        environ={VARIABLE: FaultPoint.APPROVE_KEPT.value},
    )
    assert killed.code == -signal.SIGKILL
    assert status(shop.release()) is Status.DONE
    kept = [entry for entry in Workspace.at(shop.folder).store.entries() if entry.event == "approval.kept"]
    assert len(kept) == 1
