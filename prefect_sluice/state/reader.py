"""What can be asked of the state store; a transaction and the store itself answer the same questions."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, Table, func, select

from prefect_sluice.domain.controls import Control, RollbackExtras
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.ledger import GENERATION_WRITTEN, LEFT, LedgerEntry, ServedNow, fold
from prefect_sluice.domain.promotion import Approval, ApprovalQuestion, Candidate, Lease, Promotion, State
from prefect_sluice.domain.relation import Relation
from prefect_sluice.domain.release import Release
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.state import codec
from prefect_sluice.state.entry_facts import EntryFact
from prefect_sluice.state.records import RecordReads
from prefect_sluice.state.tables import (
    AFTERCARE,
    APPROVAL,
    CACHE,
    CANDIDATE,
    CONTROL,
    LEASE,
    LEDGER,
    MEASURE,
    PROMOTION,
    QUESTION,
    RELATION,
    RELEASE,
    REPORT,
)

_KEYS_AT_ONCE = 500
_NAMED_WHEN_AMBIGUOUS = 3
_ENTRIES_AT_ONCE = 100

LAST_MEASURES = 60
"""So many numbers of a subject and metric are read, the newest; `collect` drops those before them."""


class Reads(RecordReads, ABC):
    """The read methods. All can be repeated; each raises BadInput when what is stored cannot be read.

    Times come back in UTC. `place` is the store's URL as it may be shown.
    """

    place: str

    @abstractmethod
    def _connected(self) -> AbstractContextManager[Connection]: ...

    def release(self, id_or_prefix: str) -> Release | None:
        """Return the release whose id begins so; None if there is none. Raises BadInput when several do."""
        row = self._one(RELEASE, "release", id_or_prefix)
        if row is None:
            return None
        with codec.readable(f"release {row['id'][:7]}", self.place):
            return codec.release(row)

    def releases(self, limit: int | None = None) -> tuple[Release, ...]:
        """Return the last `limit` releases (None: all), newest first."""
        rows = self._rows(select(RELEASE).order_by(RELEASE.c.seq.desc()).limit(limit))
        with codec.readable("a release", self.place):
            return tuple(codec.release(row) for row in rows)

    def promotion(self, id_or_prefix: str) -> Promotion | None:
        """Return the promotion whose id begins so; None if there is none. Raises BadInput when several do."""
        row = self._one(PROMOTION, "promotion", id_or_prefix)
        if row is None:
            return None
        with codec.readable(f"promotion {row['id']}", self.place):
            return codec.of(Promotion, row)

    def promotions(
        self,
        *,
        environment: str | None = None,
        states: Collection[State] = (),
        limit: int | None = None,
        causes: Collection[Cause] = (),
        but: Cause | None = None,
        releases: Collection[str] = (),
        served: bool = False,
    ) -> tuple[Promotion, ...]:
        """Return the last `limit` promotions (None: all), newest first; of `environment`, in `states`, for `causes`, for other
        causes than `but`, and of `releases` (ids) where given; with `served` those that wrote a generation."""
        query = select(PROMOTION)
        if not states or limit is not None:
            # With states, whose promotions are few, an index by time would be followed through all there ever were.
            query = query.order_by(PROMOTION.c.created_at.desc(), PROMOTION.c.seq.desc()).limit(limit)
        if environment is not None:
            query = query.where(PROMOTION.c.environment == environment)
        if states:
            query = query.where(PROMOTION.c.state.in_([state.value for state in states]))
        if causes:
            query = query.where(PROMOTION.c.cause.in_([cause.value for cause in causes]))
        if but is not None:
            query = query.where(PROMOTION.c.cause != but.value)
        if releases:
            query = query.where(PROMOTION.c.release.in_(sorted(releases)))
        if served:
            query = query.where(PROMOTION.c.generation.is_not(None))
        rows = self._rows(query)
        if states and limit is None:
            rows = sorted(rows, key=lambda row: (row["created_at"], row["seq"]), reverse=True)
        with codec.readable("a promotion", self.place):
            return tuple(codec.of(Promotion, row) for row in rows)

    def promotion_ids(self, environment: str) -> frozenset[str]:
        """Return the ids of the promotions of an environment."""
        rows = self._rows(select(PROMOTION.c.id).where(PROMOTION.c.environment == environment))
        return frozenset(str(row["id"]) for row in rows)

    def served_last(self, environment: str, *, with_policy: bool = False) -> Promotion | None:
        """Return the newest promotion that wrote a generation, or of those that brought a policy; None if there is none."""
        query = select(PROMOTION).where(PROMOTION.c.environment == environment)
        query = query.where(PROMOTION.c.generation.is_not(None))
        if with_policy:
            query = query.where(PROMOTION.c.policy != "")
        rows = self._rows(query.order_by(PROMOTION.c.created_at.desc(), PROMOTION.c.seq.desc()).limit(1))
        with codec.readable("a promotion", self.place):
            return codec.of(Promotion, rows[0]) if rows else None

    def served_first(self) -> Promotion | None:
        """Return the oldest promotion of a release that wrote a generation, in whichever environment; None if there is none."""
        query = select(PROMOTION).where(PROMOTION.c.generation.is_not(None), PROMOTION.c.release != "")
        rows = self._rows(query.order_by(PROMOTION.c.seq).limit(1))
        with codec.readable("a promotion", self.place):
            return codec.of(Promotion, rows[0]) if rows else None

    def reports(self, promotion: str) -> tuple[tuple[str, GateReport], ...]:
        """Return the gate reports of a promotion as (stage, report), in the order they were written."""
        rows = self._rows(select(REPORT).where(REPORT.c.promotion == promotion).order_by(REPORT.c.seq))
        with codec.readable(f"a gate report of promotion {promotion}", self.place):
            return tuple((row["stage"], codec.report(row)) for row in rows)

    def measures(
        self, environment: str, gate: str, subjects: Iterable[str], *, limit: int = LAST_MEASURES
    ) -> dict[tuple[str, str], tuple[tuple[float, datetime, str], ...]]:
        """Return the last `limit` numbers of a gate by (subject, metric): value, time (UTC), promotion; the newest first.

        Of what was served in the environment, and not rolled back from. Made for thousands of subjects.
        """
        numbers: dict[tuple[str, str], list[tuple[float, datetime, str]]] = {}
        rest = iter(subjects)
        while some := list(islice(rest, _KEYS_AT_ONCE)):
            for row in self._rows(_served_measures(environment, gate, some, limit)):
                value = (row["value"], row["created_at"], row["id"])
                numbers.setdefault((row["subject"], row["metric"]), []).append(value)
        return {key: tuple(values) for key, values in numbers.items()}

    def candidate(self, promotion: str) -> Candidate | None:
        """Return the candidate of a promotion, or None."""
        rows = self._rows(select(CANDIDATE).where(CANDIDATE.c.promotion == promotion))
        with codec.readable(f"the candidate of promotion {promotion}", self.place):
            return codec.of(Candidate, rows[0]) if rows else None

    def relations(self, promotion: str | None = None) -> tuple[Relation, ...]:
        """Return all relations, or those that a promotion built, by address."""
        query = select(RELATION)
        if promotion is not None:
            query = query.where(RELATION.c.promotion == promotion)
        rows = self._rows(query)
        with codec.readable("a relation", self.place):
            # Sorted here: two databases do not agree on the order of text.
            return tuple(sorted((codec.relation(row) for row in rows), key=lambda relation: relation.address))

    def approvals(self, promotion: str | None = None) -> tuple[Approval, ...]:
        """Return the approvals and rejections of a promotion, or of all, in the order they were recorded."""
        query = select(APPROVAL).order_by(APPROVAL.c.seq)
        if promotion is not None:
            query = query.where(APPROVAL.c.promotion == promotion)
        rows = self._rows(query)
        with codec.readable("an approval" + (f" of promotion {promotion}" if promotion else ""), self.place):
            return tuple(codec.of(Approval, row) for row in rows)

    def answers(self, promotions: Collection[str]) -> dict[str, tuple[Approval, ...]]:
        """Return the approvals and rejections of promotions (ids) by promotion, in the order they were recorded."""
        answers: dict[str, tuple[Approval, ...]] = dict.fromkeys(promotions, ())
        query = select(APPROVAL).where(APPROVAL.c.promotion.in_(sorted(promotions))).order_by(APPROVAL.c.seq)
        with codec.readable("an approval", self.place):
            for row in self._rows(query):
                answers[row["promotion"]] += (codec.of(Approval, row),)
        return answers

    def question(self, run: str) -> ApprovalQuestion | None:
        """Return what a run of a scheduler asked last; None if it asks nothing."""
        return next((question for question in self.questions() if question.run == run), None)

    def questions(self) -> tuple[ApprovalQuestion, ...]:
        """Return what runs of a scheduler ask, the oldest first."""
        rows = self._rows(select(QUESTION).order_by(QUESTION.c.at, QUESTION.c.run))
        with codec.readable("a question", self.place):
            return tuple(codec.of(ApprovalQuestion, row) for row in rows)

    def controls(self, *, lifted: bool = False) -> tuple[Control, ...]:
        """Return the holds, freezes and blocks that nobody lifted, run out or not; with `lifted` all there ever were."""
        query = select(CONTROL).order_by(CONTROL.c.seq)
        if not lifted:
            query = query.where(CONTROL.c.lifted_at.is_(None))
        rows = self._rows(query)
        with codec.readable("a hold, freeze or block", self.place):
            return tuple(codec.of(Control, row) for row in rows)

    def aftercare(self, promotion: str) -> RollbackExtras | None:
        """Return what a rollback brings with it; None for any other promotion."""
        rows = self._rows(select(AFTERCARE).where(AFTERCARE.c.promotion == promotion))
        with codec.readable(f"the rollback {promotion}", self.place):
            return codec.of(RollbackExtras, rows[0]) if rows else None

    def lease(self, environment: str) -> Lease | None:
        """Return the lease as recorded, run out or not; None when it was dropped or never taken."""
        rows = self._rows(select(LEASE).where(LEASE.c.environment == environment))
        with codec.readable(f"the lease on {environment!r}", self.place):
            return codec.lease(rows[0]) if rows else None

    def entries(
        self,
        *,
        environment: str | None = None,
        event: str | None = None,
        events: Collection[str] = (),
        promotion: str | None = None,
        release: str | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> tuple[LedgerEntry, ...]:
        """Return the ledger's entries with a number above `after`, in order; of one environment, of one event or some, and about
        one promotion or release (ids) where given.

        Raises LedgerBroken for an entry without the digest it was stored under; whether they follow from one
        another, `ledger.verify` says.
        """
        query = select(LEDGER).where(LEDGER.c.number > after).order_by(LEDGER.c.number).limit(limit)
        if environment is not None:
            query = query.where(LEDGER.c.environment == environment)
        if event is not None:
            query = query.where(LEDGER.c.event == event)
        if events:
            query = query.where(LEDGER.c.event.in_(sorted(events)))
        if promotion is not None:
            query = query.where(EntryFact("promotion") == promotion)
        if release is not None:
            query = query.where(EntryFact("release") == release)
        return tuple(codec.entry(row) for row in self._rows(query))

    def entries_back(self, environment: str, event: str) -> Iterator[LedgerEntry]:
        """Yield an event's entries in an environment, the newest first: who stops early has read few. Raises LedgerBroken."""
        own = select(LEDGER).where(LEDGER.c.environment == environment, LEDGER.c.event == event)
        newest_first = own.order_by(LEDGER.c.number.desc()).limit(_ENTRIES_AT_ONCE)
        rows = self._rows(newest_first.limit(1))  # most ask for the last one alone
        while rows:
            yield from (codec.entry(row) for row in rows)
            rows = self._rows(newest_first.where(LEDGER.c.number < rows[-1]["number"]))

    def serves(self, environment: str) -> ServedNow | None:
        """Return what an environment serves, as `ledger.fold` of all entries would, from the last ones alone; None where it
        serves nothing. Raises LedgerBroken."""
        last = (next(self.entries_back(environment, event), None) for event in (GENERATION_WRITTEN, LEFT))
        entries = sorted((entry for entry in last if entry is not None), key=lambda entry: entry.number)
        return fold(entries).get(environment)

    def served_environments(self) -> tuple[str, ...]:
        """Return the environments that ever served a generation, as the ledger has it."""
        query = select(LEDGER.c.environment).where(LEDGER.c.event == GENERATION_WRITTEN).distinct()
        return tuple(sorted(row["environment"] for row in self._rows(query)))

    def cached(self, kind: str, keys: Iterable[str]) -> dict[str, Json]:
        """Return what is cached, by key; a key that is not is left out, and so is one whose value cannot be read.

        Made for thousands of keys.
        """
        return {key: value for key, (value, _) in self._cached(kind, keys).items()}

    def _cached(self, kind: str, keys: Iterable[str]) -> dict[str, tuple[Json, datetime]]:
        """Return the values by key, and when each was used last as far as that is recorded."""
        cached: dict[str, tuple[Json, datetime]] = {}
        rest = iter(keys)
        while some := list(islice(rest, _KEYS_AT_ONCE)):
            query = select(CACHE).where(CACHE.c.kind == kind, CACHE.c.key.in_(some))
            for row in self._rows(query):
                with suppress(ValueError):  # it can be derived again
                    cached[row["key"]] = (json.loads(row["value"]), row["used_at"])
        return cached

    def _rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        with self._connected() as connection, codec.readable("a row", self.place):
            return connection.execute(query).mappings().all()

    def _one(self, table: Table, what: str, prefix: str) -> RowMapping | None:
        if not prefix:
            return None
        # An id that is the prefix itself is never ambiguous, and found without looking at the others.
        exact = self._rows(select(table).where(table.c.id == prefix))
        if exact:
            return exact[0]
        begins_so = func.substr(table.c.id, 1, len(prefix)) == prefix
        ids = select(table.c.id).where(begins_so).order_by(func.length(table.c.id), table.c.id)
        rows = self._rows(ids.limit(_NAMED_WHEN_AMBIGUOUS + 1))
        if len(rows) > 1:
            names = ", ".join(str(row["id"])[: len(prefix) + 6] for row in rows[:_NAMED_WHEN_AMBIGUOUS])
            more = ", ..." if len(rows) > _NAMED_WHEN_AMBIGUOUS else ""
            raise BadInput(f"{prefix!r} is more than one {what}: {names}{more}", fix="give more of the id")
        return self._rows(select(table).where(table.c.id == rows[0]["id"]))[0] if rows else None


