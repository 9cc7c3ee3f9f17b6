"""Stops a dbt command at once, whoever asks for it (dbt itself does so at Ctrl-C only), and clears away what it leaves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from traceback import clear_frames, walk_tb
from typing import Any, cast


@contextlib.contextmanager
def stoppable() -> Generator[None]:
    """Have dbt take any order to stop (Prefect's SIGTERM, for one) as it takes Ctrl-C: it interrupts its queries and ends its
    threads. After any other signal it would wait for the query that runs, perhaps for hours.

    What stopped it is the cause of the KeyboardInterrupt that dbt answers.
    """
    from dbt.task.runnable import GraphRunnableTask

    task = cast(Any, GraphRunnableTask)
    before = cast("Callable[[Any, Any], None]", task.run_queue)

    def run_queue(self: Any, pool: Any) -> None:
        try:
            before(self, pool)
        except (Exception, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as stop:
            raise KeyboardInterrupt from stop

    task.run_queue = run_queue
    try:
        yield
    finally:
        task.run_queue = before


def end_threads(error: BaseException | None) -> None:
    """End the threads of a command that broke off: dbt leaves them waiting for the life of the process."""
    while error is not None:
        for frame, _ in walk_tb(error.__traceback__):
            pool = frame.f_locals.get("pool") if frame.f_code.co_name == "execute_nodes" else None
            if pool is not None:
                pool.terminate()
                pool.join()
        error = error.__cause__ or error.__context__


def let_go(error: BaseException | None) -> None:
    """Forget what the frames of an error held: whoever keeps the error (Prefect does) would keep the side database open."""
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
