"""The nights that a cron line names, summer time included."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from prefect_sluice.orchestration.missed_refreshes import last_due


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "since", "until", "due"),
    [
        ("0 4 * * *", "UTC", "2026-03-04 05:00", "2026-03-05 03:59", ""),
        ("0 4 * * *", "UTC", "2026-03-04 05:00", "2026-03-05 04:00", "2026-03-05 04:00"),
        ("0 4 * * *", "UTC", "2026-03-04 04:00", "2026-03-04 05:00", ""),
        ("0 4 * * *", "UTC", "2026-02-01 05:00", "2026-03-05 05:00", "2026-03-05 04:00"),
        ("0 4 * * *", "Europe/Berlin", "2026-03-28 04:00", "2026-03-29 03:00", "2026-03-29 02:00"),
        ("0 4 * * *", "Europe/Berlin", "2026-10-24 05:00", "2026-10-25 03:30", "2026-10-25 03:00"),
        ("0 4 * * 1-5", "Europe/Berlin", "2026-11-20 12:00", "2026-11-22 12:00", ""),
        ("0 4 * * *", "UTC", "2026-03-05 04:00", "2026-03-04 04:00", ""),
    ],
)
def test_the_last_night_that_was_due(cron: str, zone: str, since: str, until: str, due: str) -> None:
    found = last_due(cron, zone, utc(since), utc(until))
    assert found == (utc(due) if due else None)
