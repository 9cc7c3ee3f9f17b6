"""The gate report and the diff as artifacts. Pure."""

from __future__ import annotations

from prefect_sluice.reporting.markdown import escaped
from prefect_sluice.reporting.prefect.links import ArtifactKind, RunLinks, about
from prefect_sluice.reporting.report.limits import NARROW, ReportLimits, fitting
from prefect_sluice.reporting.report.markdown import LIMITS, changes, diff, lineage, markdown
from prefect_sluice.reporting.report.model import Report
from prefect_sluice.reporting.terminal.findings import DIFF

_LIMIT = LIMITS["github"]


def report_page(report: Report, links: RunLinks) -> str:
    """Return the whole report, with where the rest is above it."""
    top = "\n".join(about(report.dossier, links, ArtifactKind.REPORT))
    title, _, rest = markdown(report, limit=_LIMIT - len(top) - 1, ladder=NARROW).partition("\n\n")
    return f"{title}\n\n{top}\n{rest}"


def has_diff(report: Report) -> bool:
    """Say whether there is anything to show: the data was compared, or names come or go."""
    compared = any(gate.gate == DIFF and gate.verdict is not None for gate in report.gates)
    return compared or bool(report.new or report.gone)


def diff_page(report: Report, links: RunLinks) -> str:
    """Return what readers find changed, who they are, the lineage, and the changed rows: at most 65,536 characters."""
    return fitting(lambda bounds: _diff(report, links, bounds), _LIMIT, NARROW)


def _diff(report: Report, links: RunLinks, bounds: ReportLimits) -> str:
    promotion = report.dossier.promotion
    where = f" for {escaped(promotion.environment)}" if promotion else ""
    lines = [f"## What changes{where}", "", *about(report.dossier, links, ArtifactKind.DIFF)]
    # The heading above says what the first section's would.
    lines += changes(report, bounds, alone=True)[2:]
    lines += [*lineage(report, bounds), *diff(report, bounds)]
    return "\n".join(lines).rstrip("\n") + "\n"
