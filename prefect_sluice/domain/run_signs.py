"""Signs of life of flow runs, and when one of them is dead. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from prefect_sluice.domain.lease_holder import read

EACH = timedelta(seconds=20)
"""How often a run at work says that it lives."""
SILENT = timedelta(minutes=3)
"""How long a run on another machine may say nothing."""


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """A flow run at work: its id, the process that runs it (as in a lease), and when it last said so (UTC)."""

    run: str
    holder: str
    seen: datetime


def on_host(sign: SignOfLife, host: str) -> bool:
    """Say whether a run's process is, or was, on a host."""
    holder = read(sign.holder)
    return holder is not None and holder.host == host


def is_silent(sign: SignOfLife, now: datetime) -> bool:
    """Say whether a run has not been heard of for too long. Its process may be stopped, or its machine gone."""
    return now - sign.seen > SILENT
