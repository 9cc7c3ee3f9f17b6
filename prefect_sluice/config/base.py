"""What every section of sluice.yml is made of: strict sections, durations, points in time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from prefect_sluice.domain.untrusted_text import number

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([0-9]+)\s*([smhd])")
_LONGEST = timedelta(days=36_500)
"""A hundred years: one more than that, and time itself runs out (a date of Python's ends with the year 9999)."""


def parse_duration(value: object) -> timedelta:
    """Read `90s`, `10m`, `72h` or `7d`. Raises ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if not match:
        raise ValueError(f"{value!r} is not a duration: write it as 90s, 10m, 72h or 7d")
    count = number(match[1])
    duration = timedelta.max if count is None else _long(count, _UNITS[match[2]])
    if duration > _LONGEST:
        raise ValueError(f"{value!r} is too long for a duration: the longest is {_LONGEST.days}d")
    return duration


def _long(count: int, unit: str) -> timedelta:
    try:
        return timedelta(**{unit: count})
    except OverflowError:
        return timedelta.max


def parse_end(text: str, now: datetime) -> datetime:
    """Read a time to come, as a duration from now (`12h`) or a date or time in ISO 8601 (UTC without a zone).

    Raises ValueError for anything else, and for a time that is past.
    """
    try:
        end = now + parse_duration(text)
    except (ValueError, OverflowError):
        try:
            end = datetime.fromisoformat(text.strip())
            end = end.replace(tzinfo=UTC) if end.tzinfo is None else end.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            fix = "write 12h, 2d, 2026-12-24 or 2026-12-24T18:00+01:00"
            raise ValueError(f"{text!r} is no time: {fix}") from error
    if end <= now:
        raise ValueError(f"{text!r} is past")
    return end.astimezone(UTC)


def _seconds(value: timedelta) -> str:
    return f"{int(value.total_seconds())}s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration, json_schema_input_type=str),
    PlainSerializer(_seconds, return_type=str),
]


class Section(BaseModel):
    """A part of sluice.yml: what is written cannot change, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
