"""Collect: the whole collection is one task; run again, it goes on with what is left."""

from __future__ import annotations

from datetime import timedelta

from prefect import get_run_logger

from prefect_sluice import collect as core
from prefect_sluice.confidential import concealing
from prefect_sluice.tasks.shell import tried
from prefect_sluice.tasks.told import telling


def _collect(request: core.Request, wait: timedelta) -> core.Collected:
    """Collect, with what is going on in the run's log."""
    with telling(), concealing():
        done = core.collect(request, wait=wait)
    get_run_logger().info(done.message)
    return done


collect = tried(_collect, "Collect")
