"""What the tests run in processes of their own: `worker.py append|race|hold URL NAME`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from prefect_sluice.domain.errors import LeaseHeld
from prefect_sluice.state.lease import hold_lease, this_process
from prefect_sluice.state.store import StateStore


def append(url: str, name: str) -> None:
    """Append 25 entries, each in its own transaction."""
    for number in range(25):
        with StateStore.open(url) as store, store.transaction() as tx:
            tx.append("test.ran", actor=name, environment="prod", facts={"n": number}, at=datetime.now(UTC))


def race(url: str, name: str) -> None:
    """Say whether this process got the lease."""
    with StateStore.open(url) as store:
        try:
            with store.transaction() as tx:
                tx.take_lease("prod", name, now=datetime.now(UTC), ttl=timedelta(minutes=1))
        except LeaseHeld as error:
            print("held by", error.holder)
        else:
            print("taken")


def hold(url: str, name: str) -> None:
    """Hold the lease until killed."""
    with StateStore.open(url) as store, hold_lease(store, "prod", this_process(name)) as lease:
        print(lease.lease.holder, flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    _, command, url, name = sys.argv
    print("ready", flush=True)
    sys.stdin.readline()
    {"append": append, "race": race, "hold": hold}[command](url, name)
