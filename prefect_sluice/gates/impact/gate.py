"""The gate that says whom a change reaches: which columns change for which consumer, and whether one of them breaks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from prefect_sluice import config
from prefect_sluice.diff.relation import RelationDiff
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.node import short_name
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict
from prefect_sluice.gates.base import CandidateView, DeclarationsView, ReleaseView
from prefect_sluice.gates.unknown_declarations import undeclared
from prefect_sluice.planning.impact import (
    Effect,
    ImpactInputs,
    ReachedConsumer,
    RowChanges,
    Schema,
    reached,
    reads,
    title,
    without,
)
from prefect_sluice.warehouse.base import Reader

_UNTOLD = "a consumer that this change takes off what it reads, or no longer declares, would not be seen"


class Settings(config.GateSettings):
    """What sluice.yml may say of it: the keys of every gate."""


@dataclass(frozen=True, slots=True)
class Impact:
    """Says what changes for each declared consumer. What breaks one fails, unless the same change takes it off what the
    consumer reads."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "impact"
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(
        self, release: ReleaseView, candidate: CandidateView, declarations: DeclarationsView
    ) -> GateReport:
        """Return what changes for each consumer reached, and what cannot be told. Repeatable."""
        consumers = tuple(declarations.now.consumers.values())
        earlier = tuple(declarations.before.consumers.values()) if declarations.before else ()
        unknown = tuple(undeclared(self.id, release, declarations, _UNTOLD)) if candidate.served else ()
        if not consumers and not earlier and not unknown:
            return GateReport(self.id, not_applicable="the project declares no consumers (exposures)")
        if release.plan is None or not candidate.served:
            return GateReport(self.id, not_applicable="nothing is served yet that a consumer could read")
        known, unread = _read_impact_inputs(release, candidate, (*consumers, *earlier))
        found = reached(known, consumers)
        findings = [
            *unknown,
            *(finding for item in found for finding in self._consumer_findings(item, unread)),
            *self._given_up(without(reached(known, earlier), found), consumers),
            *(self._untold(item, unread, release) for item in consumers if _touches(item, unread, release)),
            *(finding for item in consumers for finding in self._strange(item, release, candidate, known)),
        ]
        return GateReport(self.id, tuple(findings) or (self._nobody(len(consumers)),))

    def _consumer_findings(self, item: ReachedConsumer, unread: Collection[str]) -> Iterable[Finding]:
        """Yield a finding for each relation that breaks the consumer, and one for all others that change for it."""
        broken = tuple(dict.fromkeys(effect.relation for effect in item.breaking))
        for uid in broken:
            fix = (
                f"keep it beside the new one for a release, or, if {item.consumer.name} does not read it, say "
                "which columns it reads (meta.sluice.columns of the exposure)"
            )
            yield self._finding(item, Verdict.FAILED, (uid,), fix, subject=uid, ends=" would break")
        others = tuple(uid for uid in item.relations if uid not in broken and uid not in unread)
        if others:
            yield self._finding(item, Verdict.PASSED, others, subject=item.consumer.unique_id)

    def _finding(
        self,
        item: ReachedConsumer,
        verdict: Verdict,
        relations: Sequence[str],
        fix: str = "",
        *,
        subject: str,
        ends: str = "",
    ) -> Finding:
        effects = [effect for effect in item.effects if effect.relation in relations]
        return Finding(
            self.id,
            item.consumer.name,
            verdict,
            f"{item.title}{ends}: {item.told(relations)}",
            subjects=(subject,),
            location=item.consumer.path,
            evidence=_evidence(effects),
            fix=fix,
        )

    def _given_up(self, found: Iterable[ReachedConsumer], now: Sequence[Consumer]) -> Iterable[Finding]:
        """Yield what would break a consumer if this very change did not take it off what the consumer reads."""
        there = {consumer.unique_id for consumer in now}
        for item in found:
            is_there = item.consumer.unique_id in there
            said = "no longer declared to read it" if is_there else "no longer declared at all"
            finding = self._finding(item, Verdict.WARNED, item.relations, subject=item.consumer.unique_id)
            yield replace(
                finding,
                summary=f"{item.title} is {said}: {item.told()}",
                fix=f"make sure that {item.consumer.owner or 'its owner'} knows",
            )

    def _untold(self, consumer: Consumer, unread: Mapping[str, str], release: ReleaseView) -> Finding:
        touched = [uid for uid in _reads(consumer, release) if uid in unread]
        told = "; ".join(f"{short_name(uid) or uid} {unread[uid]}" for uid in touched)
        return Finding(
            self.id,
            consumer.name,
            Verdict.INCONCLUSIVE,
            f"what changes for {title(consumer)} is not known: {told}",
            subjects=tuple(touched),
            location=consumer.path,
            fix="mend the relation first; its columns are compared once it is built",
        )

    def _strange(
        self, consumer: Consumer, release: ReleaseView, candidate: CandidateView, known: ImpactInputs
    ) -> Iterable[Finding]:
        """Yield the names that a consumer gives, and that nothing bears."""
        for uid, columns in _reads(consumer, release).items():
            if columns is None or (uid in consumer.parents and uid not in release.nodes):
                continue  # a source, or a model without a relation of its own, is no part of the release
            wrong = _unknown(uid, columns, release, candidate, known)
            if wrong:
                yield Finding(
                    self.id,
                    consumer.name,
                    Verdict.WARNED,
                    f"{title(consumer)} says that it reads {wrong}",
                    subjects=(consumer.unique_id,),
                    location=consumer.path,
                    fix="mend meta.sluice.columns of the exposure",
                )

    def _nobody(self, declared: int) -> Finding:
        what = "the one consumer" if declared == 1 else f"any of the {count(declared, 'consumer')}"
        return Finding(self.id, "consumers", Verdict.PASSED, f"nothing changes for {what} declared")


