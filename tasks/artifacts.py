"""What a run shows in the Prefect UI: the plan, and the report of the promotion, as Markdown."""

from __future__ import annotations

from typing import Any, cast

from prefect.artifacts import create_markdown_artifact

from prefect_sluice.render.markdown import plan_markdown
from prefect_sluice.render.report.build import report
from prefect_sluice.render.report.markdown import markdown
from prefect_sluice.stages.reporting import dossier
from prefect_sluice.stages.work import Work
from prefect_sluice.workshop import Workshop


def show_plan(work: Work) -> None:
    """Show what is built, reused, carried over and removed, and why."""
    if work.plan is not None:
        _show(f"plan-{work.plan.environment}", plan_markdown(work.plan), "What this release would change")


def show_report(work: Work) -> None:
    """Show the report of what is recorded of the promotion by now: the same that `sluice report` gives."""
    if work.promotion is None or not work.reports:
        return
    workshop = Workshop.at(work.request.folder)
    known = workshop.store.promotion(work.promotion.id)
    if known is not None:
        told = markdown(report(dossier(workshop, known)))
        _show(f"report-{work.request.environment}", told, "What changes for whom, and what the gates found")


def show_refusal(work: Work) -> None:
    """Show the report when the findings end the work; otherwise Stage shows it with its own."""
    if work.outcome is not None:
        show_report(work)


def _show(key: str, markdown: str, description: str) -> None:
    # Keys take lower-case letters, digits and dashes only.
    cleaned = "".join(letter if letter.isalnum() else "-" for letter in key.lower())
    cast(Any, create_markdown_artifact)(key=cleaned, markdown=markdown, description=description)
