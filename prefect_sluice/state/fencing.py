"""The lease rows: one per environment, with a token that grows with each holder and never shrinks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select, update
from sqlalchemy.dialects import postgresql, sqlite

from prefect_sluice.domain.errors import LeaseHeld, LeaseLost
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.state import codec
from prefect_sluice.state.tables import LEASE


def take(connection: Connection, environment: str, holder: str, *, now: datetime, ttl: timedelta) -> Lease:
    """Return a new lease, or the same one for longer when `holder` has it already. Raises LeaseHeld."""
    row = _locked(connection, environment) or _first(connection, environment)
    current = codec.lease(row)
    if current is None or current.expires_at <= now:
        return _write(connection, Lease(environment, row["token"] + 1, holder, now, now + ttl))
    if current.holder != holder:
        raise LeaseHeld(environment, current.holder, current.acquired_at.isoformat(timespec="seconds"))
    return _write(connection, replace(current, expires_at=max(current.expires_at, now + ttl)))


def renew(connection: Connection, lease: Lease, *, now: datetime, ttl: timedelta) -> Lease:
    """Return the lease with `ttl` from `now`. Raises LeaseLost when it ran out or another took it."""
    current = check(connection, lease, now=now)
    return _write(connection, replace(current, expires_at=max(current.expires_at, now + ttl)))


def drop(connection: Connection, lease: Lease) -> None:
    """Give the lease back, if it is the current one. The token stays, so that it only grows."""
    mine = (LEASE.c.environment == lease.environment) & (LEASE.c.token == lease.token)
    connection.execute(update(LEASE).where(mine).values(holder="", acquired_at=None, expires_at=None))


def check(connection: Connection, lease: Lease, *, now: datetime) -> Lease:
    """Return the lease as recorded, its row locked until the transaction ends. Raises LeaseLost."""
    row = _locked(connection, lease.environment)
    current = codec.lease(row) if row else None
    if current is None or current.token != lease.token or current.expires_at <= now:
        raise LeaseLost(lease.environment)
    return current


def extend(connection: Connection, lease: Lease, by: timedelta) -> None:
    """Move the end of a lease that `check` returned."""
    _write(connection, replace(lease, expires_at=lease.expires_at + by))


def lock_all(connection: Connection) -> None:
    """Lock every environment's row, so that no fence is open beside this transaction."""
    # In one order everywhere, or two that do this would wait for each other. SQLite's writer is alone as it is.
    rows = select(LEASE.c.environment).order_by(LEASE.c.environment).with_for_update()
    connection.execute(rows).all()


def _locked(connection: Connection, environment: str) -> RowMapping | None:
    # SQLite knows no FOR UPDATE and needs none: its writer has the whole file. SQLAlchemy leaves it out.
    return connection.execute(_row(environment)).mappings().first()


def _row(environment: str) -> Select[Any]:
    return select(LEASE).where(LEASE.c.environment == environment).with_for_update()


def _first(connection: Connection, environment: str) -> RowMapping:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(LEASE).values(environment=environment, token=0, holder="")
    # Another process may have been first: PostgreSQL waits for it here, and the row read next is its row.
    connection.execute(new.on_conflict_do_nothing(index_elements=("environment",)))
    return connection.execute(_row(environment)).mappings().one()


def _write(connection: Connection, lease: Lease) -> Lease:
    values = {name: getattr(lease, name) for name in ("token", "holder", "acquired_at", "expires_at")}
    connection.execute(update(LEASE).where(LEASE.c.environment == lease.environment).values(values))
    return lease
