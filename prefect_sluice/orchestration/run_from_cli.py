"""Runs a flow from the command line: quietly, in this process, and raises the stages' own errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL

from prefect_sluice.domain.errors import BadInput, SluiceError
from prefect_sluice.promotions.request import Request
from prefect_sluice.promotions.work import Work, keeping

_PATIENCE = 10
"""Seconds that sending queued logs may take."""


@dataclass(eq=False)
class ServerAway(BadInput):
    """No Prefect server answers where one is configured."""


def run_flow(flow: Callable[..., Any], request: Request, wait: timedelta, **more: object) -> Work:
    """Call the flow and return the work in its final state. Raises what a stage raised, and ServerAway."""
    _reachable()
    kept: list[Work] = []
    with keeping(kept):
        try:
            state = flow(
                environment=request.environment,
                folder=str(request.folder),
                actor=request.actor,
                wait_seconds=int(wait.total_seconds()),
                return_state=True,
                **more,
            )
        finally:
            _send_what_is_queued()
    result = state.result(raise_on_failure=False)
    if isinstance(result, SluiceError):
        raise result  # first: a rollback is done when the refresh after it is stopped
    if kept and kept[-1].outcome is not None:
        return kept[-1]
    if isinstance(result, BaseException):
        raise result
    raise ServerAway("the run has no end", request.environment, "look at it in the Prefect UI")


def _reachable() -> None:
    url = PREFECT_API_URL.value()
    if not url:
        raise ServerAway(
            "no Prefect server is configured",
            "PREFECT_API_URL",
            "start one (prefect server start) and set it, or run with --via local",
        )
    try:
        httpx.get(f"{url}/health", timeout=10).raise_for_status()
    except httpx.HTTPError as error:
        raise ServerAway(
            f"the Prefect server does not answer ({type(error).__name__})",
            url,
            "start it, or run with --via local",
        ) from error


def _send_what_is_queued() -> None:
    """Send logs and events now: left to the end of the process, they are lost, or waited for, if the server goes first."""
    APILogWorker.drain_all(timeout=_PATIENCE, at_exit=False)
    EventsWorker.drain_all(timeout=_PATIENCE, at_exit=False)
