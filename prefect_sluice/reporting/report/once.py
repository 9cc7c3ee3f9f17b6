"""The place of each sentence: once on a page, where people look for it. Pure.

What stopped it, and what changes in the relations that matter most, is said first, among the points, and what to do beside
them; what changes in others in the table of changes; what changes for a consumer with that consumer. The findings, the gates and
the diff below have the numbers and the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.planning.impact import title
from prefect_sluice.reporting.report.model import ChangedRelation, ConsumerRow, GateRow, Report


class Once:
    """The places of a report's sentences. Findings are looked at once, however many are asked about; made anew for each page."""

    def __init__(self, report: Report) -> None:
        """Look at all findings of a report."""
        changed = [one.finding for one in report.changed]
        self._changed = {id(finding) for finding in changed}
        # One that was too long for there is told in full below.
        self._in_points = {id(it.finding) for it in report.points if it.finding and it.whole}
        reached = (finding for one in report.reached for finding in one.findings)
        self._told = self._changed | {id(finding) for finding in (*report.noted, *reached)}
        self._fixes = {one.finding.fix for one in report.head.advice if one.finding}
        with_relation = {
            id(finding) for finding in changed if finding.verdict.lets_through and not finding.fix
        }
        self.place = {id(finding): n for n, finding in enumerate(report.findings, 1)}
        """Each finding's number in the list of findings, by `id`."""
        self.listed = [(self.place[id(it)], it) for it in report.findings if id(it) not in with_relation]
        """The findings to list with their places, without the warnings that are told with the relation that changes."""
        self.relations: Sequence[tuple[int, ChangedRelation]] = [
            (n, one) for n, one in enumerate(report.changed, 1) if id(one.finding) not in self._in_points
        ]
        """The relations of which the points do not say what changes, each with its place in the diff."""

    def of_finding(self, finding: Finding) -> str:
        """Return the sentence of a finding below its heading, "" where it stands above."""
        above = id(finding) in self._in_points or id(finding) in self._changed
        return "" if above else finding.told_below(finding.check)

    def fix_of(self, finding: Finding) -> str:
        """Return what to do about a finding, "" where it stands in the advice."""
        return "" if finding.fix in self._fixes else finding.fix

    def of_gate(self, gate: GateRow) -> str:
        """Return the sentence of a gate, "" where it stands elsewhere."""
        if gate.only_warns and gate.verdict is not None and not gate.verdict.lets_through:
            return "a no here only warns"
        return "" if any(id(finding) in self._told for finding in gate.passed) else gate.told

    def passed(self, gate: GateRow) -> tuple[str, Sequence[Finding]]:
        """Return what passed in a gate and is said nowhere else, under its title."""
        left = [it for it in gate.passed if id(it) not in self._told and it.summary != gate.told]
        return f"{gate.gate}: {len(left)}{'' if len(left) == len(gate.passed) else ' more'} passed", left


def of_consumer(one: ConsumerRow, finding: Finding, *, alone: bool = False) -> str:
    """Return what changes for a consumer, without its name; "" for what stands with the findings, unless the page is `alone`
    and has none."""
    sentence = finding.told_below(title(one.consumer))
    return sentence if alone or finding.verdict is Verdict.PASSED else ""
