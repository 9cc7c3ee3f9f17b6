"""Stopped runs: the worker stops their process, and nobody cancelled them. They end as Crashed, with what to do."""

from __future__ import annotations

import os
from contextlib import suppress

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.exceptions import PrefectException
from prefect.logging.handlers import APILogWorker
from prefect.states import Crashed

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.orchestration.cut_off_runs import cut_off
from prefect_sluice.orchestration.shown.messages import spoken_of
from prefect_sluice.orchestration.this_run import this_run

BY_STOP = "The worker was stopped"
BY_KILL = "The worker was killed"
_PARENT = os.getppid()
"""Who started this process, its worker or on its behalf: gone, another one is in its place."""
_PATIENCE = 3
"""Seconds that sending queued logs may take: who stops a worker does not wait for long."""


def _stop_message(run: str) -> str:
    """Return what the run was at, and what serves; where the state store cannot say it now, only what is true anyhow."""
    how = BY_STOP if os.getppid() == _PARENT else BY_KILL
    try:
        return cut_off(spoken_of(), run, how)
    except SluiceError:
        return cut_off(None, run, how)


def say_stopped() -> None:
    """End the run that goes on here as Crashed, unless it is being cancelled. Prefect then leaves it so. Repeatable.

    Where the server does not answer, Prefect's own word stands.
    """
    run = this_run()
    if run is None:
        return
    with suppress(httpx.HTTPError, PrefectException), get_client(sync_client=True) as client:
        if client.read_flow_run(run.id).state_type is not StateType.RUNNING:
            return
        message = _stop_message(str(run.id))
        run.state = client.set_flow_run_state(run.id, Crashed(message=message), force=True).state
        with suppress(SystemExit):  # the console's, where the worker is gone that reads it
            get_run_logger().error(message)
    # The process dies of the signal, and what is queued would be lost with it.
    APILogWorker.drain_all(timeout=_PATIENCE, at_exit=False)
