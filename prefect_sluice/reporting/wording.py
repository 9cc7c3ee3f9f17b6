"""Numbers, times and ids as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isfinite

from prefect_sluice.domain.counting import count

_UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))
_AMOUNTS = (("K", 1e3), ("M", 1e6), ("G", 1e9))
_KILO = 1000


def seconds(value: float) -> str:
    """Return a duration: `0.05 s`, `1.2 s`, `48 s`, `3 min 20 s`, `2 h 5 min`."""
    if value < 0.1:
        return f"{value:.2f} s"
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def ago(then: datetime, now: datetime) -> str:
    """Return how long ago a time was, in its largest unit: `3 h ago`."""
    passed = now - then
    for unit, name in _UNITS:
        if passed >= unit:
            return f"{passed // unit} {name} ago"
    return "just now"


def age(then: datetime, now: datetime) -> str:
    """Return how old something is, in its largest unit: `3 days old`."""
    for unit, name in (
        (timedelta(days=1), "day"),
        (timedelta(hours=1), "hour"),
        (timedelta(minutes=1), "minute"),
    ):
        if now - then >= unit:
            return f"{count((now - then) // unit, name)} old"
    return "less than a minute old"


def moment(at: datetime) -> str:
    """Return a time to the minute: `2026-01-31 08:05 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def size(octets: int) -> str:
    """Return a number of bytes: `512 B`, `3.4 MB`, in the units in which `sluice.yml` takes limits (1 MB is 1,000,000 B)."""
    value = float(octets)
    for unit in ("B", "KB", "MB", "GB"):
        if value < _KILO:
            return f"{octets} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= _KILO
    return f"{value:.1f} TB"


def amount(number: int) -> str:
    """Return a number of things: `9,999`, `12 K`, `1.2 M`, `3.4 G`."""
    if number < 10_000:
        return f"{number:,}"
    unit, value = next((unit, number / by) for unit, by in _AMOUNTS if number / by < 999.5 or unit == "G")
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def short(identifier: str) -> str:
    """Return the first seven digits of a digest or commit."""
    return identifier[:7]


def number(value: float | None) -> str:
    """Return a number without needless digits, "" for none."""
    if value is None:
        return ""
    return f"{value:.0f}" if isfinite(value) and value == round(value) else f"{value:.4g}"
