"""Plan preview, as a Prefect task: the plan as an artifact of the run, the same page as a release's own."""

from __future__ import annotations

from typing import Any, cast

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from prefect_sluice.orchestration.shown.links import run_url
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


def _look(request: Request, named: tuple[str, ...], workspace: Workspace) -> str:
    """Show the plan of a request, why the nodes that are `named` are in it as they are, and return what it comes to. Nothing is
    changed."""
    found = planned(request, named, workspace)
    links = RunLinks(run=flow_run.name or "", run_url=run_url(flow_run.id or ""))
    publish = None if found.plan.changes_nothing else found.expected
    known = ReleaseRecord(found.release, plan=found.plan, expected=publish, costs=found.costs)
    page = plan_page(report(known), links, found.reasons)
    about = f"What would be built for {found.plan.environment}; only looked at"
    cast(Any, create_markdown_artifact)(
        key=key(ArtifactKind.PLAN, found.plan.environment), markdown=page, description=about
    )
    for line in sentences(found.story) if found.story else ():
        get_run_logger().info(line)
    whom = ", ".join(dict.fromkeys(item.consumer.label or item.consumer.name for item in found.reached))
    reached = f"; it reaches {whom}" if whom else ""
    return f"{found.plan.environment} would have {summary(found.plan)}{reached}. Nothing was changed"


plan = tried(_look, "Plan")
