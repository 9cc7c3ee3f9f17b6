"""Collect: the whole collection is one task; run again, it goes on with what is left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from prefect_sluice import collect as core
from prefect_sluice.confidential import concealing
from prefect_sluice.stages.work import listening
from prefect_sluice.tasks.shell import passes_by_itself


def _collect(request: core.Request, wait: timedelta) -> core.Collected:
    """Collect, with what is going on in the run's log."""
    logger = get_run_logger()
    with listening(logger.info), concealing():
        done = core.collect(request, wait=wait)
    logger.info(done.message)
    return done


# Prefect's overloads do not know a plain function with this mix of arguments.
collect = cast(Any, task)(
    _collect,
    name="Collect",
    retries=3,
    retry_delay_seconds=[1, 5, 25],
    retry_condition_fn=passes_by_itself,
    cache_policy=NO_CACHE,
    persist_result=False,
)
