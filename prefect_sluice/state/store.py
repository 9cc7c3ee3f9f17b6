"""The state store: opens it, reads from it, and hands out transactions and fences."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.runtime import process
from prefect_sluice.state import engine as database
from prefect_sluice.state import fencing, migrate
from prefect_sluice.state.reader import Reads
from prefect_sluice.state.transaction import Transaction

__all__ = ["StateStore", "Transaction"]

_USED_LATELY = timedelta(days=1)
"""How exactly it is known when something cached was used last: reading it shall not mean writing each time."""


class StateStore(Reads):
    """The one database that remembers. May be shared by threads; each read is a short transaction of its own.

    Every method raises StoreBusy when another process kept the lock too long, BadInput when the database
    cannot be used.
    """

    def __init__(self, engine: Engine, place: str, lease: Lease | None = None) -> None:
        self.place = place
        self._engine = engine
        self._lease = lease
        self._origin: StateStore | None = None
        self._thread = threading.local()

    def under(self, lease: Lease | None) -> Self:
        """Return the store for who works under a lease: each of its transactions raises LeaseLost once the lease is not ours.

        The lease is looked at in the transaction itself, with its row locked: nobody takes it between the look and the write.
        None: as it is without one.
        """
        other = type(self)(self._engine, self.place, lease)
        other._thread = self._thread  # one thread still opens one transaction at a time
        other._origin = self  # whose end closes the connections
        return other

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the store at `url`; create and upgrade what has to be.

        The URL is sqlite:///path or postgresql://user@host/database; a plain path is a SQLite file.
        Raises BadInput for a URL that is none, a damaged file, a server that does not answer, and a store
        that a newer version of Sluice made. Safe to repeat, and in several processes at once.
        """
        engine, place = database.connect(url)
        try:
            with database.translated(place):
                migrate.bring_up(engine, place)
        except BaseException:
            engine.dispose()
            raise
        opened = cls(engine, place)
        # Whoever forgets to close it leaves no connection open at a server.
        weakref.finalize(opened, engine.dispose)
        return opened

    def close(self) -> None:
        """Close all connections. Safe to repeat."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Generator[Transaction]:
        """Give one transaction: committed at the end of the block, undone when the block raises.

        On SQLite it is the only writer from its first line on, so keep the block short. The store's own read
        methods do not see what it wrote yet. Raises RuntimeError inside another one or a fence, and LeaseLost as `under` says.
        """
        with self._writing() as connection:
            if self._lease is not None:
                fencing.check(connection, self._lease, now=process.now())
            yield Transaction(connection, self.place)

    @contextmanager
    def fenced(self, *leases: Lease, now: datetime) -> Generator[None]:
        """Keep all others from taking the leases while the block runs. Raises LeaseLost if one is not ours.

        They do not run out inside: their ends move by the time that the block took. On SQLite
        nobody, this thread included, can write to the store meanwhile: write the intent before it, and the
        outcome after it.
        """
        with self._writing() as connection:
            # In one order everywhere, or two processes could wait for each other.
            ordered = sorted(leases, key=lambda lease: lease.environment)
            current = [fencing.check(connection, lease, now=now) for lease in ordered]
            started = time.monotonic()
            yield
            for lease in current:
                fencing.extend(connection, lease, timedelta(seconds=time.monotonic() - started))

    def cached(self, kind: str, keys: Iterable[str]) -> dict[str, Json]:
        """Return what is cached, by key, and note of what was not used for a day that it is used now: `collect` drops the
        rest. A store that is busy is not waited for a second time."""
        cached = self._cached(kind, keys)
        now = process.now()
        stale = [key for key, (_, used) in cached.items() if now - used > _USED_LATELY]
        if stale and not getattr(self._thread, "writes", False):
            with suppress(SluiceError), self.transaction() as transaction:
                transaction.touch_cached(kind, stale)
        return {key: value for key, (value, _) in cached.items()}

    @contextmanager
    def _connected(self) -> Generator[Connection]:
        with database.translated(self.place), self._engine.connect() as connection:
            reading = connection.execution_options(**{database.READ: True})
            with reading.begin():
                yield reading

    @contextmanager
    def _writing(self) -> Generator[Connection]:
        if getattr(self._thread, "writes", False):
            # On SQLite it would wait for itself, half a minute, and then fail.
            raise RuntimeError("this thread has a transaction of the state store open already")
        self._thread.writes = True
        try:
            with database.translated(self.place), self._engine.connect() as connection, connection.begin():
                yield connection
        finally:
            self._thread.writes = False
