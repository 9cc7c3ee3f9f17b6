"""Checks of commits: what each came to, one a line, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prefect_sluice.domain.digests import Json
from prefect_sluice.reporting.branch_check import BranchCheck
from prefect_sluice.reporting.styled_text import Line, Span, Style, faint, line
from prefect_sluice.reporting.table import WIDTH, table
from prefect_sluice.reporting.wording import ago, moment, seconds, short
from prefect_sluice.state.records import CheckResult

_HEADER = ("commit", "branch", "environment", "verdict", "findings", "when (UTC)", "took", "report")


def checks_lines(results: Sequence[CheckResult], *, width: int = WIDTH) -> list[Line]:
    """Return a table of checks; a line that says how to make one where there is none."""
    if not results:
        return [line("no commit was checked yet: sluice check")]
    return table([_row(result) for result in results], header=_HEADER, right={4, 6}, width=width)


def _row(result: CheckResult) -> tuple[str | Span, ...]:
    return (
        short(result.commit),
        result.ref,
        result.environment,
        Span(result.word, _style(result)),
        str(result.findings) if result.promotion else "",
        moment(result.at).removesuffix(" UTC"),
        seconds(result.took.total_seconds()) if result.took is not None else "",
        result.promotion,
    )


def _style(result: CheckResult) -> Style:
    if result.ended is None:
        return Style.WARN
    return Style.GOOD if result.let_through else Style.BAD


def checked_line(result: CheckResult, now: datetime) -> Line:
    """Return what a check found of the commit of a plan: `checked: 5732e66 passed, 3 h ago`."""
    return line(
        "checked: ",
        short(result.commit),
        " ",
        Span(result.word, _style(result)),
        faint(f", {ago(result.at, now)}"),
    )


def branch_line(check: BranchCheck, now: datetime) -> Line:
    """Return what a check found of a commit that a merge brings, and whether the merge has the files that it looked at."""
    files = (
        "the merge has the same files" if check.same_files else "the merge has other files than it looked at"
    )
    return (*checked_line(check.result, now), *line(f", branch {check.result.ref}; {files}"))


def branch_document(check: BranchCheck) -> Json:
    """Return the check of a merge's branch as JSON."""
    return {**check_document(check.result), "same_files": check.same_files}


def check_document(result: CheckResult) -> dict[str, Json]:
    """Return a check as JSON."""
    return {
        "commit": result.commit,
        "branch": result.ref,
        "environment": result.environment,
        "verdict": result.word,
        "status": result.status,
        "message": result.message,
        "findings": result.findings,
        "by": result.by,
        "at": result.at.isoformat(),
        "ended_at": result.ended.isoformat() if result.ended else None,
        "seconds": round(result.took.total_seconds(), 3) if result.took is not None else None,
        "promotion": result.promotion or None,
    }
