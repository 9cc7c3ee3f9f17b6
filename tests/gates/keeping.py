"""A gate's memory and history, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from prefect_sluice.domain.digests import Json
from prefect_sluice.gates.base import PastMeasure


class Kept(dict[str, Json]):
    """What a gate remembers, by key; `written` are the keys in the order in which they were kept."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def recall(self, key: str) -> Json | None:
        """See Memory."""
        return self.get(key)

    def keep(self, key: str, value: Json) -> None:
        """See Memory."""
        self.written.append(key)
        self[key] = value


class Told:
    """A history: the values of each (subject, metric), the newest first, one a day."""

    def __init__(self, values: Mapping[tuple[str, str], Sequence[float]]) -> None:
        self._values = values

    def of(self, subject: str, metric: str) -> Sequence[PastMeasure]:
        """See History."""
        last = datetime(2026, 3, 31, tzinfo=UTC)
        return [
            PastMeasure(value, last - timedelta(days=day), f"p{day}")
            for day, value in enumerate(self._values.get((subject, metric), ()))
        ]
