"""The evidence of a promotion: the document that a yes binds, and the reports of its gates, read back and held against it."""

from __future__ import annotations

from typing import Any, cast

from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.workspace.workspace import Workspace


def evidence_document(contents: str, reports: tuple[GateReport, ...]) -> Json:
    """Return what an approval says yes to: the candidate's contents, and what every gate found on it (times left out)."""
    return {"contents": contents, "findings": [digest(_findings(report)) for report in reports]}


def judged_reports(workspace: Workspace, promotion: Promotion) -> tuple[GateReport, ...] | None:
    """Return the reports that the evidence of a promotion is made of; None where those that are recorded are not, or no more,
    the ones that it names. Changes nothing. Raises BundleDamaged, and BadInput for evidence that is missing."""
    evidence = cast("dict[str, Any]", workspace.bundles.get_document(promotion.evidence))
    recorded = {digest(_findings(report)): report for _, report in workspace.store.reports(promotion.id)}
    named = [recorded.get(str(finding)) for finding in evidence["findings"]]
    reports = tuple(report for report in named if report is not None)
    return reports if len(reports) == len(named) else None


def _findings(report: GateReport) -> Json:
    return {
        "gate": report.gate,
        "not_applicable": report.not_applicable,
        "findings": [
            [item.check, item.verdict.name, item.subject, item.location, str(item.observed), str(item.limit)]
            for item in report.findings
        ],
    }
