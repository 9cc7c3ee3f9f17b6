"""Remedies: what helps against a finding that holds a release. Each finding carries one, and a refusal names it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.node import short_name
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict, WayPast

_MEND = {
    "build": "mend {at}: dbt could not run it",
    "stage": "mend {at}: what dbt cannot run cannot be served",
    "data_tests": "mend what makes these rows, or the test {at}",
    "unit_tests": "mend the model, or the unit test {at}",
    "project_tests": "mend it, and try it here: pytest {subject}",
    "contracts": "mend what makes these rows, or the contract {at}",
    "promises": "mend {at}, or go back to what was promised",
    "diff": "see by hand why it cannot be compared: sluice diff",
    "budget": "see why {subject} cannot be read",
}
"""By gate: what helps where its finding says nothing of its own."""
_MEND_CHECK = {
    ("build", "hook"): "mend the hook {subject}",
    ("secrets", "baseline"): "write it anew: detect-secrets scan > .secrets.baseline",
    ("unit_tests", "all ran"): "mend what dbt said of those that ran; the others come with them",
    ("data_tests", "rows"): "see why it cannot be read, then release again",
}
"""By gate and check: what helps where that of its gate does not."""
_NAMES_A_WAY = {
    ("parity", ""): "make the two environments the same, or say why they differ: gates.parity.except",
    ("lint", "PRS parsing"): (
        "mend the SQL; if DuckDB reads it and sqlfluff cannot, name {at} in .sqlfluffignore: the gate leaves it out"
    ),
    ("lint", "LXR lexing"): "mend the SQL, or name {at} in .sqlfluffignore: the gate leaves it out",
    ("project_tests", "pytest"): (
        "mend what pytest says of itself above; it runs with: gates.project_tests.args"
    ),
}
"""By gate and check ("" is any other): what helps and names the way past the gate."""
_HAS_LINES = {
    ("project_tests", "passed"): (
        "let at least one test run and pass, or switch it off: gates: {{project_tests: {{on: off}}}}"
    ),
    ("project_tests", "skipped"): (
        "let at least one test run, or switch it off: gates: {{project_tests: {{on: off}}}}"
    ),
}
"""By gate and check: what helps and has the lines that let it pass."""
_BROKE = "run it again; if it stays, let it only warn: gates: {{{gate}: {{on: warn}}}}"
_FIRST = "mend what it reads first, then it comes along"
_BY_ITSELF = ", released first, by itself: the policy that serves is what judges"
WEEKS = timedelta(weeks=2)
"""How long an exception that is proposed lasts."""
_NEVER_PASSES = frozenset({("build", "built"), ("stage", "servable")})
"""What no setting lets pass: what was not built has no relation that could be served."""
OR_ELSE = "if it is right as it is, in sluice.yml: "
"""Before the lines that let a finding pass."""
_GLOB = re.compile(r"([*?\[])")
_PLAIN = re.compile(r"(?!(?:true|false|null)$)[A-Za-z_](?:[\w./ -]*[\w./-])?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What helps against a refusal: what mends its worst finding, and the lines of sluice.yml that let it pass where it is right
    as it is ("" where nothing does, or where that is said already)."""

    mend: str = ""
    passing: str = ""


def advice(mend: str, passing: str) -> str:
    """Return what helps in one line. Pure."""
    return f"{mend}; or, {OR_ELSE}{passing}" if passing else mend


def remedied(report: GateReport) -> GateReport:
    """Return a report in which each finding that holds a release says what helps. Pure."""
    if all(item.verdict.lets_through or item.fix for item in report.findings):
        return report
    return replace(report, findings=tuple(_with_remedy(item) for item in report.findings))


def helps(bad: Collection[Finding], today: date, *, later: bool = False) -> Remedy:
    """Return what helps against a refusal, by its worst finding.

    `today` is of UTC; `later`: what sluice.yml says of gates counts once it is released. Empty where there is no finding. Pure.
    """
    worst = max(bad, key=lambda finding: finding.verdict, default=None)
    if worst is None:
        return Remedy()
    told, by_itself = _with_remedy(worst), _BY_ITSELF if later else ""
    if told.way_past is WayPast.LINES:
        return Remedy(told.fix + by_itself)
    if told.way_past is WayPast.NAMED or (worst.gate, worst.check) in _NEVER_PASSES:
        return Remedy(told.fix)
    return Remedy(told.fix, passing(worst, today + WEEKS) + by_itself)


def passing(finding: Finding, until: date) -> str:
    """Return the lines of sluice.yml, on one, that let a finding pass up to a last day (UTC). Pure."""
    node = _node(finding)
    if not node:
        return f"gates: {{{finding.gate}: {{on: warn}}}}"
    said = f"node: {quoted(node)}, check: {quoted(finding.check)}, reason: …, until: {until}"
    return f"gates: {{{finding.gate}: {{except: [{{{said}}}]}}}}"


def by_gate(bad: Iterable[Finding]) -> str:
    """Return how many findings of which gates there are, in words. Pure."""
    found = list(bad)
    return f"{count(len(found), 'finding')} of {', '.join(sorted({finding.gate for finding in found}))}"


def _with_remedy(finding: Finding) -> Finding:
    if finding.verdict.lets_through or finding.fix:
        return finding
    text, way_past = _usual(finding)
    at = finding.location or short_name(finding.subject) or finding.subject or "it"
    subject = short_name(finding.subject) or finding.subject
    fix = text.format(at=at, subject=subject or at, gate=finding.gate)
    return replace(finding, fix=fix, way_past=way_past)


def _usual(finding: Finding) -> tuple[str, WayPast]:
    """Return what helps against a finding that says nothing of its own, and whether that names a way past the gate."""
    key = (finding.gate, finding.check)
    if key in _HAS_LINES:
        return _HAS_LINES[key], WayPast.LINES
    if key in _NAMES_A_WAY:
        return _NAMES_A_WAY[key], WayPast.NAMED
    if key in _MEND_CHECK:
        return _MEND_CHECK[key], WayPast.UNSAID
    if finding.check == "gate" or (finding.verdict is Verdict.ERRORED and not _node(finding)):
        return _BROKE, WayPast.LINES
    if finding.verdict is Verdict.INCONCLUSIVE and finding.gate in {"build", "data_tests"}:
        return _FIRST, WayPast.UNSAID
    if (any_check := (finding.gate, "")) in _NAMES_A_WAY:
        return _NAMES_A_WAY[any_check], WayPast.NAMED
    return _MEND.get(finding.gate, "mend {at}"), WayPast.UNSAID


def _node(finding: Finding) -> str:
    """Return the name that an exception knows a finding by: its one node, else its file; "" if it is about neither."""
    if len(finding.subjects) != 1:
        return finding.location.partition(":")[0]
    [subject] = finding.subjects
    return short_name(subject) or subject


def quoted(text: str) -> str:
    """Return a name as an exception has it: * ? and [ stand for themselves, in YAML's quotes where it needs some."""
    text = _GLOB.sub(r"[\1]", text)
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "''") + "'"
