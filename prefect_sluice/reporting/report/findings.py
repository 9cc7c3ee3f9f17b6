"""The section on findings: those that did not pass with their rows, then gate by gate, with those that passed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect_sluice.domain.verdict import Finding
from prefect_sluice.reporting.report.changes import tables_of
from prefect_sluice.reporting.report.limits import ReportLimits
from prefect_sluice.reporting.report.model import GateRow, Report
from prefect_sluice.reporting.report.once import Once
from prefect_sluice.reporting.report.page_tables import EvidenceRows, Facts, Piece, Shown, Table, evidence
from prefect_sluice.reporting.styled_text import LOOKS
from prefect_sluice.reporting.terminal.findings import caption, counted, skipped_gates_line
from prefect_sluice.reporting.wording import number, seconds


def values(report: Report, once: Once, bounds: ReportLimits) -> dict[str, Any]:
    """Return what the section `findings` shows."""
    compared = {id(one.finding): n for n, one in enumerate(report.changed[: bounds.changed], 1)}
    passed = [
        (_passed(title, left[: bounds.passed]), len(left))
        for title, left in (once.passed(gate) for gate in report.gates)
        if left
    ]
    rows = [_gate(gate, once) for gate in report.gates if gate.verdict is not None]
    header = ("gate", "stage", "verdict", "checks", "time", "what it came to")
    return {
        "findings": [
            _item(n, it, bounds, compared.get(id(it), 0)) for n, it in once.listed[: bounds.findings]
        ],
        "gates": Table(header, rows, "gates", right=(4,)),
        "not_asked": skipped_gates_line(
            (gate.gate, gate.switched_off) for gate in report.gates if gate.verdict is None
        ),
        "passed": passed,
    }


def _item(
    place: int, it: Finding, bounds: ReportLimits, there: int
) -> tuple[int, Finding, Facts, int, Sequence[EvidenceRows]]:
    """Return a finding that did not pass, with its facts and its rows, unless they stand in the diff, `there`."""
    tables = tables_of(it) if place <= bounds.detailed and not there else ()
    facts = (
        ("of", it.subject),
        ("at", it.location),
        ("found", number(it.observed) if it.limit is not None else ""),
        ("limit", number(it.limit)),
        ("about the gate", f"docs/gates/{it.gate}.md"),
    )
    rows = [evidence(sample, caption(it, sample), bounds, label=it.check) for sample in tables]
    return place, it, [fact for fact in facts if fact[1]], there, rows


def _gate(gate: GateRow, once: Once) -> Sequence[Shown]:
    assert gate.verdict is not None
    verdict = Piece("pill", gate.verdict.name, LOOKS[gate.verdict])
    counts, took = counted(gate.counts), seconds(gate.seconds)
    return Piece("strong", gate.gate), gate.stage, verdict, counts, took, once.of_gate(gate)


def _passed(title: str, passed: Sequence[Finding]) -> Table:
    rows = [(it.check, it.subject, it.summary, number(it.observed), number(it.limit)) for it in passed]
    return Table(("check", "of", "what it says", "found", "limit"), rows, title, right=(3, 4))
