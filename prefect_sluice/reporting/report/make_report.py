"""Builds the report from the record: the one function that every page and artifact starts from. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from prefect_sluice.domain.counting import noun
from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.node import short_name
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.planning.against_base import Origin
from prefect_sluice.planning.plan import Action, Plan
from prefect_sluice.planning.reasons import Because
from prefect_sluice.reporting.base_words import origin_words, step_words
from prefect_sluice.reporting.report.key_points import base_points, commit_points, points, policy_points
from prefect_sluice.reporting.report.lineage import lineage
from prefect_sluice.reporting.report.model import (
    ChangedRelation,
    ConsumerRow,
    GateRow,
    ReleaseRecord,
    Report,
    Tally,
)
from prefect_sluice.reporting.report.stage_times import laps, waited
from prefect_sluice.reporting.report.summary import head
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.terminal.findings import DIFF, changes, headline, is_same, notable, noted
from prefect_sluice.reporting.terminal.publishing import forecast_text, publish_text
from prefect_sluice.warehouse.publishing import Published, PublishMode

IMPACT = "impact"


def report(record: ReleaseRecord) -> Report:
    """Return the report of a promotion; of a release that was never promoted, what little there is."""
    plan = record.plan
    gates = tuple(_gate_row(record, number, gate_report) for number, gate_report in enumerate(record.reports))
    findings = notable(record.reports)
    every = [finding for gate_report in record.reports for finding in gate_report.findings]
    reached = _reached(record, plan, every)
    same = sum(finding.gate == DIFF for finding in every)
    changed = _branch_first(
        record, [_changed(record, finding, reached) for finding in changes(record.reports)]
    )
    new, gone = _names(plan)
    return Report(
        dossier=record,
        head=head(record, gates, findings),
        points=(
            *base_points(record),
            *commit_points(record),
            *policy_points(record),
            *points(gates, findings, changed, new, gone),
        ),
        tallies=_tallies(record, plan, gates, reached, changed, (new, gone)),
        reached=reached,
        changed=changed,
        same=same - len(changed),
        new=new,
        gone=gone,
        findings=findings,
        gates=gates,
        lineage=lineage(plan, reached, every),
        laps=laps(record),
        noted=noted(record.reports),
        waited=waited(record),
        publish=_publish(record),
    )


def _gate_row(record: ReleaseRecord, number: int, gate_report: GateReport) -> GateRow:
    stage = record.stages[number] if number < len(record.stages) else ""
    counts = Counter(finding.verdict for finding in gate_report.findings)
    return GateRow(
        gate=gate_report.gate,
        stage=stage,
        verdict=None if gate_report.not_applicable else gate_report.verdict,
        told=gate_report.not_applicable or headline(gate_report),
        seconds=gate_report.seconds,
        counts=dict(sorted(counts.items(), reverse=True)),
        passed=tuple(finding for finding in gate_report.findings if finding.verdict is Verdict.PASSED),
        only_warns=gate_report.gate in record.warns,
        switched_off=gate_report.switched_off,
    )


def _reached(
    record: ReleaseRecord, plan: Plan | None, findings: Iterable[Finding]
) -> tuple[ConsumerRow, ...]:
    """Return the consumers that the gate `impact` speaks of; where it judged nothing, also those that read what moves."""
    findings = tuple(findings)
    judged = any(report.gate == IMPACT and report.findings for report in record.reports)
    # What was compared and found the same reaches nobody, whatever the plan said.
    same = {finding.subject for finding in findings if finding.gate == DIFF and is_same(finding)}
    steps = [step for step in plan.steps if step.moves and step.node not in same] if plan else []
    moved = {step.node: step.name.identifier for step in steps}
    impacts = [finding for finding in findings if finding.gate == IMPACT]
    lines: list[ConsumerRow] = []
    for consumer in record.consumers:
        through = tuple(moved[uid] for uid in consumer.parents if uid in moved)
        # It is named by the finding's subject, or by its check, where the subject is what it reads.
        own_findings = tuple(
            finding
            for finding in impacts
            if finding.check == consumer.name or consumer.unique_id in finding.subjects
        )
        if own_findings or (through and not judged):
            lines.append(ConsumerRow(consumer, through, own_findings))
    return tuple(
        sorted(lines, key=lambda one: -max((f.verdict for f in one.findings), default=Verdict.PASSED))
    )


def _changed(record: ReleaseRecord, finding: Finding, reached: Sequence[ConsumerRow]) -> ChangedRelation:
    name = short_name(finding.subject) or finding.check
    summary = finding.told_below(finding.check, name)
    readers = [one.consumer for one in reached if finding.subject in one.consumer.parents]
    about = " ".join(record.described.get(finding.subject, "").split())
    return ChangedRelation(
        name, summary, finding, tuple(_consumer_label(consumer) for consumer in readers), about
    )


def _branch_first(record: ReleaseRecord, changed: Sequence[ChangedRelation]) -> tuple[ChangedRelation, ...]:
    """Return changes with what each moves because of, those of the branch first, where that was asked."""
    base, plan = record.base, record.plan
    if base is None or plan is None:
        return tuple(changed)
    words = {step.node: step_words(base, step) for step in plan.steps}
    order = [*(origin_words(base, origin) for origin in Origin), ""]
    marked = [replace(one, origin=words.get(one.finding.subject, "")) for one in changed]
    return tuple(sorted(marked, key=lambda one: order.index(one.origin)))


def _consumer_label(consumer: Consumer) -> str:
    return (
        f"{consumer.label or consumer.name} ({consumer.owner})"
        if consumer.owner
        else consumer.label or consumer.name
    )


def _names(plan: Plan | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the new public names, and those that are removed."""
    if plan is None:
        return (), ()
    new = (str(step.name) for step in plan.of(Action.BUILD) if step.reason.kind is Because.NEW)
    stays = {old_name.name for old_name in plan.old_names}
    return tuple(new), tuple(str(step.name) for step in plan.of(Action.REMOVE) if step.name not in stays)


def _tallies(
    record: ReleaseRecord,
    plan: Plan | None,
    gates: Sequence[GateRow],
    reached: Sequence[ConsumerRow],
    changed: Sequence[ChangedRelation],
    names: tuple[Sequence[str], Sequence[str]],
) -> tuple[Tally, ...]:
    if record.promotion is None or plan is None:
        return ()
    new, gone = names
    judged = [gate for gate in gates if gate.verdict is not None]
    good = sum(gate.verdict is Verdict.PASSED for gate in judged)
    held = any(gate.holds for gate in judged)
    style = Style.BAD if held else Style.GOOD if good == len(judged) else Style.WARN
    made = len(plan.of(Action.BUILD, Action.CARRY))
    touched = len(changed) + len(new) + len(gone)
    return (
        Tally(f"{good} of {len(judged)}", "gates passed", style if judged else Style.PLAIN),
        Tally(str(touched), noun(touched, "relation changes for readers", "relations change for readers")),
        Tally(str(len(reached)), noun(len(reached), "consumer reached", "consumers reached")),
        Tally(str(made), f"built, {len(plan.of(Action.REUSE))} reused"),
    )


def _publish(record: ReleaseRecord) -> str:
    """Return how the generation got into the warehouse, else how it is expected to."""
    for entry in reversed(record.entries):
        facts: Any = entry.facts.get("publish") if entry.event == "generation.written" else None
        if facts:
            times = [timedelta(milliseconds=float(facts[key])) for key in ("lock_ms", "writers_ms")]
            return publish_text(Published(PublishMode(facts["way"]), str(facts["why"]), *times))
    return forecast_text(record.expected) if record.expected else ""
