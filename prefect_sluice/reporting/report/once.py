"""Where each sentence stands: once on a page, where people look for it. Pure.

What stopped it, and what changes in the relations that matter most, is said first, among the points, and what to do beside
them; what changes in others in the table of changes; what changes for a consumer with that consumer. The findings, the gates and
the diff below have the numbers and the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.planning.impact import title
from prefect_sluice.reporting.report.model import ChangedRelation, ConsumerRow, GateRow, Report


def of_finding(report: Report, item: Finding) -> str:
    """Return the sentence of a finding below its heading, "" where it stands above."""
    if id(item) in _in_points(report) or any(one.finding is item for one in report.changed):
        return ""
    return item.summary.removeprefix(f"{item.check}: ")


def listed(report: Report) -> Sequence[tuple[int, Finding]]:
    """Return the findings to list with their places, without the warnings that are told with the relation that changes."""
    told = {
        id(one.finding) for one in report.changed if one.finding.verdict.lets_through and not one.finding.fix
    }
    return [(n, item) for n, item in enumerate(report.findings, 1) if id(item) not in told]


def fix_of(report: Report, item: Finding) -> str:
    """Return what to do about a finding, "" where it stands in the advice."""
    return "" if any(one.finding and one.finding.fix == item.fix for one in report.head.advice) else item.fix


def relations(report: Report) -> Sequence[tuple[int, ChangedRelation]]:
    """Return the relations of which the points do not say what changes, each with its place in the diff."""
    above = _in_points(report)
    return [(n, one) for n, one in enumerate(report.changed, 1) if id(one.finding) not in above]


def of_consumer(one: ConsumerRow, item: Finding) -> str:
    """Return what changes for a consumer, without its name; "" for what stands with the findings."""
    return item.summary.removeprefix(f"{title(one.consumer)}: ") if item.verdict is Verdict.PASSED else ""


def of_gate(report: Report, gate: GateRow) -> str:
    """Return what a gate came to in words, "" where they stand elsewhere."""
    if gate.only_warns and gate.verdict is not None and not gate.verdict.lets_through:
        return "a no here only warns"
    return "" if {id(item) for item in gate.passed} & _told(report) else gate.told


def passed(report: Report, gate: GateRow) -> tuple[str, Sequence[Finding]]:
    """Return what passed in a gate and is said nowhere else, under its title."""
    told = _told(report)
    left = [item for item in gate.passed if id(item) not in told and item.summary != gate.told]
    return f"{gate.gate}: {len(left)}{'' if len(left) == len(gate.passed) else ' more'} passed", left


def _told(report: Report) -> set[int]:
    """Return the findings that are told with the relation, or the consumer, that they are about."""
    related = (*(one.finding for one in report.changed), *report.noted)
    return {id(item) for item in related} | {id(item) for one in report.reached for item in one.findings}


def _in_points(report: Report) -> set[int]:
    # One that was too long for there is told in full below.
    return {id(point.finding) for point in report.points if point.finding and "…" not in point.text}
