"""The lines of `sluice doctor`: for each complaint its name, what it means, and the command that helps."""

from __future__ import annotations

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.maintenance.doctor.complaint import Complaint
from prefect_sluice.maintenance.doctor.examine import DoctorReport
from prefect_sluice.reporting.styled_text import Line, Span, Style, faint, line, strong


def lines(report: DoctorReport) -> list[Line]:
    """Return what was repaired, what is wrong, and one line that sums it up. Nothing is cut."""
    page = [line(Span("repaired  ", Style.GOOD), complaint.thing) for complaint in report.repaired]
    for complaint in report.complaints:
        page += _complaint(complaint)
    wrong = sum(not complaint.note for complaint in report.complaints)
    environments = ", ".join(report.environments)
    if wrong:
        safe = sum(complaint.repair is not None for complaint in report.complaints)
        some = (
            f"; {count(safe, 'of them', 'of them')} the doctor can repair: sluice doctor --repair"
            if safe
            else ""
        )
        return [*page, line(Span(f"{count(wrong, 'finding')} in {environments}", Style.BAD), some)]
    return [*page, line(Span(f"nothing is wrong in {environments}", Style.GOOD))]


def _complaint(complaint: Complaint) -> list[Line]:
    where = f"{complaint.environment}: " if complaint.environment else ""
    style = Style.WARN if complaint.note else Style.BAD
    return [
        line(
            Span(f"{'note' if complaint.note else complaint.check:<10}", style),
            strong(f"{where}{complaint.thing}"),
        ),
        line(faint(f"{complaint.means}; "), complaint.fix, indent=10),
    ]


def document(report: DoctorReport) -> Json:
    """Return it as JSON, whole."""
    return {
        "clean": report.is_clean,
        "environments": list(report.environments),
        "repaired": [complaint.document() for complaint in report.repaired],
        "findings": [complaint.document() for complaint in report.complaints],
    }
