"""Every write to the served DuckDB file goes through here: in place, or by a copy where readers would wait."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Protocol, TypeVar

import duckdb

from prefect_sluice.domain.errors import Refused, WarehouseBusy
from prefect_sluice.warehouse.duckdb import copy_and_replace
from prefect_sluice.warehouse.duckdb.publish_weight import PublishWeight, forecast
from prefect_sluice.warehouse.publishing import Forecast, Published, PublishMode, PublishRule, Told

Connection = duckdb.DuckDBPyConnection
_Answer = TypeVar("_Answer")


class Opener(Protocol):
    """Opens a DuckDB file, trying again while another process holds it. Raises WarehouseBusy."""

    def __call__(
        self, path: Path, *, read_only: bool = False, new: bool = False, at_once: bool = False
    ) -> AbstractContextManager[Connection]:
        """Give the connection; `at_once` does not try again."""
        ...


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes to the file at `path` by a rule."""

    path: Path
    rule: PublishRule
    open: Opener
    patience: timedelta

    def forecast(self, weight: PublishWeight) -> Forecast:
        """Return which way a write of this weight goes. Looks at the file's folder only."""
        folder = self.path.resolve().parent
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        found, in_place = (
            forecast(self.rule, weight, free=free),
            forecast(PublishRule(PublishMode.IN_PLACE), weight, free=free),
        )
        if found.way is PublishMode.IN_PLACE:
            return found
        why = self._obstacle()
        if not why and found.needs > free:
            if copy_and_replace.shares_blocks(self.path):
                return replace(found, needs=in_place.needs)
            why = "there is no room for a copy"
        return (
            replace(in_place, why=f"it cannot be copied: {why}") if why and self.rule.way is None else found
        )

    def _obstacle(self) -> str:
        return copy_and_replace.obstacle(self.path) if self.path.exists() else ""

    def write(self, do: Callable[[Connection], _Answer], weight: PublishWeight, told: Told | None) -> _Answer:
        """Have `do` write, in one transaction of its own, and tell how it went.

        Raises WarehouseBusy when neither way is open, Refused where a copy is needed and cannot be made.
        """
        copy_and_replace.tidy(self.path)
        expected = self.forecast(weight)
        if expected.way is PublishMode.COPY:
            self._empty_journal()
            return self._by_copy(do, weight, expected.why, told)
        try:
            return self._in_place(do, expected.why, told)
        except WarehouseBusy as busy:
            if self.rule.way is not None or busy.path != str(self.path) or not self._readers_hold(busy):
                raise
            why = f"{busy.holder or 'another process'} reads the file and does not let go"
            return self._by_copy(do, weight, why, told)

    def _in_place(self, do: Callable[[Connection], _Answer], why: str, told: Told | None) -> _Answer:
        while True:
            before = self._identity()
            with self.open(self.path) as connection:
                # Who opened the old file while it was being replaced holds what nobody will read again.
                if self._identity() == before:
                    started = monotonic()
                    answer = do(connection)
                    break
        locked = timedelta(
            seconds=monotonic() - started
        )  # closed by now: DuckDB has written its journal into the file
        if told:
            told(Published(PublishMode.IN_PLACE, why, locked, locked))
        return answer

    def _by_copy(
        self, do: Callable[[Connection], _Answer], weight: PublishWeight, why: str, told: Told | None
    ) -> _Answer:
        def write(copy: Path) -> _Answer:
            with self.open(copy) as connection:
                answer = do(connection)
                connection.execute("checkpoint")
            return answer

        started = (
            monotonic()
        )  # what it waited for another writer is in it: from here on, it wants the file still
        answer = copy_and_replace.replaced(self.path, write, room=weight.bring, patience=self.patience)
        if told:
            told(Published(PublishMode.COPY, why, timedelta(0), timedelta(seconds=monotonic() - started)))
        return answer

    def _identity(self) -> tuple[int, int]:
        found = self.path.stat()
        return found.st_dev, found.st_ino

    def _readers_hold(self, busy: WarehouseBusy) -> bool:
        """Say whether it is readers that hold the file. Our own connection would show us the old file for ever."""
        if busy.ours:
            return False
        try:
            with self.open(self.path, read_only=True, at_once=True):
                return True
        except WarehouseBusy:
            return False

    def _empty_journal(self) -> None:
        """Have DuckDB write the journal of a killed writer into the file; a copy would not have it.

        A journal may also be that of a writer at work, who will be done: only a journal that stays is refused.
        """
        if self._obstacle():
            try:
                with self.open(self.path):
                    pass
            except WarehouseBusy as busy:
                raise Refused(f"{self.path} cannot be copied: {self._obstacle()}", str(busy)) from busy
