"""How a run of the stages ended, for tests that ask it in a word."""

from __future__ import annotations

from prefect_sluice.promotions.work import Status, Work


def status(work: Work) -> Status:
    """Return how a run ended."""
    assert work.outcome is not None
    return work.outcome.status


def message(work: Work) -> str:
    """Return what is said at its end."""
    assert work.outcome is not None
    return work.outcome.message
