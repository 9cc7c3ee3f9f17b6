"""A run whose process is told to stop, and nobody cancelled it: its worker is stopped. It ends as Crashed, with what to do."""

from __future__ import annotations

from contextlib import suppress

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.exceptions import PrefectException
from prefect.logging.handlers import APILogWorker
from prefect.states import Crashed

from prefect_sluice.flows.own import this_run

BY_STOP = "The worker was stopped"
SAID = f"{BY_STOP} while this ran. Nothing is half done. Run it again: it goes on."
_PATIENCE = 3
"""Seconds that sending queued logs may take: who stops a worker does not wait for long."""


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
        get_run_logger().error(SAID)
        run.state = client.set_flow_run_state(run.id, Crashed(message=SAID), force=True).state
    # The process dies of the signal, and what is queued would be lost with it.
    APILogWorker.drain_all(timeout=_PATIENCE, at_exit=False)
