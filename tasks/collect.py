"""Collect: the whole collection is one task; run again, it goes on with what is left."""

from __future__ import annotations

from datetime import timedelta

from prefect import get_run_logger

from prefect_sluice.maintenance import collect as core
from prefect_sluice.orchestration.shown.run_log import telling
from prefect_sluice.orchestration.stage_task import tried
from prefect_sluice.runtime.redaction import concealing
from prefect_sluice.workspace.workspace import Workspace


def _collect(workspace: Workspace, request: core.CollectRequest, wait: timedelta) -> core.Collected:
    """Collect, with what is going on in the run's log."""
    with telling(), concealing():
        done = core.collect(request, wait=wait, workspace=workspace)
    get_run_logger().info(done.message)
    return done


collect = tried(_collect, "Collect")
