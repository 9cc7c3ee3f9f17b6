"""One line per stage, as it ends: its mark, its name, its time, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.verdict import GateReport, Verdict
from prefect_sluice.planning.plan import Action
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.reporting.styled_text import Line, Span, Style, faint, line, wrapped
from prefect_sluice.reporting.table import WIDTH
from prefect_sluice.reporting.wording import seconds, short

_TOLD_AT = 24
"""The column at which what came of a stage begins."""
_MARKS = {
    Status.DONE: Span("✓", Style.GOOD),
    Status.PARTIAL: Span("!", Style.WARN),
    Status.UNCHANGED: Span("✓", Style.GOOD),
    Status.WAITING: Span("…", Style.WARN),
    Status.REFUSED: Span("✗", Style.BAD),
    Status.REJECTED: Span("✗", Style.BAD),
    Status.SUPERSEDED: Span("✗", Style.WARN),
    Status.EXPIRED: Span("✗", Style.WARN),
    Status.CHECKED: Span("✓", Style.GOOD),
}


def stage_lines(name: str, took: float, before: Work, after: Work, *, width: int = WIDTH) -> list[Line]:
    """Return `✓ Build      1.2 s  2 to build, 16 reused`: `before` and `after` are the work as the stage got
    and left it. A long text, such as a commit's subject, goes on below."""
    mark = _MARKS[after.outcome.status if after.outcome else Status.DONE]
    outcome = came_of_it(name, before, after)
    head = (mark, f" {name.capitalize():<9}", faint(f"{seconds(took):>11}"), "  ")
    first, *more = wrapped(outcome, width, indent=_TOLD_AT)
    return [line(*head, *first[1:]), *more]


def came_of_it(name: str, before: Work, after: Work) -> str:
    """Return what came of a stage, in a few words; "" where there is nothing to say."""
    match name:
        case "source":
            return f"{after.change.short} {after.change.subject}" if after.change else ""
        case "build":
            return _planned(after)
        case "test" | "stage" | "monitor":
            return gates_summary(after.reports[len(before.reports) :], stopped=_is_stopped(after))
        case "approve":
            return _approved(after)
        case _:
            return f"generation {after.generation.number}" if after.generation else ""


def _is_stopped(work: Work) -> bool:
    return work.outcome is not None and work.outcome.status is not Status.CHECKED


def _planned(work: Work) -> str:
    if work.plan is None:
        return ""
    made, reused, removed = (
        len(work.plan.of(Action.BUILD, Action.CARRY)),
        len(work.plan.of(Action.REUSE)),
        len(work.plan.of(Action.REMOVE)),
    )
    told = f"{made} to build, {reused} reused" + (f", {removed} to remove" if removed else "")
    return f"{told}; release {short(work.plan.release)}"


def _approved(work: Work) -> str:
    if work.outcome is not None:
        return "waits for a yes" if work.outcome.status is Status.WAITING else work.outcome.message
    return f"approved by {work.approved_by}" if work.approved_by else "no approval needed"


def gates_summary(reports: Sequence[GateReport], *, stopped: bool = True) -> str:
    """Return what these gates came to in a few words. Where a no `stopped` the release, the gates that say no are named; where
    it went on, their no is a warning like others."""
    asked = [report for report in reports if not report.not_applicable]
    if not asked:
        return "nothing to look at"
    said_no = [report for report in asked if not report.verdict.lets_through]
    if said_no and stopped:
        return ", ".join(f"{report.gate} {report.verdict.name}" for report in said_no)
    warned = [report.gate for report in asked if report.verdict is Verdict.WARNED or report in said_no]
    told = f"{count(len(asked) - len(said_no), 'gate')} passed"
    return told + (f", with warnings: {', '.join(warned)}" if warned else "")
