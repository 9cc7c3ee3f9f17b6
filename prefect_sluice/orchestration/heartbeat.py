"""A flow run's heartbeat that ends at once: Prefect's own sleeps in whole seconds, and each run waits for it to wake up."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from typing import Any, Self, cast

from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

_LEAST = 30
"""Prefect's own least seconds between two beats."""


class _OwnHeartbeat(ThreadPoolTaskRunner[Any]):
    """Prefect's usual task runner, for a flow whose heartbeat is `beating`.

    Prefect asks how often a flow's heart is to beat right after it has entered the flow's task runner: this is the one place
    where a single flow, whoever started it, can say "never", without a word to the settings of others. `seconds` is what the
    settings said, None for never.
    """

    seconds: int | None = None

    def __enter__(self) -> Self:
        """Start the runner, with Prefect's own heartbeat switched off until it ends."""
        entered = super().__enter__()
        self.seconds = PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value()
        self._around = ExitStack()
        self._around.enter_context(temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}))
        return entered

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        """End the runner."""
        self._around.close()
        super().__exit__(exc_type, exc_value, traceback)


OWN_HEARTBEAT = cast("TaskRunner[PrefectFuture[Any]]", _OwnHeartbeat())
"""For `@flow(task_runner=...)`; each run gets a runner of its own."""


@contextmanager
def beating() -> Generator[None]:
    """Send the heartbeat of the flow run that goes on here, as often as the settings say, while the block runs.

    The events are Prefect's, so that an automation that watches for them sees what it knows.
    """
    context, over = FlowRunContext.get(), threading.Event()
    runner = context.task_runner if context is not None else None
    if (
        context is None
        or context.flow_run is None
        or not isinstance(runner, _OwnHeartbeat)
        or not runner.seconds
    ):
        yield
        return
    about = {
        "prefect.resource.id": f"prefect.flow-run.{context.flow_run.id}",
        "prefect.resource.name": context.flow_run.name,
    }
    thread = threading.Thread(
        target=copy_context().run, args=(_beat, about, max(runner.seconds, _LEAST), over), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()


def _beat(about: dict[str, str], seconds: int, over: threading.Event) -> None:
    while not over.is_set():
        emit_event("prefect.flow-run.heartbeat", about)
        over.wait(seconds)
