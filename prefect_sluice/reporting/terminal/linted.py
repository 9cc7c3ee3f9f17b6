"""What `sluice lint` says: what was mended, a line per finding, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.verdict import Finding, GateReport
from prefect_sluice.gates.lint.working_tree import ChosenFiles, FixedFile
from prefect_sluice.reporting import json_documents as documents
from prefect_sluice.reporting.styled_text import BLANK, Line, faint, line, strong
from prefect_sluice.reporting.table import Cell, table
from prefect_sluice.reporting.terminal.findings import notable, verdict
from prefect_sluice.reporting.wording import count


def lint_lines(
    picked: ChosenFiles, report: GateReport, mended: Sequence[FixedFile], *, root: Path, width: int
) -> list[Line]:
    """Return the page; a finding has one line, however long: an editor reads them, too."""
    lines = [one for item in mended for one in _mended(item, root)]
    if report.not_applicable:
        return [*lines, line(report.not_applicable, faint(f" ({picked.why})"))]
    found = sorted(notable([report]), key=lambda item: _place(item.location))
    rows = table([_row(item) for item in found], widest=10 * width, width=100 * width)
    looked_at = {item.location.partition(":")[0] for item in report.findings}
    bad = {item.location.partition(":")[0] for item in found}
    told = f"{count(len(looked_at), 'file')}, {len(looked_at - bad)} clean, {count(len(found), 'finding')}"
    between = [BLANK] if found and lines else []
    return [
        *lines,
        *between,
        *rows,
        *([BLANK] if found else []),
        line(strong(told), faint(f" ({picked.why})")),
    ]


def _row(item: Finding) -> tuple[Cell, ...]:
    return verdict(item.verdict), item.location, item.check, item.summary


def _place(location: str) -> tuple[str, int]:
    file, _, number = location.partition(":")
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
