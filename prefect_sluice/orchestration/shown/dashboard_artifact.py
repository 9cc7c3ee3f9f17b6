"""What a dashboard's promotion changes for its readers: in the run's log, and as an artifact."""

from __future__ import annotations

from typing import Any, cast

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

from prefect_sluice.orchestration.shown.artifacts import unless_away
from prefect_sluice.promotions.work import Work
from prefect_sluice.reporting.dashboard_story import dashboard_story
from prefect_sluice.reporting.prefect.links import key
from prefect_sluice.reporting.terminal.dashboard import sentences, story_markdown

_ABOUT = "What changes for the dashboard's readers"


@unless_away
def show_dashboard(work: Work) -> None:
    """Show it, if this is the promotion of a dashboard; otherwise do nothing."""
    story = dashboard_story(work)
    if story is None:
        return
    for line in sentences(story):
        get_run_logger().info(line)
    name = key("dashboard", story.environment)
    cast(Any, create_markdown_artifact)(key=name, markdown=story_markdown(story), description=_ABOUT)
