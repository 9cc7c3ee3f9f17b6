"""The same pages as Markdown with tables, for Prefect's artifacts, pull requests and job summaries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from prefect_sluice.plan import Plan
from prefect_sluice.promotion import Approval, Promotion
from prefect_sluice.release import Release
from prefect_sluice.render.findings import ROWS, notable
from prefect_sluice.render.plan import headline, moved, summary, word
from prefect_sluice.render.promotion import SAID
from prefect_sluice.render.styled import clean, plain
from prefect_sluice.render.words import count, moment, seconds, short
from prefect_sluice.verdict import Evidence, Finding, GateReport, Verdict

_MARKS = {
    Verdict.PASSED: "✅",
    Verdict.WARNED: "⚠️",
    Verdict.INCONCLUSIVE: "⛔",
    Verdict.ERRORED: "⛔",
    Verdict.FAILED: "❌",
}
_MOST_STEPS = 100
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def plan_markdown(plan: Plan, release: Release | None = None) -> str:
    """Return what is built, carried over, relinked and removed, and why."""
    lines = [f"### {escaped(plain([headline(plan)]).strip())}", ""]
    if release is not None:
        change = release.change
        lines += [f"`{change.short}` {escaped(change.subject)}, by {escaped(change.author)}", ""]
    steps = moved(plan)
    rows = [
        (word(step), str(step.name), step.kind.value, step.reason, step.note) for step in steps[:_MOST_STEPS]
    ]
    lines += _table(("", "relation", "kind", "why", "note"), rows) if rows else []
    lines += [f"and {len(steps) - _MOST_STEPS} more", ""] if len(steps) > _MOST_STEPS else []
    return "\n".join([*lines, f"**{summary(plan)}**", ""])


def reports_markdown(reports: Sequence[GateReport]) -> str:
    """Return a table of gates, then each finding that did not pass, with at most ROWS of its rows."""
    lines = _table(("gate", "verdict", "findings", "time", ""), [_gate(report) for report in reports])
    for finding in notable(reports):
        lines += _finding(finding)
    return "\n".join(lines) + ("" if lines and not lines[-1] else "\n")


def promotion_markdown(
    promotion: Promotion,
    release: Release | None = None,
    *,
    plan: Plan | None = None,
    reports: Sequence[GateReport] = (),
    approvals: Iterable[Approval] = (),
) -> str:
    """Return all that an approver decides on: from where to where, the plan, the findings, and who said what
    so far."""
    base = (
        f"generation {promotion.base}, release `{short(promotion.base_release)}`"
        if promotion.base
        else "nothing served yet"
    )
    told = (
        f": {escaped(release.change.subject)} (`{release.change.short}`, {escaped(release.change.author)})"
        if release
        else ""
    )
    lines = [
        f"## Promotion `{promotion.id}` of {escaped(promotion.environment)}: {promotion.state.value}",
        "",
        f"* from {base}",
        f"* to release `{short(promotion.release)}`{told}",
        f"* {promotion.cause.value}, asked by {escaped(promotion.actor)}, {moment(promotion.created_at)}",
        f"* bound to plan `{short(promotion.plan)}` and evidence `{short(promotion.evidence)}`;"
        f" all of it is `{short(promotion.binding)}`",
        *(_said(item) for item in approvals),
        "",
    ]
    parts = ["\n".join(lines)]
    parts += [plan_markdown(plan)] if plan is not None else []
    parts += [reports_markdown(reports)] if reports else []
    return "\n".join(parts)


def _said(approval: Approval) -> str:
    comment = f": {escaped(approval.comment)}" if approval.comment else ""
    return f"* {SAID[approval.decision]} by {escaped(approval.by)}, {moment(approval.at)}{comment}"


def _gate(report: GateReport) -> tuple[str, ...]:
    if report.not_applicable:
        return report.gate, "-", "", "", report.not_applicable
    first = report.findings[0].summary if len(report.findings) == 1 else ""
    return (
        report.gate,
        f"{_MARKS[report.verdict]} {report.verdict.name}",
        str(len(report.findings)),
        seconds(report.seconds),
        first,
    )


def _finding(finding: Finding) -> list[str]:
    where = " · ".join(part for part in (finding.subject, finding.location) if part)
    head = f"{_MARKS[finding.verdict]} **{escaped(finding.gate)}** {escaped(finding.check)}: "
    lines = [head + escaped(finding.summary) + (f" ({escaped(where)})" if where else ""), ""]
    return lines + (_evidence(finding.evidence) if finding.evidence else [])


def _evidence(evidence: Evidence) -> list[str]:
    rows = [tuple("NULL" if value is None else value for value in row) for row in evidence.rows[:ROWS]]
    lines = _table(evidence.columns, rows)
    return lines + (
        [f"{len(rows)} of {count(evidence.total, 'row')}", ""] if len(rows) < evidence.total else []
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def row(cells: Sequence[str]) -> str:
        return f"| {' | '.join(escaped(cell) for cell in cells)} |"

    return [row(header), f"|{'---|' * len(header)}", *(row(each) for each in rows), ""]


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line: no link, no markup, no HTML."""
    return _SPECIAL.sub(r"\\\1", clean(text)).replace("\\_", "_")
