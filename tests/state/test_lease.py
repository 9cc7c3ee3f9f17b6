"""The lease: one holder at a time, tokens that only grow, and no write by one who lost it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prefect_sluice.domain.errors import LeaseHeld, LeaseLost
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.state.lease import hold_lease, holder_is_dead, this_process
from prefect_sluice.state.store import StateStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TTL = timedelta(seconds=60)
WORKER = Path(__file__).parent / "worker.py"
HOST = socket.gethostname()


def take(store: StateStore, holder: str = "ada", now: datetime = NOW, environment: str = "prod") -> Lease:
    with store.transaction() as tx:
        return tx.take_lease(environment, holder, now=now, ttl=TTL)


def test_a_lease_is_taken_once(store: StateStore) -> None:
    lease = take(store)
    assert lease == Lease("prod", 1, "ada", NOW, NOW + TTL)
    assert store.lease("prod") == lease
    with pytest.raises(LeaseHeld) as caught:
        take(store, "grace", NOW + TTL - timedelta(microseconds=1))
    assert (caught.value.holder, caught.value.since) == ("ada", "2026-03-01T12:00:00+00:00")
    assert store.lease("prod") == lease


def test_each_environment_has_its_own(store: StateStore) -> None:
    assert take(store).token == take(store, "grace", environment="dev").token == 1
    assert store.lease("staging") is None


def test_the_same_holder_keeps_its_token(store: StateStore) -> None:
    first = take(store)
    again = take(store, now=NOW + timedelta(seconds=30))
    assert again == replace(first, expires_at=NOW + timedelta(seconds=90))


def test_a_lease_that_ran_out_gives_a_new_token(store: StateStore) -> None:
    take(store)
    assert take(store, "grace", NOW + TTL) == Lease("prod", 2, "grace", NOW + TTL, NOW + 2 * TTL)
    assert take(store, "grace", NOW + 3 * TTL).token == 3  # its own that ran out as well


def test_a_dropped_lease_is_free_and_its_token_is_never_seen_again(store: StateStore) -> None:
    lease = take(store)
    for _ in range(2):
        with store.transaction() as tx:
            tx.drop_lease(lease)
        assert store.lease("prod") is None
    second = take(store, "grace")
    assert second.token == 2
    with store.transaction() as tx:
        tx.drop_lease(lease)  # the late one's: not ours to end
    assert store.lease("prod") == second


def test_a_lease_is_renewed_while_it_runs(store: StateStore) -> None:
    lease = take(store)
    later = NOW + timedelta(seconds=20)
    with store.transaction() as tx:
        renewed = tx.renew_lease(lease, now=later, ttl=TTL)
    assert renewed == store.lease("prod") == replace(lease, expires_at=later + TTL)


@contextmanager
def renewed(store: StateStore, lease: Lease, now: datetime) -> Generator[None]:
    with store.transaction() as tx:
        tx.renew_lease(lease, now=now, ttl=TTL)
    yield


def fenced(store: StateStore, lease: Lease, now: datetime) -> AbstractContextManager[None]:
    return store.fenced(lease, now=now)


Entering = Callable[[StateStore, Lease, datetime], AbstractContextManager[None]]


@pytest.mark.parametrize("entering", [renewed, fenced])
def test_a_late_holder_is_told(store: StateStore, entering: Entering) -> None:
    """What a holder sees that was stopped (SIGSTOP, a laptop's lid) past the end of its lease."""
    lease = take(store)

    def is_told(late: Lease, now: datetime) -> None:
        with pytest.raises(LeaseLost), entering(store, late, now):
            pytest.fail("it could write")

    is_told(lease, NOW + TTL)
    is_told(replace(lease, token=0), NOW)
    is_told(replace(lease, environment="dev"), NOW)
    other = take(store, "grace", NOW + TTL)
    is_told(lease, NOW)
    with store.transaction() as tx:
        tx.drop_lease(other)
    is_told(lease, NOW)


def test_nobody_takes_the_lease_inside_the_fence(store: StateStore) -> None:
    """By the other one's clock the lease ran out; it waits all the same, and then finds its end moved on."""
    lease = take(store)
    order: list[str] = []
    tried = threading.Event()

    def other() -> None:
        tried.set()
        with suppress(LeaseHeld):
            take(store, "grace", NOW + TTL)
        order.append("other")

    thread = threading.Thread(target=other)
    with store.fenced(lease, now=NOW):
        thread.start()
        assert tried.wait(10)
        thread.join(0.3)  # it would be through by now if it did not wait
        order.append("fence")
    thread.join(10)
    assert order == ["fence", "other"]
    after = store.lease("prod")
    assert after is not None
    assert (after.token, after.holder) == (1, "ada")
    assert timedelta(seconds=0.25) < after.expires_at - lease.expires_at < timedelta(seconds=9)


def test_reading_goes_on_inside_the_fence(store: StateStore) -> None:
    lease = take(store)
    with store.fenced(lease, now=NOW):
        assert store.lease("prod") == lease
        with pytest.raises(RuntimeError, match="open already"), store.transaction():
            pass


def test_an_error_inside_the_fence_comes_out(store: StateStore) -> None:
    lease = take(store)
    with pytest.raises(ZeroDivisionError), store.fenced(lease, now=NOW):
        raise ZeroDivisionError
    assert store.lease("prod") == lease


def test_held_takes_renews_and_drops(store: StateStore) -> None:
    with hold_lease(store, "prod", "ada", ttl=timedelta(seconds=0.9)) as mine:
        first = mine.lease
        mine.check()
        until(lambda: mine.lease.expires_at > first.expires_at + timedelta(seconds=0.5))
        mine.check()
        assert mine.lease.token == first.token
        with pytest.raises(LeaseHeld), hold_lease(store, "prod", "grace"):
            pytest.fail("two hold it")
    assert store.lease("prod") is None


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    tick = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        tick.wait(0.02)
    pytest.fail("it did not come true")


def test_held_is_dropped_when_the_work_fails(store: StateStore) -> None:
    with pytest.raises(ZeroDivisionError), hold_lease(store, "prod", "ada"):
        raise ZeroDivisionError
    assert store.lease("prod") is None


def test_held_says_that_it_was_lost(store: StateStore) -> None:
    with hold_lease(store, "prod", "ada", ttl=timedelta(seconds=0.3)) as mine:
        with store.transaction() as tx:
            tx.drop_lease(mine.lease)
            other = tx.take_lease("prod", "grace", now=datetime.now(UTC), ttl=TTL)

        def lost() -> bool:
            try:
                mine.check()
            except LeaseLost:
                return True
            return False

        until(lost)
    assert store.lease("prod") == other


def test_held_waits_for_another_and_says_how_long(store: StateStore) -> None:
    waits: list[tuple[str, timedelta]] = []
    with hold_lease(store, "prod", "grace") as theirs:
        gone = threading.Timer(0.5, theirs.end)
        gone.start()

        def heard(by: LeaseHeld, waited: timedelta) -> None:
            waits.append((by.holder, waited))

        with hold_lease(store, "prod", "ada", wait=timedelta(seconds=10), on_wait=heard) as mine:
            assert mine.lease.token == theirs.lease.token + 1
        gone.join()
    assert {holder for holder, _ in waits} == {"grace"}
    assert len(waits) > 1
    assert [waited for _, waited in waits] == sorted(waited for _, waited in waits)


def test_held_gives_up_after_its_wait(store: StateStore) -> None:
    with (
        hold_lease(store, "prod", "grace"),
        pytest.raises(LeaseHeld),
        hold_lease(store, "prod", "ada", wait=timedelta(seconds=0.3)),
    ):
        pytest.fail("two hold it")


def test_after_kill_9_a_rerun_does_not_wait(store: StateStore, url: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, WORKER, "hold", url, "ada"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=Path(__file__).parents[2],
        text=True,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"
    holder = process.stdout.readline().strip()
    with pytest.raises(LeaseHeld), hold_lease(store, "prod", "grace"):
        pytest.fail("two hold it")
    process.send_signal(signal.SIGKILL)
    # Nobody has waited for it yet, so it is a zombie first: dead already, though its number exists.
    until(lambda: holder_is_dead(holder, HOST))
    with hold_lease(store, "prod", "grace") as mine:
        assert mine.lease.token == 2
    process.communicate(timeout=10)
    assert holder_is_dead(holder, HOST)


def test_this_process_is_alive() -> None:
    holder = this_process("ada@example.org")
    assert holder.startswith(f"ada@example.org@{HOST} pid {os.getpid()}")
    assert not holder_is_dead(holder, HOST)
    assert not holder_is_dead(f"root@{HOST} pid 1", HOST)


def test_a_number_used_again_is_another_process() -> None:
    assert holder_is_dead(f"ada@{HOST} pid {os.getpid()} start 1", HOST)
    assert not holder_is_dead(f"ada@{HOST} pid {os.getpid()}", HOST)


@pytest.mark.parametrize(
    "holder",
    ["ada", "", "ada@elsewhere pid 999999999", f"ada@{HOST} pid x", f"ada@{HOST} pid 999999999 and more"],
)
def test_in_doubt_a_holder_is_alive(holder: str) -> None:
    assert not holder_is_dead(holder, HOST)


def test_a_process_that_is_gone_is_dead() -> None:
    assert holder_is_dead(f"ada@{HOST} pid 999999999", HOST)
    assert holder_is_dead(f"ada@{HOST} pid 999999999 start 5", HOST)
