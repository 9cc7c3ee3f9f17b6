"""Holding a lease for as long as the work takes, and seeing that a holder is dead."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from prefect_sluice.domain.errors import LeaseHeld, LeaseLost, SluiceError
from prefect_sluice.domain.lease_holder import Holder, read
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.runtime import process
from prefect_sluice.runtime.running import start_of

if TYPE_CHECKING:  # the store brings SQLAlchemy with it
    from prefect_sluice.state.reader import Reads
    from prefect_sluice.state.store import StateStore

OnWait = Callable[[LeaseHeld, timedelta], None]
"""Hears who is waited for, and how long already."""

TTL = timedelta(seconds=60)
"""How long a lease lasts that nobody renews."""

_STEP = 0.2
_running: set[str] = set()
"""The holders whose `hold_lease` block is open in this process: a lease of this process and none of these was left behind."""


def this_process(user: str) -> str:
    """Return a holder of this process, another one at each call: "ada@host pid 4242 start 81234 run 9f8e7d".

    So two threads of one process are two holders. `start` is left out where the machine does not say.
    """
    start, run = start_of(os.getpid()) or "", uuid.uuid4().hex[:6]
    return str(Holder(user, socket.gethostname(), os.getpid(), start, run))


def holder_is_dead(holder: str, host: str) -> bool:
    """Say whether `holder` was a process on `host` (this one) and runs no more; False where in doubt."""
    process_of = read(holder)
    if process_of is None or process_of.host != host:
        return False
    start = start_of(process_of.pid)
    return start is None or bool(start and process_of.start and start != process_of.start)


def at_work(reads: Reads, name: str) -> Lease | None:
    """Return the lease of that name if somebody works under it; None where it was given back, ran out, or its holder is dead."""
    lease = reads.lease(name)
    if lease is None or lease.expires_at <= _now() or holder_is_dead(lease.holder, process.host()):
        return None
    return lease


def _left_behind(holder: str) -> bool:
    """Say whether a run of this very process took the lease, ended, and could not give it back."""
    process_of = read(holder)
    if (
        process_of is None
        or not process_of.run
        or (process_of.host, process_of.pid) != (socket.gethostname(), os.getpid())
    ):
        return False
    return holder not in _running


class HeldLease:
    """A lease that a thread of this process keeps from running out, until the `hold_lease` block ends."""

    def __init__(self, store: StateStore, lease: Lease, ttl: timedelta) -> None:
        self._store = store
        self._lease = lease
        self._ttl = ttl
        self._lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease on {lease.environment}", daemon=True)

    @property
    def lease(self) -> Lease:
        """The lease as last renewed; the token never changes."""
        return self._lease

    def check(self) -> None:
        """Raise LeaseLost if the lease could not be kept. `StateStore.fenced` checks by itself."""
        if not self._lost and _now() >= self._lease.expires_at:
            # Perhaps a long fence moved the end, and the thread had no turn yet: the store knows.
            recorded = self._store.lease(self._lease.environment)
            self._lost = (
                recorded is None or recorded.token != self._lease.token or _now() >= recorded.expires_at
            )
        if self._lost:
            raise LeaseLost(self._lease.environment)

    def start(self) -> None:
        """Begin to renew, every third of the lease's time."""
        self._thread.start()

    def end(self) -> None:
        """Stop renewing and give the lease back; where that fails, it runs out by itself. Safe to repeat."""
        self._stop.set()
        self._thread.join()
        with suppress(SluiceError), self._store.transaction() as tx:
            tx.drop_lease(self._lease)

    def _keep(self) -> None:
        pause = third = self._ttl.total_seconds() / 3
        while not self._stop.wait(pause):
            try:
                with self._store.transaction() as tx:
                    self._lease = tx.renew_lease(self._lease, now=_now(), ttl=self._ttl)
                pause = third
            except LeaseLost:
                self._lost = True
                return
            except Exception:  # whatever it was, it may pass before the lease runs out, and then is LeaseLost
                pause = min(third, 1.0)


@contextmanager
def hold_lease(
    store: StateStore,
    environment: str,
    holder: str,
    *,
    ttl: timedelta = TTL,
    wait: timedelta = timedelta(0),
    on_wait: OnWait | None = None,
) -> Generator[HeldLease]:
    """Hold the lease on an environment while the block runs, and give it back at its end.

    A holder that died on this host is not waited for. Raises LeaseHeld when another one has it still after
    `wait`; `on_wait` is told, some times a second, who is waited for and since when.
    """
    _running.add(holder)  # before the lease is there: another thread may look at once
    try:
        keeper = HeldLease(store, _taken(store, environment, holder, ttl, wait, on_wait), ttl)
        keeper.start()
        try:
            yield keeper
        finally:
            keeper.end()
    finally:
        _running.discard(holder)


def _taken(
    store: StateStore,
    environment: str,
    holder: str,
    ttl: timedelta,
    wait: timedelta,
    on_wait: OnWait | None,
) -> Lease:
    started = time.monotonic()
    give_up = started + wait.total_seconds()
    while True:
        try:
            return _take(store, environment, holder, ttl)
        except LeaseHeld as held_by:
            if time.monotonic() >= give_up:
                raise
            if on_wait:
                on_wait(held_by, timedelta(seconds=time.monotonic() - started))
        threading.Event().wait(min(_STEP, max(0.0, give_up - time.monotonic())))


def _take(store: StateStore, environment: str, holder: str, ttl: timedelta) -> Lease:
    with store.transaction() as tx:
        current = tx.lease(environment)
        if current and (holder_is_dead(current.holder, socket.gethostname()) or _left_behind(current.holder)):
            tx.drop_lease(current)
        return tx.take_lease(environment, holder, now=_now(), ttl=ttl)


def _now() -> datetime:
    return process.now()
