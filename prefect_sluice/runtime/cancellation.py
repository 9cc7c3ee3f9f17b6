"""Cancellation: an order to stop may come out of a library as another error; it is no failure of the work itself."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager


def told_to_stop(error: BaseException | None) -> BaseException | None:
    """Return the order to stop (Ctrl-C, Prefect's SIGTERM) that caused an error; None where there was none.

    DuckDB, for one, raises `RuntimeError('Query interrupted')` from what a signal's handler raised in the middle of a query.
    """
    stop: BaseException | None = None
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if not isinstance(error, Exception | SystemExit | GeneratorExit):
            stop = error  # the first of them all: the rest came of it
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return stop


def lost_its_worker(error: BaseException | None) -> bool:
    """Say whether a SystemExit comes from a log line that nobody reads any more: the worker that started this process is gone,
    and Prefect's console ends the process."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, BrokenPipeError):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def surface_cancellation() -> Generator[None]:
    """Raise the order to stop in place of the error that it caused."""
    try:
        yield
    except Exception as error:
        stop = told_to_stop(error)
        if stop is None:
            raise
        raise stop from None