def _read_impact_inputs(
    release: ReleaseView, candidate: CandidateView, consumers: Iterable[Consumer]
) -> tuple[ImpactInputs, Mapping[str, str]]:
    """Return what is known of both sides of all that the consumers read, and why a relation's columns are not."""
    assert release.plan is not None
    wanted = {uid for consumer in consumers for uid in _reads(consumer, release)}
    schemas: dict[str, tuple[Schema, Schema]] = {}
    unread: dict[str, str] = {}
    # What is served and was dropped by somebody has no columns to compare with: it is built anew.
    for uid in sorted(wanted & set(release.changed) & set(candidate.served) - _dropped(candidate)):
        try:
            schemas[uid] = (
                _columns(candidate.reader, candidate.live.get(uid)),
                _columns(candidate.reader, candidate.relations.get(uid)),
            )
        except LookupError:
            unread[uid] = "was not built"
        except QueryFailed as error:
            unread[uid] = f"cannot be read ({(str(error).splitlines() or [''])[0]})"
    counted = {uid: _counted(diff) for uid, diff in candidate.compared.items() if uid in schemas}
    return ImpactInputs(release.plan, candidate.served, candidate.noted, schemas, counted), unread


def _counted(diff: RelationDiff) -> RowChanges:
    """Return what the gate `diff` found of a relation, before this one was asked."""
    come, go = diff.rows_added, diff.rows_removed
    if diff.rows_changed is None and diff.columns_changed:
        come, go = come - min(come, go), go - min(come, go)  # without a key, these may be rows that changed
    moved = ((come, "row comes", "rows come"), (go, "row goes", "rows go"))
    told = [count(many, one, several) for many, one, several in moved if many]
    return RowChanges(tuple(each.name for each in diff.columns_changed), " and ".join(told))


def _dropped(candidate: CandidateView) -> set[str]:
    return set(candidate.relations) - set(candidate.live)


def _columns(reader: Reader | None, relation: str | None) -> Schema:
    if reader is None or relation is None:
        raise LookupError
    return {column.name: column.type for column in reader.columns(relation)}


def _reads(consumer: Consumer, release: ReleaseView) -> Mapping[str, tuple[str, ...] | None]:
    assert release.plan is not None
    return reads(consumer, release.plan)


def _touches(consumer: Consumer, unread: Mapping[str, str], release: ReleaseView) -> bool:
    return any(uid in unread for uid in _reads(consumer, release))


def _unknown(
    uid: str, columns: Sequence[str], release: ReleaseView, candidate: CandidateView, known: ImpactInputs
) -> str:
    """Return in words what of these columns there is not, "" if all are there, or it cannot be told."""
    assert release.plan is not None
    step = next((step for step in release.plan.steps if step.node == uid), None)
    if step is None:
        return f"{uid}, and no relation of the project bears that name"
    if uid in known.schemas:
        before, after = known.schemas[uid]
        there = {*before, *after}  # what this change drops is told as such
    elif uid in release.changed or candidate.reader is None:
        return ""
    else:
        try:
            there = {*_columns(candidate.reader, candidate.reader.at(step.name))}
        except QueryFailed:
            return ""
    lower = {name.lower() for name in there}
    missing = [column for column in columns if column.lower() not in lower]
    return f"{', '.join(missing)} of {short_name(uid)}, which has no such column" if missing else ""


def _evidence(effects: Sequence[Effect]) -> Evidence:
    rows = [
        (short_name(effect.relation) or effect.relation, effect.column or "(any)", effect.change)
        for effect in effects
    ]
    return Evidence(("relation", "column", "change"), tuple(rows[:EVIDENCE_ROWS]), len(rows))
