"""The lines of `sluice lint`: files that were mended, a line per finding, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.verdict import INHERITED, Finding, GateReport, Verdict
from prefect_sluice.gates.lint.working_tree import ChosenFiles, FixedFile
from prefect_sluice.reporting import json_documents as documents
from prefect_sluice.reporting.styled_text import BLANK, Line, faint, line, strong
from prefect_sluice.reporting.table import Cell, table
from prefect_sluice.reporting.terminal.findings import verdict


def lint_lines(
    picked: ChosenFiles, report: GateReport, mended: Sequence[FixedFile], *, root: Path, width: int
) -> list[Line]:
    """Return the page; a finding has one line, however long: an editor reads them, too."""
    lines = [one for file in mended for one in _mended(file, root)]
    if report.not_applicable:
        return [*lines, line(report.not_applicable, faint(f" ({picked.why})"))]
    old = next((finding for finding in report.findings if finding.check == INHERITED), None)
    counted = [finding for finding in report.findings if finding is not old]
    failing = sorted((finding for finding in counted if finding.verdict is not Verdict.PASSED), key=_place)
    rows = table([_row(finding) for finding in failing], widest=10 * width, width=100 * width)
    between = [BLANK] if failing and lines else []
    return [
        *lines,
        *between,
        *rows,
        *([BLANK] if failing else []),
        line(strong(_counted(counted, failing, old)), faint(f" ({picked.why})")),
        *([line(f"old: {old.summary}", faint("; one by one: sluice lint --all"))] if old else []),
    ]


def _counted(counted: Sequence[Finding], failing: Sequence[Finding], old: Finding | None) -> str:
    """Return how many files were looked at, how many of them are clean, and how many findings count."""
    looked_at, bad = {_file(finding) for finding in counted}, {_file(finding) for finding in failing}
    before = {str(row[0]) for row in old.evidence.rows} if old and old.evidence else set[str]()
    more = old.evidence.total - len(before) if old and old.evidence else 0
    files = len((looked_at | before) - {""}) + more
    return f"{count(files, 'file')}, {len(looked_at - bad - before)} clean, {count(len(failing), 'finding')}"


def _row(finding: Finding) -> tuple[Cell, ...]:
    return verdict(finding.verdict), finding.location, finding.check, finding.summary


def _file(finding: Finding) -> str:
    return finding.location.partition(":")[0]


def _place(finding: Finding) -> tuple[str, int]:
    file, _, number = finding.location.partition(":")
    return file, int(number) if number.isdecimal() else 0


def _mended(file: FixedFile, root: Path) -> list[Line]:
    if file.kept is None:
        return [line(f"left as it is: {file.file}", faint(f" ({file.why})"))]
    return [line(f"mended: {file.file}", faint(f" (as it was: {_below(file.kept, root)})"))]


def _below(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def document(
    picked: ChosenFiles, report: GateReport, mended: Sequence[FixedFile], exit_code: int, *, root: Path
) -> Json:
    """Return the same as one document."""
    (gate_report,) = documents.reports([report])
    return {
        "files": [str(file) for file in picked.files],
        "why": picked.why,
        "mended": [
            {
                "file": str(file.file),
                "kept": _below(file.kept, root) if file.kept else None,
                "left_because": file.why or None,
            }
            for file in mended
        ],
        "report": gate_report,
        "exit_code": exit_code,
    }
