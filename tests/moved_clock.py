"""A clock that a test moves on."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from prefect_sluice.runtime import process


class MovedClock:
    """What `process.now` answers from now on: the time that it is, and the days that passed since."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real, self._ahead = process.now, timedelta()
        monkeypatch.setattr(process, "now", self._now)

    def _now(self) -> datetime:
        return self._real() + self._ahead

    def pass_days(self, days: int) -> None:
        """Have it be so many days later."""
        self._ahead += timedelta(days=days)
