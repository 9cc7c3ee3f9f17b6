"""Waiting for another one's lease, in the log of the flow run."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

from prefect import get_run_logger

from prefect_sluice.promotions.wait_for_lease import Waiting, watching_waits

_EACH = timedelta(seconds=30)


@contextmanager
def logged_waits() -> Generator[None]:
    """Log who is waited for, at once and then each half minute, while the block runs."""
    logger, last = get_run_logger(), [("", timedelta(0))]

    def heard(waiting: Waiting) -> None:
        holder, at = last[0]
        if waiting.holder != holder or waiting.waited - at >= _EACH:
            last[0] = (waiting.holder, waiting.waited)
            logger.info(waiting.line)

    with watching_waits(heard):
        yield
