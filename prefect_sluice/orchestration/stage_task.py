"""The Prefect task around every stage: its retry rule, and its log."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.orchestration.shown.messages import error_with_forms, name_forms
from prefect_sluice.orchestration.shown.run_log import log_outcome, telling
from prefect_sluice.promotions.work import Stage, Status, Work
from prefect_sluice.reporting.terminal.stages import came_of_it
from prefect_sluice.runtime.cancellation import surface_cancellation
from prefect_sluice.runtime.redaction import concealing

P = ParamSpec("P")
R = TypeVar("R")

Explain = Callable[[Work], None]
"""Shows what a stage did, as artifacts of the run."""


async def passes_by_itself(_task: Any, _run: Any, state: Any) -> bool:
    """Say whether to try again: only after an error that calls itself temporary."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, SluiceError) and error.retry


def as_task(stage: Stage, *explains: Explain) -> Stage:
    """Return the stage as a Prefect task named after it. Nothing is cached or persisted: the state store is what remembers."""

    def run(work: Work) -> State[Any]:
        with telling(), concealing(), surface_cancellation():
            done = stage(work)
        for explain in explains:
            explain(done)
        if done.outcome is not None:
            log_outcome(done.outcome)
        return _state(stage.__name__, work, done)

    run.__name__ = run.__qualname__ = stage.__name__
    run.__doc__ = stage.__doc__
    return tried(run, stage.__name__.capitalize())


_NOT_DONE = {
    Status.WAITING: "Waiting",
    Status.REJECTED: "Rejected",
    Status.SUPERSEDED: "Superseded",
    Status.EXPIRED: "Expired",
}
"""What Approve is called without a yes. Green, and Completed, it would look like one."""


class _SaidNo(Exception):
    """The data of a stage that ended the work with a no: such a state holds nothing but an exception."""

    def __init__(self, work: Work) -> None:
        super().__init__(work.outcome.message if work.outcome else "")
        self.work = work


def _state(name: str, before: Work, after: Work) -> State[Any]:
    """Return the state of a stage's task run: what came of it, and of a no that it was this stage that said it."""
    outcome = after.outcome
    if outcome is not None and outcome.status is Status.REFUSED:
        return Failed(name="Refused", message=name_forms(outcome.message), data=_SaidNo(after))
    message = name_forms(came_of_it(name, before, after)) or None
    if outcome is not None and outcome.status in _NOT_DONE:
        return Cancelled(name=_NOT_DONE[outcome.status], message=message, data=_SaidNo(after))
    return Completed(message=message, data=after)


def tried(run: Callable[P, R | State[R]], name: str) -> Callable[P, R]:
    """Return a function as a Prefect task that is tried again where its error says so. It raises what the function raises.

    What is foreseen ends the task run as Failed with its one line; Prefect would log a traceback of whatever is raised.
    """

    def attempt(*args: P.args, **kwargs: P.kwargs) -> R | State[Any]:
        try:
            return run(*args, **kwargs)
        except SluiceError as error:
            return Failed(message=error_with_forms(error), data=error)

    functools.update_wrapper(attempt, run)
    # Prefect's overloads do not know a plain function with this mix of arguments.
    made: Callable[P, R | State[Any]] = cast(Any, task)(
        attempt,
        name=name,
        task_run_name=name,
        retries=3,
        retry_delay_seconds=[1, 5, 25],
        retry_condition_fn=passes_by_itself,
        cache_policy=NO_CACHE,
        persist_result=False,
    )

    @functools.wraps(run)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        done = made(*args, **kwargs)
        if not isinstance(done, State):
            return done
        answer: Any = cast(Any, done).result(raise_on_failure=False)
        if isinstance(answer, _SaidNo):
            return cast(R, answer.work)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return called
