"""What the doctor found: a line that names it, one that says what it means, and the command that helps."""

from __future__ import annotations

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.maintenance.doctor.complaint import Complaint
from prefect_sluice.maintenance.doctor.examine import DoctorReport
from prefect_sluice.reporting.styled_text import Line, Span, Style, faint, line, strong


def lines(report: DoctorReport) -> list[Line]:
    """Return what was repaired, what is wrong, and one line that sums it up. Nothing is cut."""
    found = [line(Span("repaired  ", Style.GOOD), item.thing) for item in report.repaired]
    for item in report.complaints:
        found += _complaint(item)
    wrong = sum(not item.note for item in report.complaints)
    told = ", ".join(report.environments)
    if wrong:
        safe = sum(item.repair is not None for item in report.complaints)
        some = (
            f"; {count(safe, 'of them', 'of them')} the doctor can repair: sluice doctor --repair"
            if safe
            else ""
        )
        return [*found, line(Span(f"{count(wrong, 'finding')} in {told}", Style.BAD), some)]
    return [*found, line(Span(f"nothing is wrong in {told}", Style.GOOD))]


def _complaint(item: Complaint) -> list[Line]:
    where = f"{item.environment}: " if item.environment else ""
    style = Style.WARN if item.note else Style.BAD
    return [
        line(Span(f"{'note' if item.note else item.check:<10}", style), strong(f"{where}{item.thing}")),
        line(faint(f"{item.means}; "), item.fix, indent=10),
    ]


def document(report: DoctorReport) -> Json:
    """Return it as JSON, whole."""
    return {
        "clean": report.is_clean,
        "environments": list(report.environments),
        "repaired": [item.document() for item in report.repaired],
        "findings": [item.document() for item in report.complaints],
    }
