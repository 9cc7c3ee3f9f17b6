"""The ways in, without Prefect: which stages, in which order, under the environment's lease."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from prefect_sluice import surroundings
from prefect_sluice.errors import LeaseHeld, Refused
from prefect_sluice.generation import Cause
from prefect_sluice.stages.approve import approve
from prefect_sluice.stages.build import build
from prefect_sluice.stages.deploy import deploy, settle
from prefect_sluice.stages.monitor import monitor
from prefect_sluice.stages.rollback import rollback
from prefect_sluice.stages.source import source
from prefect_sluice.stages.stage import stage
from prefect_sluice.stages.test import test
from prefect_sluice.stages.work import Request, Stage, Work, tell, walk
from prefect_sluice.state.lease import held, this_process
from prefect_sluice.workshop import Place, Workshop

RELEASE: tuple[Stage, ...] = (source, build, test, stage, approve, deploy, monitor)
REFRESH: tuple[Stage, ...] = (source, build, stage, approve, deploy, monitor)
ROLLBACK: tuple[Stage, ...] = (rollback, monitor)
BY_CAUSE = {Cause.RELEASE: RELEASE, Cause.REFRESH: REFRESH, Cause.ROLLBACK: ROLLBACK}


@contextmanager
def begin(request: Request, *, wait: timedelta = timedelta(0)) -> Generator[Work]:
    """Take the environment's lease, settle what a dead process left, and give the work to walk with.

    Raises LeaseHeld when another promotion is at work and `wait` is over.
    """
    surroundings.be_quiet()
    workshop = Workshop.at(request.folder)
    place = workshop.place(request.environment or None)
    holder = this_process(request.actor)
    with held(workshop.store, place.name, holder, wait=wait, on_wait=_waiting) as lease:
        settle(workshop, place)
        know_what_serves(workshop, place)
        yield Work(replace(request, environment=place.name), lease.lease)


def know_what_serves(workshop: Workshop, place: Place) -> None:
    """Raise Refused when another state store released what is served: this one knows neither its plan nor its tokens."""
    current = workshop.warehouse(place).generation(place.name)
    if current.number and workshop.store.promotion(current.promotion) is None:
        raise Refused(
            f"{place.name} serves generation {current.number}, of which this state store knows nothing",
            f"work where it was released, or name that state store in {workshop.file.name}: state",
        )


def _waiting(error: LeaseHeld) -> None:
    tell(f"waiting: {error.holder} is at work on {error.environment} since {error.since}")


def run(request: Request, *, wait: timedelta = timedelta(0)) -> Work:
    """Run all stages of the request's cause in this process and return the ended work. Safe to run again after any crash."""
    with begin(request, wait=wait) as work:
        return walk(work, *BY_CAUSE[request.cause])
