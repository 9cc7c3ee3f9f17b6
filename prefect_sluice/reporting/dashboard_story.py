"""The story of a dashboard's promotion: what its readers find changed, from records and from the findings of gates."""

from __future__ import annotations

from prefect_sluice.planning.dashboards import called, picked
from prefect_sluice.promotions.dashboards import recorded
from prefect_sluice.promotions.work import Work
from prefect_sluice.reporting.terminal.dashboard import DashboardStory, story


def dashboard_story(work: Work) -> DashboardStory | None:
    """Return what a promotion changes for the readers of its dashboard, as far as is known by now; None where it is none of
    a dashboard, or the gates have not looked yet. Changes nothing."""
    if work.release is None or work.plan is None or not work.reports:
        return None
    made = work.release.composed
    name = picked(work.request.part) or (picked(made.select) if made else "")
    if not name:
        return None
    consumers = recorded(work.workspace, [work.plan.environment], work.release.id) or ()
    consumer = called(consumers, name)
    return story(consumer, consumers, work.plan, reports=work.reports) if consumer else None
