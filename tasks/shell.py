"""The shell that every stage's task has: its retry rule, and its log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from prefect_sluice.errors import SluiceError
from prefect_sluice.stages.work import Stage, Work, listening
from prefect_sluice.stopping import stops_aloud

Explain = Callable[[Work], None]
"""Shows what a stage did, as artifacts of the run."""


async def passes_by_itself(_task: Any, _run: Any, state: Any) -> bool:
    """Say whether to try again: only what the error itself calls temporary."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, SluiceError) and error.retry


def as_task(stage: Stage, explain: Explain | None = None) -> Stage:
    """Return the stage as a Prefect task named after it. Nothing is cached or persisted: the state store is what remembers."""

    def run(work: Work) -> Work:
        logger = get_run_logger()
        with stops_aloud(), listening(logger.info):
            done = stage(work)
        if explain is not None:
            explain(done)
        if done.outcome is not None:
            logger.info(done.outcome.message)
        return done

    run.__name__ = run.__qualname__ = stage.__name__
    run.__doc__ = stage.__doc__
    # Prefect's overloads do not know a plain function with this mix of arguments.
    return cast(Any, task)(
        run,
        name=stage.__name__.capitalize(),
        retries=3,
        retry_delay_seconds=[1, 5, 25],
        retry_condition_fn=passes_by_itself,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
