"""Holds, freezes and blocks as rows, and what has to stand still while one is placed."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from prefect_sluice.domain.controls import EVERYWHERE, Control, ControlKind, RollbackExtras
from prefect_sluice.domain.errors import LeaseHeld
from prefect_sluice.state.lease import hold_lease, this_process
from prefect_sluice.state.store import StateStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TTL = timedelta(seconds=60)
HOLD = Control("h", ControlKind.HOLD, "prod", "Grace", "close of books", NOW, promotion="p1")
FREEZE = Control("f", ControlKind.FREEZE, EVERYWHERE, "Ada", "peak\nhours", NOW, until=NOW + TTL)
BLOCK = Control("b", ControlKind.BLOCK, "9" * 64, "Bo", "counts twice", NOW)


def test_what_is_placed_is_read_back_in_order_until_it_is_lifted(store: StateStore) -> None:
    with store.transaction() as tx:
        for control in (FREEZE, HOLD, BLOCK, HOLD):
            tx.put_control(control)
        assert tx.controls() == (FREEZE, HOLD, BLOCK)
    assert store.controls() == (FREEZE, HOLD, BLOCK)
    lifted = replace(HOLD, lifted_at=NOW + TTL, lifted_by="Ada", lifted_reason="over")
    with store.transaction() as tx:
        tx.put_control(lifted)
    assert store.controls() == (FREEZE, BLOCK)
    assert store.controls(lifted=True) == (FREEZE, lifted, BLOCK)


def test_what_a_rollback_brings_with_it(store: StateStore) -> None:
    assert store.aftercare("p1") is None
    for wanted in (
        RollbackExtras("p1", "why", catch_up=True),
        RollbackExtras("p1", "why", catch_up=True, caught_up=True),
    ):
        with store.transaction() as tx:
            tx.put_aftercare(wanted)
        assert store.aftercare("p1") == wanted


def test_nobody_places_one_inside_the_fence_of_any_environment(store: StateStore) -> None:
    """Once a hold is placed, no publish is under way: it waits for those that are."""
    with store.transaction() as tx:
        tx.take_lease("dev", "ada", now=NOW, ttl=TTL)
        lease = tx.take_lease("prod", "ada", now=NOW, ttl=TTL)
    order: list[str] = []
    tried = threading.Event()

    def other() -> None:
        tried.set()
        with store.transaction() as tx:
            tx.stand_still()
            tx.put_control(HOLD)
            order.append("placed")

    thread = threading.Thread(target=other)
    with store.fenced(lease, now=NOW):
        thread.start()
        assert tried.wait(10)
        thread.join(0.3)  # it would be through by now if it did not wait
        assert store.controls() == ()
        order.append("fence")
    thread.join(10)
    assert order == ["fence", "placed"]
    assert store.controls() == (HOLD,)


def test_another_environment_waits_for_a_publish_and_does_not_fail(store: StateStore) -> None:
    """On SQLite all writers wait for one; on PostgreSQL another environment's do not even wait."""
    with store.transaction() as tx:
        lease = tx.take_lease("prod", "ada", now=NOW, ttl=TTL)
    failed: list[BaseException] = []

    def other() -> None:
        try:
            with store.transaction() as tx:
                tx.take_lease("dev", "grace", now=NOW, ttl=TTL)
                tx.append("test.ran", actor="grace", environment="dev", at=NOW)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=other)
    with store.fenced(lease, now=NOW):
        thread.start()
        thread.join(1.5)
    thread.join(10)
    assert failed == []
    assert store.lease("dev") is not None


def test_two_runs_of_one_process_are_two_holders(store: StateStore) -> None:
    first, second = this_process("ada"), this_process("ada")
    assert first != second
    with hold_lease(store, "prod", first) as mine:
        with pytest.raises(LeaseHeld), hold_lease(store, "prod", second):
            pytest.fail("two threads hold it")
        recorded = store.lease("prod")
        assert recorded is not None
        assert recorded.token == mine.lease.token


def test_a_lease_that_a_run_of_this_process_left_behind_is_free_at_once(store: StateStore) -> None:
    """It ended and could not give it back; as this process lives on, nobody else would ever call it dead."""
    gone = this_process("ada")
    with store.transaction() as tx:
        left = tx.take_lease("prod", gone, now=datetime.now(UTC), ttl=timedelta(hours=1))
    with hold_lease(store, "prod", this_process("ada")) as mine:
        assert mine.lease.token == left.token + 1


def test_another_process_of_this_host_is_not_taken_for_a_run_that_is_over(store: StateStore) -> None:
    with store.transaction() as tx:
        theirs = this_process("ada").split(" pid ")[0] + " pid 1 run 9f8e7d"
        tx.take_lease("prod", theirs, now=datetime.now(UTC), ttl=timedelta(hours=1))
    with pytest.raises(LeaseHeld), hold_lease(store, "prod", this_process("ada")):
        pytest.fail("it took a living process's lease")
