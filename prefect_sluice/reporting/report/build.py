"""From what is recorded to what is told: the one function that every report, page and artifact starts from. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from prefect_sluice.domain.counting import noun
from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.node import short_name
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.planning.plan import Action, Plan
from prefect_sluice.planning.reasons import Because
from prefect_sluice.reporting.report.key_points import points, policy_points
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


def report(found: ReleaseRecord) -> Report:
    """Return the report of a promotion; of a release that was never promoted, what little there is."""
    plan = found.plan
    gates = tuple(_gate_row(found, number, each) for number, each in enumerate(found.reports))
    findings = notable(found.reports)
    every = [finding for each in found.reports for finding in each.findings]
    reached = _reached(found, plan, every)
    same = sum(item.gate == DIFF for item in every)
    changed = tuple(_changed(found, item, reached) for item in changes(found.reports))
    new, gone = _names(plan)
    return Report(
        dossier=found,
        head=head(found, gates, findings),
        points=(*policy_points(found), *points(gates, findings, changed, new, gone)),
        tallies=_tallies(found, plan, gates, reached, changed, (new, gone)),
        reached=reached,
        changed=changed,
        same=same - len(changed),
        new=new,
        gone=gone,
        findings=findings,
        gates=gates,
        lineage=lineage(plan, reached, every),
        laps=laps(found),
        noted=noted(found.reports),
        waited=waited(found),
        publish=_publish(found),
    )


def _gate_row(found: ReleaseRecord, number: int, each: GateReport) -> GateRow:
    stage = found.stages[number] if number < len(found.stages) else ""
    counts = Counter(finding.verdict for finding in each.findings)
    return GateRow(
        gate=each.gate,
        stage=stage,
        verdict=None if each.not_applicable else each.verdict,
        told=each.not_applicable or headline(each),
        seconds=each.seconds,
        counts=dict(sorted(counts.items(), reverse=True)),
        passed=tuple(finding for finding in each.findings if finding.verdict is Verdict.PASSED),
        only_warns=each.gate in found.warns,
    )


def _reached(found: ReleaseRecord, plan: Plan | None, findings: Iterable[Finding]) -> tuple[ConsumerRow, ...]:
    """Return the consumers that read what the plan moves, and those that the gate `impact` speaks of."""
    findings = tuple(findings)
    # What was compared and found the same reaches nobody, whatever the plan said.
    same = {item.subject for item in findings if item.gate == DIFF and is_same(item)}
    steps = [step for step in plan.steps if step.moves and step.node not in same] if plan else []
    moved = {step.node: step.name.identifier for step in steps}
    told = [item for item in findings if item.gate == IMPACT]
    lines: list[ConsumerRow] = []
    for consumer in found.consumers:
        through = tuple(moved[uid] for uid in consumer.parents if uid in moved)
        # It is named by the finding's subject, or by its check, where the subject is what it reads.
        said = tuple(
            item for item in told if item.check == consumer.name or consumer.unique_id in item.subjects
        )
        if through or said:
            lines.append(ConsumerRow(consumer, through, said))
    return tuple(
        sorted(lines, key=lambda one: -max((f.verdict for f in one.findings), default=Verdict.PASSED))
    )


def _changed(found: ReleaseRecord, finding: Finding, reached: Sequence[ConsumerRow]) -> ChangedRelation:
    name = short_name(finding.subject) or finding.check
    told = finding.summary.removeprefix(f"{finding.check}: ").removeprefix(f"{name}: ")
    readers = [one.consumer for one in reached if finding.subject in one.consumer.parents]
    about = " ".join(found.described.get(finding.subject, "").split())
    return ChangedRelation(name, told, finding, tuple(_consumer_label(item) for item in readers), about)


def _consumer_label(item: Consumer) -> str:
    return f"{item.label or item.name} ({item.owner})" if item.owner else item.label or item.name


def _names(plan: Plan | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the public names that come, and those that go."""
    if plan is None:
        return (), ()
    new = (str(step.name) for step in plan.of(Action.BUILD) if step.reason.kind is Because.NEW)
    stays = {item.name for item in plan.old_names}
    return tuple(new), tuple(str(step.name) for step in plan.of(Action.REMOVE) if step.name not in stays)


def _tallies(
    found: ReleaseRecord,
    plan: Plan | None,
    gates: Sequence[GateRow],
    reached: Sequence[ConsumerRow],
    changed: Sequence[ChangedRelation],
    names: tuple[Sequence[str], Sequence[str]],
) -> tuple[Tally, ...]:
    if found.promotion is None or plan is None:
        return ()
    new, gone = names
    asked = [gate for gate in gates if gate.verdict is not None]
    good = sum(gate.verdict is Verdict.PASSED for gate in asked)
    held = any(gate.holds for gate in asked)
    style = Style.BAD if held else Style.GOOD if good == len(asked) else Style.WARN
    made = len(plan.of(Action.BUILD, Action.CARRY))
    touched = len(changed) + len(new) + len(gone)
    return (
        Tally(f"{good} of {len(asked)}", "gates passed", style if asked else Style.PLAIN),
        Tally(str(touched), noun(touched, "relation changes for readers", "relations change for readers")),
        Tally(str(len(reached)), noun(len(reached), "consumer reached", "consumers reached")),
        Tally(str(made), f"built, {len(plan.of(Action.REUSE))} reused"),
    )


def _publish(found: ReleaseRecord) -> str:
    """Return how the generation got into the warehouse, else how it is expected to."""
    for entry in reversed(found.entries):
        facts: Any = entry.facts.get("publish") if entry.event == "generation.written" else None
        if facts:
            times = [timedelta(milliseconds=float(facts[key])) for key in ("lock_ms", "writers_ms")]
            return publish_text(Published(PublishMode(facts["way"]), str(facts["why"]), *times))
    return forecast_text(found.expected) if found.expected else ""
