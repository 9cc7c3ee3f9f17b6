"""Records that Sluice works with from one run to the next. Nothing can derive them again, so each kind has its own table."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, cast

from sqlalchemy import Connection, RowMapping, Select, Table, delete, insert, select

from prefect_sluice.domain.build_conditions import Conditions
from prefect_sluice.domain.declarations import Declarations
from prefect_sluice.domain.digests import canonical
from prefect_sluice.domain.poll_rules import PollAttempt, PollBase
from prefect_sluice.domain.promotion import Run, StageTime, State
from prefect_sluice.domain.refresh_rules import RefreshAttempt
from prefect_sluice.domain.run_signs import SignOfLife
from prefect_sluice.runtime import documents
from prefect_sluice.state import codec
from prefect_sluice.state.tables import (
    ALERT,
    CHECK,
    CONDITIONS,
    DECLARED,
    POLL,
    PREVIEW,
    REFRESH,
    SIGN,
    TIMING,
)

_AT_ONCE = 500
"""Keys in one statement."""
_WORDS = {"checked": "passed", "unchanged": "served already", "": "unfinished"}


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """The problems of what was looked at that people were told last, and when (UTC). Empty: that they are over."""

    problems: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the last check of a commit came to, for an environment. Times are UTC.

    `status` is one of `promotions.work.Status`, or `failed` for one that broke before the gates could answer. `ref` is the branch
    or commit that was named; `ended` is None while it is at work, and for ever if its process died.
    `promotion` has its evidence and report ("": it came to none), `findings` is the number of those that hold.
    """

    environment: str
    commit: str
    ref: str
    by: str
    at: datetime
    ended: datetime | None = None
    status: str = ""
    message: str = ""
    promotion: str = ""
    findings: int = 0

    @property
    def word(self) -> str:
        """How it ended, as people read it."""
        return _WORDS.get(self.status, self.status) if self.ended else _WORDS[""]

    @property
    def let_through(self) -> bool:
        """Say whether every gate said yes."""
        return self.status in {"checked", "unchanged"}

    @property
    def took(self) -> timedelta | None:
        """How long it took; None for one that has not ended."""
        return self.ended - self.at if self.ended else None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a check built, under public names of its own. Times are UTC.

    `like` is the environment that it was checked for, `beside` that one's generation then, `number` the preview's own generation
    (0: it was never published). `promotion` is the check's ("": nothing was to be built), `branch` where its commit was found
    ("": not said). It ends at `until`; `ended` is None while its names are there, `reason` why they went.
    """

    name: str
    like: str
    branch: str
    commit: str
    promotion: str
    by: str
    beside: int
    number: int
    at: datetime
    until: datetime
    ended: datetime | None = None
    reason: str = ""


class RecordReads(ABC):
    """The read methods. All can be repeated; each raises BadInput when what is stored cannot be read."""

    place: str

    @abstractmethod
    def _rows(self, query: Select[Any]) -> Sequence[RowMapping]: ...

    def declared(self, environment: str, release: str) -> Declarations | None:
        """Return what a release declared in an environment; None if it was never looked at there."""
        query = select(DECLARED).where(DECLARED.c.environment == environment, DECLARED.c.release == release)
        with codec.readable(f"what release {release[:7]} declared", self.place):
            return next((Declarations.read(json.loads(row["document"])) for row in self._rows(query)), None)

    def conditions(self, promotion: str) -> tuple[datetime, Conditions] | None:
        """Return what a promotion was built under, and when that was looked at (UTC); None if nobody looked."""
        query = select(CONDITIONS).where(CONDITIONS.c.promotion == promotion)
        with codec.readable(f"what promotion {promotion} was built under", self.place):
            rows = self._rows(query)
            return next(
                ((row["at"], documents.read(Conditions, json.loads(row["document"]))) for row in rows), None
            )

    def refresh(self, environment: str) -> RefreshAttempt | None:
        """Return the last attempt to refresh all of an environment; None if there was none."""
        query = select(REFRESH).where(REFRESH.c.environment == environment)
        with codec.readable(f"the last refresh of {environment!r}", self.place):
            return next((codec.of(RefreshAttempt, row) for row in self._rows(query)), None)

    def poll(self, environment: str) -> PollAttempt | None:
        """Return the scheduled release that broke last before there was a promotion; None if none did."""
        query = select(POLL).where(POLL.c.environment == environment)
        with codec.readable(f"the last look at git for {environment!r}", self.place):
            return next((_try(row) for row in self._rows(query)), None)

    def checks(self, environment: str | None = None, *, limit: int | None = None) -> tuple[CheckResult, ...]:
        """Return what the last `limit` checks came to (None: all), the newest first; of `environment` if given."""
        query = select(CHECK).order_by(CHECK.c.at.desc(), CHECK.c.commit).limit(limit)
        if environment is not None:
            query = query.where(CHECK.c.environment == environment)
        with codec.readable("a check", self.place):
            return tuple(codec.of(CheckResult, row) for row in self._rows(query))

    def check(self, environment: str, commit: str) -> CheckResult | None:
        """Return what the last check of a commit came to in an environment; None if there was none."""
        query = select(CHECK).where(CHECK.c.environment == environment, CHECK.c.commit == commit)
        with codec.readable(f"the check of {commit[:7]}", self.place):
            return next((codec.of(CheckResult, row) for row in self._rows(query)), None)

    def previews(self, *, ended: bool = False) -> tuple[Preview, ...]:
        """Return the previews whose names are there, by name; with `ended` also those that have ended."""
        query = select(PREVIEW).order_by(PREVIEW.c.name)
        if not ended:
            query = query.where(PREVIEW.c.ended.is_(None))
        with codec.readable("a preview", self.place):
            return tuple(codec.of(Preview, row) for row in self._rows(query))

    def preview(self, name: str) -> Preview | None:
        """Return the preview of that name, ended or not; None if there never was one."""
        with codec.readable(f"preview {name!r}", self.place):
            rows = self._rows(select(PREVIEW).where(PREVIEW.c.name == name))
            return next((codec.of(Preview, row) for row in rows), None)

    def alert(self, scope: str) -> AlertRecord | None:
        """Return what people were told last of what was looked at; None if nothing."""
        query = select(ALERT).where(ALERT.c.scope == scope)
        with codec.readable(f"the last alert about {scope!r}", self.place):
            rows = self._rows(query)
            return next((AlertRecord(tuple(json.loads(row["problems"])), row["at"]) for row in rows), None)

    def timings(self, promotion: str) -> tuple[Run, ...]:
        """Return the runs of a promotion and what their stages took, the first one first."""
        query = select(TIMING).where(TIMING.c.promotion == promotion).order_by(TIMING.c.seq)
        with codec.readable(f"what the stages of promotion {promotion} took", self.place):
            return tuple(_run(row) for row in self._rows(query))

    def signs(self) -> tuple[SignOfLife, ...]:
        """Return the last sign of life of every flow run that has not ended in good order, by the run's id."""
        with codec.readable("a sign of life", self.place):
            rows = self._rows(select(SIGN).order_by(SIGN.c.run))
            return tuple(codec.of(SignOfLife, row) for row in rows)


