"""What can be written to the state store, all of it in one transaction or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from math import isfinite
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from prefect_sluice.domain.controls import Control, RollbackExtras
from prefect_sluice.domain.digests import Json, canonical
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.ledger import LedgerEntry, chain
from prefect_sluice.domain.promotion import Approval, ApprovalQuestion, Candidate, Lease, Promotion
from prefect_sluice.domain.relation import Relation
from prefect_sluice.domain.release import Release
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.runtime import process
from prefect_sluice.state import codec, fencing
from prefect_sluice.state.reader import LAST_MEASURES, Reads, ranked_measures
from prefect_sluice.state.records import RecordWrites
from prefect_sluice.state.tables import (
    AFTERCARE,
    APPROVAL,
    CACHE,
    CANDIDATE,
    CONTROL,
    LEDGER,
    MEASURE,
    PROMOTION,
    QUESTION,
    RELATION,
    RELEASE,
    REPORT,
)

_KEYS_AT_ONCE = 500
_LEDGER_LOCK = 5_783_212  # any number, the same in all processes


class Transaction(Reads, RecordWrites):
    """One open transaction, from `StateStore.transaction`. It reads what it wrote; others do afterwards."""

    def __init__(self, connection: Connection, place: str) -> None:
        self.place = place
        self._connection = connection

    def _connected(self) -> AbstractContextManager[Connection]:
        return nullcontext(self._connection)

    def put_release(self, release: Release) -> None:
        """Record a release. Safe to repeat."""
        self._upsert(RELEASE, [codec.release_row(release)], ("id",), overwrite=False)

    def put_promotion(self, promotion: Promotion) -> None:
        """Record a promotion, or where it stands now. Safe to repeat."""
        self._upsert(PROMOTION, [codec.columns(promotion)], ("id",))

    def put_reports(self, promotion: str, stage: str, reports: Sequence[GateReport]) -> None:
        """Record what the gates said in a stage, in place of what they said there before. Safe to repeat."""
        theirs = (REPORT.c.promotion == promotion) & (REPORT.c.stage == stage)
        self._connection.execute(delete(REPORT).where(theirs))
        for report in reports:  # one by one: the order of the rows is the order of the reports
            row = {"promotion": promotion, "stage": stage, **codec.report_row(report)}
            self._connection.execute(insert(REPORT).values(row))
            self._put_measures(promotion, report)

    def _put_measures(self, promotion: str, report: GateReport) -> None:
        own = (MEASURE.c.promotion == promotion) & (MEASURE.c.gate == report.gate)
        self._connection.execute(delete(MEASURE).where(own))
        rows = [
            {"promotion": promotion, "gate": report.gate, **codec.columns(measure)}
            for measure in report.measures
            if isfinite(measure.value)
        ]
        if rows:
            self._connection.execute(insert(MEASURE), rows)

    def put_candidate(self, candidate: Candidate) -> None:
        """Record a promotion's candidate, in place of one it had before. Safe to repeat."""
        self._upsert(CANDIDATE, [codec.columns(candidate)], ("promotion",))

    def put_relations(self, relations: Sequence[Relation]) -> None:
        """Record relations, in place of what stood at their addresses. Safe to repeat."""
        self._upsert(
            RELATION, [codec.relation_row(relation) for relation in relations], ("schema", "identifier")
        )

    def drop_unserved(self, promotions: Collection[str]) -> None:
        """Forget the candidates of promotions that never served, and the relations in them: they were never in a warehouse."""
        for some in _pieces(promotions):
            for table in (CANDIDATE, RELATION):
                self._connection.execute(delete(table).where(table.c.promotion.in_(some)))

    def prune_reports(self, served: Collection[str], unserved: Collection[str]) -> None:
        """Forget what gates found of promotions that never served, and the numbers that they kept. Of those that served each
        finding stays, as the evidence names it; the rows and tables that were shown with it go. Safe to repeat."""
        for some in _pieces(unserved):
            for table in (REPORT, MEASURE):
                self._connection.execute(delete(table).where(table.c.promotion.in_(some)))
        for some in _pieces(served):
            tables = REPORT.c.document.contains('"evidence":{') | REPORT.c.document.contains('"more":[{')
            for row in self._rows(select(REPORT).where(REPORT.c.promotion.in_(some), tables)):
                bare = codec.report_row(codec.report(row).without_tables())
                self._connection.execute(update(REPORT).where(REPORT.c.seq == row["seq"]).values(bare))

    def prune_measures(self, environment: str) -> None:
        """Forget the numbers that are older than the last ones of their subject which are read. Safe to repeat."""
        ranked = ranked_measures(environment).subquery()
        old = select(ranked.c.id, ranked.c.gate, ranked.c.subject, ranked.c.metric)
        key = tuple_(MEASURE.c.promotion, MEASURE.c.gate, MEASURE.c.subject, MEASURE.c.metric)
        self._connection.execute(delete(MEASURE).where(key.in_(old.where(ranked.c.back > LAST_MEASURES))))

    def put_approval(self, approval: Approval) -> None:
        """Record a yes or no. Safe to repeat; it never makes a used approval unused.

        Raises Refused when another approval has that id.
        """
        self._upsert(APPROVAL, [codec.columns(approval)], ("id",), overwrite=False)
        row = self._rows(select(APPROVAL).where(APPROVAL.c.id == approval.id))[0]
        if replace(codec.of(Approval, row), used_at=None) != replace(approval, used_at=None):
            why = f"approval {approval.id!r} is recorded already, and says something else"
            raise Refused(why, fix="give the new one its own id")

    def use_approval(self, id: str, at: datetime) -> bool:
        """Use an approval up: True the first time; False when it was used before or does not exist."""
        unused = (APPROVAL.c.id == id) & APPROVAL.c.used_at.is_(None)
        return self._connection.execute(update(APPROVAL).where(unused).values(used_at=at)).rowcount == 1

    def put_question(self, question: ApprovalQuestion) -> None:
        """Record what a run asks, in place of what it asked before. Safe to repeat."""
        self._upsert(QUESTION, [codec.columns(question)], ("run",))

    def drop_question(self, run: str) -> None:
        """Forget what a run asked. Safe to repeat."""
        self._connection.execute(delete(QUESTION).where(QUESTION.c.run == run))

    def put_control(self, control: Control) -> None:
        """Record a hold, freeze or block, or that it was lifted. Safe to repeat."""
        self._upsert(CONTROL, [codec.columns(control)], ("id",))

    def put_aftercare(self, aftercare: RollbackExtras) -> None:
        """Record what a rollback brings with it, or how far that is. Safe to repeat."""
        self._upsert(AFTERCARE, [codec.columns(aftercare)], ("promotion",))

    def stand_still(self) -> None:
        """Wait until nobody publishes or writes the ledger, and keep it so until this transaction ends."""
        fencing.lock_all(self._connection)
        self._lock_ledger()

    def take_lease(self, environment: str, holder: str, *, now: datetime, ttl: timedelta) -> Lease:
        """Return the lease until `now + ttl`: with a new token, or with the same one if `holder` has it.

        Raises LeaseHeld while another holder's has not run out.
        """
        return fencing.take(self._connection, environment, holder, now=now, ttl=ttl)

    def renew_lease(self, lease: Lease, *, now: datetime, ttl: timedelta) -> Lease:
        """Return the lease until `now + ttl`. Raises LeaseLost when it ran out or another holder took it."""
        return fencing.renew(self._connection, lease, now=now, ttl=ttl)

    def drop_lease(self, lease: Lease) -> None:
        """Give a lease back. Safe to repeat; does nothing when another holder has it by now."""
        fencing.drop(self._connection, lease)

    def append(
        self,
        event: str,
        *,
        actor: str,
        at: datetime,
        environment: str = "",
        facts: Mapping[str, Json] | None = None,
    ) -> LedgerEntry:
        """Write the next entry of the ledger and return it. Not repeatable: each call is another entry.

        Other processes' entries wait until this transaction is over. Raises LedgerBroken when the last entry
        was changed, ValueError for facts that JSON cannot spell.
        """
        self._lock_ledger()
        rows = self._rows(select(LEDGER).order_by(LEDGER.c.number.desc()).limit(1))
        last = codec.entry(rows[0]) if rows else None
        entry = chain(last, event=event, actor=actor, at=at, environment=environment, facts=facts)
        self._connection.execute(insert(LEDGER).values(codec.entry_row(entry)))
        return entry

    def put_cached(self, kind: str, key: str, value: Json) -> None:
        """Keep what was derived from the content that `key` is the digest of. Safe to repeat.

        Only what can be derived again belongs here: it may be gone at any time. What cannot is a record, with a table of
        its own (`state.records`).
        """
        self.put_all_cached(kind, {key: value})

    def put_all_cached(self, kind: str, values: Mapping[str, Json]) -> None:
        """Keep many values at once, by key. Safe to repeat."""
        now = process.now()
        rows = [
            {"kind": kind, "key": key, "value": canonical(value).decode(), "used_at": now}
            for key, value in values.items()
        ]
        self._upsert(CACHE, rows, ("kind", "key"))

    def touch_cached(self, kind: str, keys: Sequence[str]) -> None:
        """Note that cached values were used now. Safe to repeat."""
        for some in _pieces(keys):
            own = (CACHE.c.kind == kind) & CACHE.c.key.in_(some)
            self._connection.execute(update(CACHE).where(own).values(used_at=process.now()))

    def prune_cache(self, before: datetime, at_most: int) -> int:
        """Drop what was last used before a time (UTC), and of the rest all but the `at_most` used last. Return how many.

        Safe to repeat.
        """
        gone = self._connection.execute(delete(CACHE).where(CACHE.c.used_at < before)).rowcount
        last = select(CACHE.c.used_at).order_by(CACHE.c.used_at.desc()).offset(at_most).limit(1)
        oldest = self._connection.execute(last).scalar()
        if oldest is None:
            return gone
        return gone + self._connection.execute(delete(CACHE).where(CACHE.c.used_at <= oldest)).rowcount

    def _lock_ledger(self) -> None:
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LEDGER_LOCK})

    def _upsert(
        self, table: Table, rows: Iterable[dict[str, Any]], key: tuple[str, ...], *, overwrite: bool = True
    ) -> None:
        all_rows = list(rows)
        if not all_rows:
            return
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(table)
        if overwrite:
            new = {name: statement.excluded[name] for name in all_rows[0] if name not in key}
            statement = statement.on_conflict_do_update(index_elements=key, set_=new)
        else:
            statement = statement.on_conflict_do_nothing(index_elements=key)
        self._connection.execute(statement, all_rows)


def _pieces(keys: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while some := list(islice(rest, _KEYS_AT_ONCE)):
        yield some
