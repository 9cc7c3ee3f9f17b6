"""What the gates found: what did not pass with its rows, then gate by gate, with what passed folded away."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.domain.verdict import Finding
from prefect_sluice.reporting.report import once
from prefect_sluice.reporting.report.limits import ReportLimits, few
from prefect_sluice.reporting.report.markup import Child, Markup, joined, tag
from prefect_sluice.reporting.report.model import GateRow, Report
from prefect_sluice.reporting.report.parts import LOOKS, more, section, verdict
from prefect_sluice.reporting.report.tables import evidence, table
from prefect_sluice.reporting.terminal.findings import caption, counted, not_asked
from prefect_sluice.reporting.wording import count, number, seconds


def findings(report: Report, bounds: ReportLimits) -> Markup:
    """Return every finding that did not pass, the worst first; then each gate, with what passed folded away."""
    listed = once.listed(report)
    shown, rest = few(listed, bounds.findings)
    counted = f"{count(len(listed), 'finding')} to look at, the worst first." if shown else ""
    return section(
        "findings",
        "What the gates found",
        tag("p", counted or "Nothing was found that needs a look.", class_="calm"),
        *(_finding(report, item, bounds, n) for n, item in shown),
        more(rest, "finding"),
        tag("h3", "Gate by gate"),
        table(
            ("gate", "stage", "verdict", "checks", "time", "what it came to"),
            [_gate(report, gate) for gate in report.gates if gate.verdict is not None],
            label="gates",
            right=(4,),
        )
        if any(gate.verdict is not None for gate in report.gates)
        else tag("p", "No gate was asked.", class_="calm"),
        _left(report),
        _all_passed(report, bounds),
    )


def _finding(report: Report, item: Finding, bounds: ReportLimits, place: int) -> Markup:
    compared = next(
        (n for n, one in enumerate(report.changed[: bounds.changed], 1) if one.finding is item), 0
    )
    tables = (
        [each for each in (item.evidence, *item.more) if each is not None] if place <= bounds.detailed else []
    )
    if compared:
        rows: list[Child] = [tag("p", tag("a", "See its rows in the diff", href=f"#diff-{compared}"))]
    else:
        rows = [evidence(each, caption(item, each), bounds, label=item.check) for each in tables]
    facts = [
        tag("div", tag("dt", name), tag("dd", value))
        for name, value in (
            ("of", item.subject),
            ("at", item.location),
            ("found", number(item.observed) if item.limit is not None else ""),
            ("limit", number(item.limit)),
            ("about the gate", f"docs/gates/{item.gate}.md"),
        )
        if value
    ]
    return tag(
        "article",
        tag("h3", verdict(item.verdict), " ", tag("span", item.gate, class_="gate"), " ", item.check),
        tag("p", said, class_="summary") if (said := once.of_finding(report, item)) else None,
        tag("dl", *facts, class_="facts") if facts else None,
        tag("p", tag("strong", "What to do: "), fix, class_="fix")
        if (fix := once.fix_of(report, item))
        else None,
        *rows,
        class_=f"finding {LOOKS[item.verdict].value}",
        id=f"finding-{place}",
    )


def _left(report: Report) -> Markup | None:
    """Return the gates that were not asked in one line, and why below it, folded away."""
    left = [gate for gate in report.gates if gate.verdict is None]
    told = not_asked((gate.gate, gate.told) for gate in left)
    reasons = (tag("li", tag("strong", gate.gate), f": {gate.told}") for gate in left)
    return tag("details", tag("summary", told), tag("ul", *reasons)) if told else None


def _gate(report: Report, gate: GateRow) -> Sequence[Child]:
    assert gate.verdict is not None
    counts = counted(gate.counts)
    told = once.of_gate(report, gate)
    return (tag("strong", gate.gate), gate.stage, verdict(gate.verdict), counts, seconds(gate.seconds), told)


def _all_passed(report: Report, bounds: ReportLimits) -> Markup | None:
    known = [found for gate in report.gates if (found := once.passed(report, gate))[1]]
    many = sum(len(passed) for _, passed in known)
    parts = (_passed(title, passed, bounds) for title, passed in known)
    return (
        tag("details", tag("summary", f"{count(many, 'check')} that passed, one by one"), *parts)
        if many
        else None
    )


def _passed(title: str, passed: Sequence[Finding], bounds: ReportLimits) -> Markup:
    shown, rest = few(passed, bounds.passed)
    rows = [
        (item.check, item.subject, item.summary, number(item.observed), number(item.limit)) for item in shown
    ]
    header = ("check", "of", "what it says", "found", "limit")
    return joined(
        tag("h4", title),
        table(header, rows, label=title, right=(3, 4)) if rows else None,
        more(rest, "finding"),
    )
