"""Plan preview, as a Prefect task: the plan as an artifact of the run, the same page as a release's own."""

from __future__ import annotations

from typing import Any, cast

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from prefect_sluice.orchestration.shown.links import run_url
from prefect_sluice.orchestration.shown.messages import link_forms
from prefect_sluice.orchestration.stage_task import tried
from prefect_sluice.promotions.request import Request
from prefect_sluice.reporting.plan_preview import planned
from prefect_sluice.reporting.prefect.links import ArtifactKind, RunLinks, key
from prefect_sluice.reporting.prefect.plan import plan_page
from prefect_sluice.reporting.report.make_report import report
from prefect_sluice.reporting.report.model import ReleaseRecord
from prefect_sluice.reporting.terminal.dashboard import sentences
from prefect_sluice.reporting.terminal.plan import summary
from prefect_sluice.workspace.workspace import Workspace


def _look(request: Request, named: tuple[str, ...], workspace: Workspace, base: str = "") -> str:
    """Show the plan of a request, why the nodes that are `named` are in it as they are, and return what it comes to. Nothing is
    changed."""
    plan_view = planned(request, named, workspace, base=base)
    links = RunLinks(run=flow_run.name or "", run_url=run_url(flow_run.id or ""))
    publish = None if plan_view.plan.changes_nothing else plan_view.expected
    record = ReleaseRecord(
        plan_view.release,
        plan=plan_view.plan,
        expected=publish,
        costs=plan_view.costs,
        commits=plan_view.commits,
        base=plan_view.base,
    )
    page = plan_page(report(record), links, plan_view.reasons, plan_view.taken)
    about = f"What would be built for {plan_view.plan.environment}; only looked at"
    cast(Any, create_markdown_artifact)(
        key=key(ArtifactKind.PLAN, plan_view.plan.environment), markdown=link_forms(page), description=about
    )
    for line in sentences(plan_view.story) if plan_view.story else ():
        get_run_logger().info(line)
    whom = ", ".join(
        dict.fromkeys(
            consumer_reached.consumer.label or consumer_reached.consumer.name
            for consumer_reached in plan_view.reached
        )
    )
    reached = f"; it reaches {whom}" if whom else ""
    return f"{plan_view.plan.environment} would have {summary(plan_view.plan)}{reached}. Nothing was changed"


plan = tried(_look, "Plan")
