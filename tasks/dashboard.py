"""What a dashboard's promotion changes for its readers: in the run's log, and as an artifact."""

from __future__ import annotations

from typing import Any, cast

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

from prefect_sluice.render.dashboard import sentences, story_markdown
from prefect_sluice.stages.dashboards import told
from prefect_sluice.stages.work import Work

_ABOUT = "What changes for the dashboard's readers"


def show_dashboard(work: Work) -> None:
    """Show it, if this is the promotion of a dashboard; otherwise do nothing."""
    found = told(work)
    if found is None:
        return
    for line in sentences(found):
        get_run_logger().info(line)
    # Keys take lower-case letters, digits and dashes only.
    key = "".join(letter if letter.isalnum() else "-" for letter in f"dashboard-{found.environment}".lower())
    cast(Any, create_markdown_artifact)(key=key, markdown=story_markdown(found), description=_ABOUT)
