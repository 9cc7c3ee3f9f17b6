"""Holding a lease for as long as the work takes, and seeing that a holder is dead."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_sluice.errors import LeaseHeld, LeaseLost, SluiceError
from prefect_sluice.promotion import Lease

if TYPE_CHECKING:  # the store brings SQLAlchemy with it
    from prefect_sluice.state.store import StateStore

_STEP = 0.2
_HOLDER = re.compile(r".*@(?P<host>[^@\s]+) pid (?P<pid>\d+)(?: start (?P<start>\d+))?")


def this_process(user: str) -> str:
    """Return the holder string of this process: "ada@host pid 4242 start 81234".

    `start` is when the process began, in clock ticks since boot, so that a later process with the same
    number is not taken for it; it is left out where there is no /proc.
    """
    holder = f"{user}@{socket.gethostname()} pid {os.getpid()}"
    stat = _stat(os.getpid())
    return f"{holder} start {stat[1]}" if stat else holder


def holder_is_dead(holder: str, host: str) -> bool:
    """Say whether `holder` was a process on `host` (this one) and runs no more; False where in doubt."""
    found = _HOLDER.fullmatch(holder)
    if found is None or found["host"] != host:
        return False
    pid = int(found["pid"])
    stat = _stat(pid)
    if stat is None:
        return not _exists(pid)
    state, start = stat
    # A killed child that nobody waited for is a zombie: it has a number still, and does nothing.
    return state in "ZX" or (found["start"] is not None and found["start"] != start)


def runs_here(pid: int) -> bool:
    """Say whether a process of that number runs on this machine; True where in doubt."""
    return _stat(pid) is not None or _exists(pid)


class Held:
    """A lease that a thread of this process keeps from running out, until the `held` block ends."""

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
def held(
    store: StateStore,
    environment: str,
    holder: str,
    *,
    ttl: timedelta = timedelta(seconds=60),
    wait: timedelta = timedelta(0),
    on_wait: Callable[[LeaseHeld], None] | None = None,
) -> Generator[Held]:
    """Hold the lease on an environment while the block runs, and give it back at its end.

    A holder that died on this host is not waited for. Raises LeaseHeld when another one has it still after
    `wait`; `on_wait` is told once per holder that is waited for.
    """
    keeper = Held(store, _taken(store, environment, holder, ttl, wait, on_wait), ttl)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.end()


def _taken(
    store: StateStore,
    environment: str,
    holder: str,
    ttl: timedelta,
    wait: timedelta,
    on_wait: Callable[[LeaseHeld], None] | None,
) -> Lease:
    give_up = time.monotonic() + wait.total_seconds()
    told = ""
    while True:
        try:
            return _take(store, environment, holder, ttl)
        except LeaseHeld as held_by:
            if time.monotonic() >= give_up:
                raise
            if on_wait and held_by.holder != told:
                on_wait(held_by)
            told = held_by.holder
        threading.Event().wait(min(_STEP, max(0.0, give_up - time.monotonic())))


def _take(store: StateStore, environment: str, holder: str, ttl: timedelta) -> Lease:
    with store.transaction() as tx:
        current = tx.lease(environment)
        if current and holder_is_dead(current.holder, socket.gethostname()):
            tx.drop_lease(current)
        return tx.take_lease(environment, holder, now=_now(), ttl=ttl)


def _now() -> datetime:
    return datetime.now(UTC)


def _stat(pid: int) -> tuple[str, str] | None:
    """Return the state letter and the start time of a process; None where /proc does not say."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    rest = text.rpartition(")")[2].split()  # the command's name, in brackets, may hold anything
    return rest[0], rest[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # it is there, and somebody else's
    return True
