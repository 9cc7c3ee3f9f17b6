"""Which way a publish gets into a DuckDB file, in place or by a copy, and what that takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from prefect_sluice.warehouse.publishing import Forecast, PublishMode, PublishRule

_BYTES_PER_SECOND = 50_000_000
"""How fast DuckDB brings stored (compressed) bytes into a file: measured 47 to 56 MB/s on two shared cores."""
_COPIED_PER_SECOND = 200_000_000
"""How fast a file is copied and synced where it cannot be cloned: measured 190 to 230 MB/s."""
_SECONDS_PER_POINTER = 0.0005
_OPENED_AND_CLOSED = 0.1
_MARGIN = 1.1
"""What a file takes beside its tables: headers, free blocks, the bookkeeping."""


@dataclass(frozen=True, slots=True)
class PublishWeight:
    """What a publish has to do: bytes to bring in, public names to point anew, and the served file's size in bytes."""

    bring: int
    pointers: int
    file: int


def forecast(rule: PublishRule, weight: PublishWeight, *, free: int, readers_hold: bool = False) -> Forecast:
    """Return which way a publish of this weight goes. Times are estimates from measured rates."""
    lock = _in_place(weight)
    way, why = _chosen(rule, lock, readers_hold=readers_hold)
    if way is PublishMode.IN_PLACE:
        return Forecast(way, why, lock, lock, weight.bring, int(weight.bring * _MARGIN), free)
    takes = lock + timedelta(seconds=weight.file / _COPIED_PER_SECOND)
    needs = int((weight.bring + weight.file) * _MARGIN)
    return Forecast(way, why, timedelta(0), takes, weight.bring, needs, free)


def _in_place(weight: PublishWeight) -> timedelta:
    seconds = weight.bring / _BYTES_PER_SECOND + weight.pointers * _SECONDS_PER_POINTER
    return timedelta(seconds=_OPENED_AND_CLOSED + seconds)


def _chosen(rule: PublishRule, lock: timedelta, *, readers_hold: bool) -> tuple[PublishMode, str]:
    if rule.way is not None:
        return rule.way, "sluice.yml says so"
    if lock > rule.lock:
        return (
            PublishMode.COPY,
            f"in place would lock readers out for {_seconds_text(lock)}, over {_seconds_text(rule.lock)}",
        )
    if readers_hold:
        return PublishMode.COPY, "a reader holds the file"
    return PublishMode.IN_PLACE, f"at most {_seconds_text(rule.lock)} are allowed"


def _seconds_text(time: timedelta) -> str:
    return f"{time.total_seconds():.1f} s"
