"""What the gates found: a table of verdicts, then each finding that matters with the rows that show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from prefect_sluice.diff.values import CHANGE, ROWS_THAT_COME, ROWS_THAT_GO, with_change
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.verdict import INHERITED, Evidence, Finding, GateReport, Likeness, Verdict
from prefect_sluice.reporting.styled_text import BLANK, LOOKS, Line, Span, Style, faint, line, strong, wrapped
from prefect_sluice.reporting.table import WIDTH, Cell, fits, table
from prefect_sluice.reporting.wording import number, seconds

ROWS = 10
"""How many rows of a finding are shown."""

DIFF = "diff"
_MOST_WITH_ROWS = 3
_MOST_FINDINGS = 20
_WIDEST_CELL = 28
CHANGES = ("relation", "column", "change")
"""The columns of what the gate `impact` tells: the last one is in words."""


def gates_table(
    reports: Sequence[GateReport], *, warns: Collection[str] = (), width: int = WIDTH
) -> list[Line]:
    """Return one line per gate: verdict, findings, seconds. `warns` are gates whose no is only a warning."""
    if not reports:
        return []
    applicable = [report for report in reports if not report.not_applicable]
    rows: list[Sequence[Cell]] = [_gate(report, report.gate in warns) for report in applicable]
    lines = table(
        rows,
        header=("gate", "verdict", "checks", "time", "") if rows else (),
        right=(3,),
        indent=2,
        width=width,
        stretch=True,
    )
    left = [report for report in reports if report.not_applicable]
    skipped = skipped_gates_line((report.gate, report.switched_off) for report in left)
    return lines + (wrapped(skipped, width, style=Style.FAINT) if skipped else [])


def skipped_gates_line(gates: Iterable[tuple[str, bool]]) -> str:
    """Return the gates that could not be asked in one line, and those that somebody switched off; "" for none. `gates` are those
    that were not asked, each with whether it is switched off."""
    left = list(gates)
    off = [gate for gate, is_off in left if is_off]
    others = [gate for gate, is_off in left if not is_off]
    not_asked = [f"not asked: {', '.join(others)}"] if others else []
    return "; ".join([*not_asked, f"switched off: {', '.join(off)}"] if off else not_asked)


def _gate(report: GateReport, only_warns: bool) -> tuple[Cell, ...]:
    text = "a no here only warns" if only_warns and not report.verdict.lets_through else headline(report)
    return (
        report.gate,
        verdict(report.verdict),
        counted(Counter(finding.verdict for finding in report.findings)),
        seconds(report.seconds),
        faint(text),
    )


def counted(findings: Mapping[Verdict, int]) -> str:
    """Return `2 failed, 38 passed`, the worst first."""
    return ", ".join(f"{many} {level.name.lower()}" for level, many in sorted(findings.items(), reverse=True))


def headline(report: GateReport) -> str:
    """Return what a gate says in words where it is said nowhere else: its only finding, if it passed. What did not, and what
    changes in a relation, stands below."""
    only = report.findings[0] if len(report.findings) == 1 and report.gate != DIFF else None
    return only.summary if only and only.verdict is Verdict.PASSED else ""


def verdict(value: Verdict) -> Span:
    """Return a verdict in its style."""
    return Span(value.name, LOOKS[value])


def notable(reports: Iterable[GateReport]) -> tuple[Finding, ...]:
    """Return the findings that did not pass, the worst first."""
    findings = [
        finding for report in reports for finding in report.findings if finding.verdict is not Verdict.PASSED
    ]
    return tuple(sorted(findings, key=lambda finding: -finding.verdict))


def findings_lines(
    findings: Sequence[Finding], *, rows: int = ROWS, width: int = WIDTH, next: str = ""
) -> list[Line]:
    """Return each finding with its rows, at most `rows` of each. `next` is said below them: what to do is not said twice."""
    lines: list[Line] = []
    for finding in findings[:_MOST_FINDINGS]:
        lines += [*([BLANK] if lines else []), *finding_lines(finding, rows=rows, width=width, next=next)]
    if len(findings) > _MOST_FINDINGS:
        lines.append(
            line(faint(f"and {count(len(findings) - _MOST_FINDINGS, 'more finding')} (all of them: --json)"))
        )
    return lines


def finding_lines(finding: Finding, *, rows: int = ROWS, width: int = WIDTH, next: str = "") -> list[Line]:
    """Return one finding: verdict, gate and check; what it says; where; what to do; the rows."""
    if finding.check == INHERITED:
        return [line(verdict(finding.verdict), " ", strong(finding.gate), f": {finding.summary}")]
    lines = [line(verdict(finding.verdict), " ", strong(finding.gate), f" {finding.check}")]
    lines += wrapped(finding.summary, width)
    about = [
        text
        for text in (finding.subject, finding.location, _numbers(finding))
        if text and text != finding.summary
    ]
    if about:
        lines += wrapped(" · ".join(dict.fromkeys(about)), width, style=Style.FAINT)
    lines += wrapped(f"what to do: {finding.fix}", width) if finding.fix not in ("", next) else []
    return lines + (evidence_lines(finding.evidence, rows=rows, width=width) if finding.evidence else [])


def _numbers(finding: Finding) -> str:
    if finding.observed is None or finding.limit is None:
        return ""
    return f"{number(finding.observed)} against {number(finding.limit)}"


def evidence_lines(evidence: Evidence, *, rows: int = ROWS, width: int = WIDTH) -> list[Line]:
    """Return the rows as a table; where there are more, how many of how many are shown. By how much a number changed stands
    below its row where there is no room beside it."""
    evidence = with_change(evidence)
    shown: list[Sequence[Cell]] = [tuple(_value(value) for value in row) for row in evidence.rows[:rows]]
    # A single column is text (a test's output, an error): it has the whole line.
    widest = _WIDEST_CELL if len(evidence.columns) > 1 else width - 4
    header, below = evidence.columns, list[list[Line]]()
    last_is_change = header[-3:] == ("before", "after", CHANGE)
    if last_is_change and not fits(shown, header, indent=4, widest=widest, width=width):
        below = [[line(faint(f"{CHANGE} "), row[-1], indent=6)] if row[-1] else [] for row in shown]
        header, shown = header[:-1], [row[:-1] for row in shown]
    last_is_words = evidence.columns == CHANGES
    lines = table(
        shown, header=header, indent=4, widest=widest, width=width, stretch=last_is_words, below=below
    )
    if len(shown) < evidence.total:
        lines.append(line(faint(f"{len(shown)} of {count(evidence.total, 'row')}"), indent=4))
    return lines


def _value(value: str | None) -> Cell:
    return faint("NULL") if value is None else value


def changes(reports: Iterable[GateReport]) -> tuple[Finding, ...]:
    """Return what the diff found to have changed for readers; relations that stay the same are left out."""
    findings = [finding for report in reports if report.gate == DIFF for finding in report.findings]
    return tuple(finding for finding in findings if not is_same(finding))


def noted(reports: Iterable[GateReport]) -> tuple[Finding, ...]:
    """Return the relations that stay the same, and of which the diff says more: last digits of floats that differ."""
    findings = [finding for report in reports if report.gate == DIFF for finding in report.findings]
    return tuple(finding for finding in findings if is_same(finding) and finding.likeness is Likeness.CLOSE)


def is_same(finding: Finding) -> bool:
    """Say whether the diff found a relation to be the same as what is served."""
    # An added column changes no row, and is a change all the same: only the diff's own word counts.
    return finding.verdict is Verdict.PASSED and finding.likeness is not Likeness.UNSAID


def changes_lines(
    reports: Sequence[GateReport], *, rows: int = 5, width: int = WIDTH, next: str = ""
) -> list[Line]:
    """Return what changes in the rows that people read, relation by relation; rows only where a few relations change."""
    same = [finding for report in reports if report.gate == DIFF for finding in report.findings]
    changed = changes(reports)
    lines: list[Line] = []
    for finding in changed[:_MOST_FINDINGS]:
        lines += wrapped(finding.summary, width)
        if finding.fix not in ("", next) and not finding.verdict.lets_through:
            lines += wrapped(f"what to do: {finding.fix}", width)
        if finding.evidence is not None and len(changed) <= _MOST_WITH_ROWS:
            lines += [
                *_which_rows(finding, finding.evidence),
                *evidence_lines(finding.evidence, rows=rows, width=width),
                *_further_rows(finding, rows, width),
            ]
    if len(changed) > _MOST_FINDINGS:
        lines.append(line(faint(f"and {count(len(changed) - _MOST_FINDINGS, 'more relation')}"), indent=2))
    if len(same) > len(changed):
        same_rows = f"{count(len(same) - len(changed), 'relation')} rebuilt with the same rows as before"
        lines.append(line(faint(same_rows), indent=2))
    for finding in noted(reports)[:_MOST_FINDINGS]:
        lines += wrapped(finding.summary, width, indent=4, style=Style.FAINT)
    return lines


def _further_rows(finding: Finding, rows: int, width: int) -> list[Line]:
    """Return the rows that come where those that go are shown above, and both where values that changed are."""
    lines: list[Line] = []
    for sample in finding.more:
        if sample.title in {ROWS_THAT_GO, ROWS_THAT_COME}:
            lines += [
                line(faint(f"{sample.title}:"), indent=4),
                *evidence_lines(sample, rows=rows, width=width),
            ]
    return lines


def _which_rows(finding: Finding, evidence: Evidence) -> list[Line]:
    title = caption(finding, evidence)
    return [line(faint(f"{title}:"), indent=4)] if title else []


def caption(finding: Finding, evidence: Evidence) -> str:
    """Return what the rows of a finding are, where neither they nor their columns say it themselves."""
    # The diff shows changed values if there are any, else rows that go, else rows that come.
    if evidence.title or finding.gate != DIFF or evidence.columns[-3:] == ("column", "before", "after"):
        return evidence.title
    counted = {row[0]: row[1] for table in finding.more if table.title == "rows" for row in table.rows}
    return ROWS_THAT_COME if counted.get("removed") == "0" else ROWS_THAT_GO
