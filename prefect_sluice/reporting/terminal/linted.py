"""What `sluice lint` says: what was mended, a line per finding, and how many."""

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
    lines = [one for item in mended for one in _mended(item, root)]
    if report.not_applicable:
        return [*lines, line(report.not_applicable, faint(f" ({picked.why})"))]
    old = next((item for item in report.findings if item.check == INHERITED), None)
    told = [item for item in report.findings if item is not old]
    found = sorted((item for item in told if item.verdict is not Verdict.PASSED), key=_place)
    rows = table([_row(item) for item in found], widest=10 * width, width=100 * width)
    between = [BLANK] if found and lines else []
    return [
        *lines,
        *between,
        *rows,
        *([BLANK] if found else []),
        line(strong(_counted(told, found, old)), faint(f" ({picked.why})")),
        *([line(f"old: {old.summary}", faint("; one by one: sluice lint --all"))] if old else []),
    ]


def _counted(told: Sequence[Finding], found: Sequence[Finding], old: Finding | None) -> str:
    """Return how many files were looked at, how many of them have nothing at all, and how many findings count."""
    looked_at, bad = {_file(item) for item in told}, {_file(item) for item in found}
    before = {str(row[0]) for row in old.evidence.rows} if old and old.evidence else set[str]()
    more = old.evidence.total - len(before) if old and old.evidence else 0
    files = len((looked_at | before) - {""}) + more
    return f"{count(files, 'file')}, {len(looked_at - bad - before)} clean, {count(len(found), 'finding')}"


def _row(item: Finding) -> tuple[Cell, ...]:
    return verdict(item.verdict), item.location, item.check, item.summary


def _file(item: Finding) -> str:
    return item.location.partition(":")[0]


def _place(item: Finding) -> tuple[str, int]:
    file, _, number = item.location.partition(":")
    return file, int(number) if number.isdecimal() else 0


def _mended(item: FixedFile, root: Path) -> list[Line]:
    if item.kept is None:
        return [line(f"left as it is: {item.file}", faint(f" ({item.why})"))]
    return [line(f"mended: {item.file}", faint(f" (as it was: {_below(item.kept, root)})"))]


def _below(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def document(
    picked: ChosenFiles, report: GateReport, mended: Sequence[FixedFile], exit_code: int, *, root: Path
) -> Json:
    """Return the same as one document."""
    (told,) = documents.reports([report])
    return {
        "files": [str(file) for file in picked.files],
        "why": picked.why,
        "mended": [
            {
                "file": str(item.file),
                "kept": _below(item.kept, root) if item.kept else None,
                "left_because": item.why or None,
            }
            for item in mended
        ],
        "report": told,
        "exit_code": exit_code,
    }