class RecordWrites(ABC):
    """The write methods. All but `add_timing` can be repeated."""

    _connection: Connection

    @abstractmethod
    def _upsert(
        self, table: Table, rows: Iterable[dict[str, Any]], key: tuple[str, ...], *, overwrite: bool = True
    ) -> None: ...

    def put_declared(self, environment: str, release: str, declared: Declarations) -> None:
        """Record what a release declares in an environment; what is recorded of it already stays."""
        document = canonical(declared.document()).decode()
        row = {"environment": environment, "release": release, "document": document}
        self._upsert(DECLARED, [row], ("environment", "release"), overwrite=False)

    def put_conditions(self, promotion: str, at: datetime, conditions: Conditions) -> None:
        """Record what a promotion is built under, in place of what was recorded before."""
        row = {
            "promotion": promotion,
            "at": at,
            "document": canonical(documents.document(conditions)).decode(),
        }
        self._upsert(CONDITIONS, [row], ("promotion",))

    def put_refresh(self, environment: str, attempt: RefreshAttempt) -> None:
        """Record an attempt to refresh all of an environment, in place of the one before."""
        self._upsert(REFRESH, [{"environment": environment, **codec.columns(attempt)}], ("environment",))

    def put_poll(self, environment: str, broken: PollAttempt) -> None:
        """Record that the scheduled release of a commit broke, in place of the one that did before."""
        row = {
            "environment": environment,
            "commit": broken.commit,
            "generation": broken.base.generation,
            "release": broken.base.release,
            "message": broken.message,
        }
        self._upsert(POLL, [row], ("environment",))

    def put_check(self, result: CheckResult) -> None:
        """Record how the check of a commit stands, in place of the one before."""
        self._upsert(CHECK, [codec.columns(result)], ("environment", "commit"))

    def put_preview(self, preview: Preview) -> None:
        """Record how a preview stands, in place of what was recorded before."""
        self._upsert(PREVIEW, [codec.columns(preview)], ("name",))

    def put_alert(self, scope: str, alert: AlertRecord) -> None:
        """Record what people were told of what was looked at, in place of what they were told before."""
        problems = canonical(list(alert.problems)).decode()
        self._upsert(ALERT, [{"scope": scope, "problems": problems, "at": alert.at}], ("scope",))

    def add_timing(self, promotion: str, run: Run) -> None:
        """Record one more run of a promotion. Not repeatable: each call is another run."""
        took = canonical([[stage.stage, stage.seconds] for stage in run.took]).decode()
        self._connection.execute(insert(TIMING).values(promotion=promotion, at=run.at, took=took))

    def put_sign(self, sign: SignOfLife) -> None:
        """Record that a flow run lives."""
        self._upsert(SIGN, [codec.columns(sign)], ("run",))

    def drop_records(self, promotions: Iterable[str], declared: Iterable[tuple[str, str]]) -> None:
        """Forget what the stages of promotions took and what they were built under, and what releases declared in an
        environment (environment and release)."""
        for some in _pieces(promotions):
            self._connection.execute(delete(TIMING).where(TIMING.c.promotion.in_(some)))
            self._connection.execute(delete(CONDITIONS).where(CONDITIONS.c.promotion.in_(some)))
        there = {
            (row.environment, row.release)
            for row in self._connection.execute(select(DECLARED.c.environment, DECLARED.c.release))
        }
        for environment, release in there.intersection(declared):
            own = (DECLARED.c.environment == environment) & (DECLARED.c.release == release)
            self._connection.execute(delete(DECLARED).where(own))

    def drop_checks(self, environments: Iterable[str], before: datetime) -> None:
        """Forget what checks of these environments came to that began before a time (UTC)."""
        for some in _pieces(environments):
            old = CHECK.c.environment.in_(some) & (CHECK.c.at < before)
            self._connection.execute(delete(CHECK).where(old))

    def drop_previews(self, names: Iterable[str]) -> None:
        """Forget previews that have ended, and of which the warehouse has nothing any more."""
        for some in _pieces(names):
            self._connection.execute(
                delete(PREVIEW).where(PREVIEW.c.name.in_(some) & PREVIEW.c.ended.is_not(None))
            )

    def drop_sign(self, run: str) -> None:
        """Forget that a flow run lived."""
        self._connection.execute(delete(SIGN).where(SIGN.c.run == run))


def _pieces(keys: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def _try(row: RowMapping) -> PollAttempt:
    base = PollBase(row["generation"], row["release"])
    return PollAttempt(row["commit"], State.FAILED.value, base, row["message"])


def _run(row: RowMapping) -> Run:
    stages = cast(list[tuple[str, float]], json.loads(row["took"]))
    return Run(row["at"], tuple(StageTime(stage, seconds) for stage, seconds in stages))