def _served_measures(environment: str, gate: str, subjects: Sequence[str], limit: int) -> Select[Any]:
    own = (MEASURE.c.gate == gate, MEASURE.c.subject.in_(subjects))
    ranked = ranked_measures(environment).where(*own).subquery()
    # One by one, the newest first, whatever order the window was computed in.
    return select(ranked).where(ranked.c.back <= limit).order_by(ranked.c.back)


def ranked_measures(environment: str) -> Select[Any]:
    """Return the query of the measures of what was served in an environment and not rolled back from; `back` counts those of a
    gate's subject and metric from the newest, which is 1."""
    later = PROMOTION.alias()
    # Not correlated: asked once for each promotion it would cost the square of their number.
    rolled_back = (
        select(later.c.base)
        .where(later.c.environment == environment, later.c.cause == Cause.ROLLBACK.value)
        .where(later.c.generation.is_not(None))
    )
    key = (MEASURE.c.gate, MEASURE.c.subject, MEASURE.c.metric)
    back = func.row_number().over(partition_by=key, order_by=PROMOTION.c.seq.desc()).label("back")
    return (
        select(*key, MEASURE.c.value, PROMOTION.c.created_at, PROMOTION.c.id, back)
        .join(PROMOTION, PROMOTION.c.id == MEASURE.c.promotion)
        .where(PROMOTION.c.environment == environment, PROMOTION.c.generation.is_not(None))
        .where(PROMOTION.c.generation.not_in(rolled_back))
    )
