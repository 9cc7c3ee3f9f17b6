"""What a run shows in the Prefect UI: the plan and the findings, as Markdown."""

from __future__ import annotations

from typing import Any, cast

from prefect.artifacts import create_markdown_artifact

from prefect_sluice.render.markdown import plan_markdown, reports_markdown
from prefect_sluice.stages.work import Work


def show_plan(work: Work) -> None:
    """Show what is built, reused, carried over and removed, and why."""
    if work.plan is not None:
        _show(f"plan-{work.plan.environment}", plan_markdown(work.plan), "What this release would change")


def show_findings(work: Work) -> None:
    """Show what every gate found."""
    if work.reports:
        _show(f"gates-{work.request.environment}", reports_markdown(work.reports), "What the gates found")


def show_refusal(work: Work) -> None:
    """Show the findings when they end the work; otherwise Stage shows them with its own."""
    if work.outcome is not None:
        show_findings(work)


def _show(key: str, markdown: str, description: str) -> None:
    # Keys take lower-case letters, digits and dashes only.
    cleaned = "".join(letter if letter.isalnum() else "-" for letter in key.lower())
    cast(Any, create_markdown_artifact)(key=cleaned, markdown=markdown, description=description)
