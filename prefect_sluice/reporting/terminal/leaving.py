"""The lines of `sluice leave`: what it does to the public names, and what it did."""

from __future__ import annotations

from prefect_sluice.domain.counting import count
from prefect_sluice.maintenance.leave import LeaveOutcome, LeavePlan
from prefect_sluice.reporting.styled_text import Line, Span, Style, and_more, line, strong, wrapped
from prefect_sluice.reporting.table import WIDTH, table
from prefect_sluice.reporting.terminal.publishing import forecast_lines, publish_text

_MOST = 30


def leaving_lines(environment: str, leaving: LeavePlan, *, width: int = WIDTH) -> list[Line]:
    """Return what each public name becomes."""
    number = leaving.generation.number
    if not number:
        return [line(strong(environment), " serves nothing of Sluice's")]
    names = leaving.departures
    lines = [
        line(strong(environment), f": {count(len(names), 'relation')} of generation {number} become plain")
    ]
    rows = [("view" if departure.sql else "table", str(departure.name)) for departure in names[:_MOST]]
    lines += table(rows, indent=2, width=width)
    return [*lines, *and_more(len(names) - _MOST), *forecast_lines(leaving.expected, width)]


def left_lines(environment: str, left: LeaveOutcome, *, width: int = WIDTH) -> list[Line]:
    """Return what was done, and what is left to do by hand."""
    if not left.generation.number:
        return [line(Span("done: ", Style.GOOD), "there is nothing to leave; next: ", strong("dbt build"))]
    lines = (
        wrapped(publish_text(left.published), width, indent=0, style=Style.FAINT) if left.published else []
    )
    if left.remains:
        sentence = ", ".join(str(name) for name in left.remains)
        lines.append(
            line(Span("stays: ", Style.WARN), f"{sentence}, which Sluice did not put into its store")
        )
    sentence = f"{environment} holds {count(len(left.departures), 'plain relation')}, which dbt goes on with as before"
    return [*lines, line(Span("done: ", Style.GOOD), sentence, "; next: ", strong("dbt build"))]
