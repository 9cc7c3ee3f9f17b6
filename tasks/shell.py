"""The shell that every stage's task has: its retry rule, and its log."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Failed

from prefect_sluice.errors import SluiceError
from prefect_sluice.stages.work import Stage, Work
from prefect_sluice.tasks.told import log_outcome, telling

P = ParamSpec("P")
R = TypeVar("R")

Explain = Callable[[Work], None]
"""Shows what a stage did, as artifacts of the run."""


async def passes_by_itself(_task: Any, _run: Any, state: Any) -> bool:
    """Say whether to try again: only what the error itself calls temporary."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, SluiceError) and error.retry


def as_task(stage: Stage, explain: Explain | None = None) -> Stage:
    """Return the stage as a Prefect task named after it. Nothing is cached or persisted: the state store is what remembers."""

    def run(work: Work) -> Work:
        with telling():
            done = stage(work)
        if explain is not None:
            explain(done)
        if done.outcome is not None:
            log_outcome(done.outcome)
        return done

    run.__name__ = run.__qualname__ = stage.__name__
    run.__doc__ = stage.__doc__
    return tried(run, stage.__name__.capitalize())


def tried(run: Callable[P, R], name: str) -> Callable[P, R]:
    """Return a function as a Prefect task that is tried again where its error says so. It raises what the function raises.

    What is foreseen ends the task run as Failed with its one line; Prefect would log a traceback of whatever is raised.
    """

    def attempt(*args: P.args, **kwargs: P.kwargs) -> R | State[Any]:
        try:
            return run(*args, **kwargs)
        except SluiceError as error:
            return Failed(message=str(error), data=error)

    functools.update_wrapper(attempt, run)
    # Prefect's overloads do not know a plain function with this mix of arguments.
    made: Callable[P, R | State[Any]] = cast(Any, task)(
        attempt,
        name=name,
        retries=3,
        retry_delay_seconds=[1, 5, 25],
        retry_condition_fn=passes_by_itself,
        cache_policy=NO_CACHE,
        persist_result=False,
    )

    @functools.wraps(run)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        done = made(*args, **kwargs)
        if isinstance(done, State):
            raise cast(Any, done).result(raise_on_failure=False)
        return done

    return called
