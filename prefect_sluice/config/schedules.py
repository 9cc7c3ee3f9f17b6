"""The section `schedules` of sluice.yml: which runs a Prefect server starts by itself, and when."""

from __future__ import annotations

import re
import zoneinfo
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from prefect_sluice.config.base import Duration, Section

_FIELD = re.compile(r"[0-9A-Za-z*/,\-#?]+")


def _cron(value: str) -> str:
    fields = value.split()
    if len(fields) != 5 or not all(_FIELD.fullmatch(field) for field in fields):
        raise ValueError(
            f"{value!r} is no cron line: write minute, hour, day, month, weekday, as in '0 4 * * 1-5'"
        )
    return " ".join(fields)


def _zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is no time zone: write it as Europe/Berlin or UTC") from error
    return value


def _off(value: object) -> object:
    # YAML reads a bare `off` as no.
    return None if value in (False, "off") else value


Cron = Annotated[str, AfterValidator(_cron)]
Zone = Annotated[str, AfterValidator(_zone)]


class CronSchedule(Section):
    """By a clock on the wall of a time zone: what is scheduled for four stays at four when summer time begins."""

    cron: Cron = Field(description="Minute, hour, day, month, weekday: `0 4 * * *` is each day at four.")
    timezone: Zone = Field(default="UTC", description="The time zone of `cron`, as Europe/Berlin.")
    environment: str = Field(
        default="", description="Which environment; empty is all that it makes sense for."
    )


class IntervalSchedule(Section):
    """A run after every interval of a fixed length."""

    every: Duration = Field(description="How long from one to the next: 60s, 5m, 1h.")
    environment: str = Field(default="", description="Which environment; empty is all of them.")


class Poll(Section):
    """Look at a branch in git at a fixed interval, and release what is new."""

    every: Duration = Field(description="How long from one look to the next: 60s, 5m.")
    branch: str = Field(default="main", min_length=1, description="The branch that is released.")
    environment: str = Field(default="", description="Where to; empty is the default environment.")


class CheckPoll(Section):
    """Look at branches in git at a fixed interval, and check what is new."""

    every: Duration = Field(description="How long from one look to the next: 60s, 5m.")
    branches: tuple[str, ...] = Field(
        default=("*",),
        min_length=1,
        description="The branches whose newest commits are checked; * and ? stand for any.",
    )
    environment: str = Field(default="", description="Beside what; empty is the default environment.")
    previews: bool = Field(
        default=False, description="Whether what passes is shown in a preview of the branch's own."
    )


class Schedules(Section):
    """The runs that a Prefect server starts by itself, once `sluice up` has set it up; `off` for one that it does not start."""

    release: Annotated[Poll | None, BeforeValidator(_off)] = Field(
        default=None, description="Release what is new on a branch. Default: off."
    )
    check: Annotated[CheckPoll | None, BeforeValidator(_off)] = Field(
        default=None, description="Check what is new on branches. Default: off."
    )
    refresh: Annotated[CronSchedule | None, BeforeValidator(_off)] = Field(
        default_factory=lambda: CronSchedule(cron="0 4 * * *"),
        description="Build what new data changed. Default: each night at four, UTC, the last environment.",
    )
    monitor: Annotated[IntervalSchedule | None, BeforeValidator(_off)] = Field(
        default_factory=lambda: IntervalSchedule(every=timedelta(minutes=1)),
        description="Look at what is served, at approvals that came another way, and at what was missed. Default: each minute.",
    )
    collect: Annotated[CronSchedule | None, BeforeValidator(_off)] = Field(
        default_factory=lambda: CronSchedule(cron="0 5 * * 0"),
        description="Drop what nothing needs any more. Default: on Sundays at five, UTC.",
    )
