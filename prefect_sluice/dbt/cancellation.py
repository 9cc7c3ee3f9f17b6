"""Stopping a dbt command at once, whoever asks for it: dbt itself does so at Ctrl-C only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any, cast


@contextlib.contextmanager
def stoppable() -> Generator[None]:
    """Have dbt take any order to stop (Prefect's SIGTERM, for one) as it takes Ctrl-C: it interrupts its queries and ends
    its threads. Of any other it would wait for the query that runs, hours perhaps.

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
