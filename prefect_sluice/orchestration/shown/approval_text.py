"""The text of the form that asks for an approval."""

from __future__ import annotations

from prefect_sluice.approvals.decide import policy_of
from prefect_sluice.orchestration.shown.links import links_of, made_by_run
from prefect_sluice.promotions.work import Work
from prefect_sluice.reporting.approvers_line import asked_line
from prefect_sluice.reporting.gather_report import dossier
from prefect_sluice.reporting.prefect import approval
from prefect_sluice.reporting.report.make_report import report
from prefect_sluice.reporting.write_pages import address_of


def asked_text(work: Work) -> str:
    """Return in one line who is asked for what, and how they answer; "" for work without a promotion. Changes nothing."""
    if work.promotion is None:
        return ""
    workspace = work.workspace.anew()
    promotion = workspace.store.promotion(work.promotion.id) or work.promotion
    approval_report = report(dossier(workspace, promotion))
    page = address_of(workspace, promotion.id)
    return asked_line(
        approval_report, policy_of(workspace, promotion), approval.gist(approval_report, promotion), page
    )


def request_text(work: Work, note: str = "") -> str:
    """Return what a yes to the work's promotion means for whom, as Markdown, the most important in the first line.

    `note`, why an answer before was not taken, stands above it. "" for work without a promotion. Links lead to the
    artifacts that this flow run has by now, and to the report's page if it is served. Raises what reading the promotion
    raises; changes nothing.
    """
    if work.promotion is None:
        return ""
    workspace = work.workspace.anew()
    promotion = workspace.store.promotion(work.promotion.id) or work.promotion
    made = {kind: artifact.id for kind, artifact in made_by_run(work).items()}
    return approval.request_text(report(dossier(workspace, promotion)), links_of(workspace, work, made), note)
