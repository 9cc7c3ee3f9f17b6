"""`sluice rollback`: an older generation, served again at once. Needs no Prefect, no dbt and no approval."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console
from prefect_sluice.cli.who import actor as who

if TYPE_CHECKING:
    from prefect_sluice.render.styled import Line
    from prefect_sluice.stages.work import Work


@click.command()
@click.option(
    "--to",
    default="",
    metavar="GENERATION|RELEASE",
    help="Where to go back to. Default: what another release served before.",
)
@options.environment
@options.wait
@options.actor
@options.common
def rollback(to: str, environment: str, wait: timedelta, actor: str, folder: Path, console: Console) -> int:
    """Serve an older generation again, at once.

    Nothing is built, and no row moves. What comes after it stays, to go forward to again.
    """
    from prefect_sluice import pipeline
    from prefect_sluice.cli.running import EXIT_CODES
    from prefect_sluice.generation import Cause
    from prefect_sluice.render import document
    from prefect_sluice.stages.work import Request

    request = Request(folder, environment, Cause.ROLLBACK, to, actor=who(actor, folder))
    started = perf_counter()
    work = pipeline.run(request, wait=wait)
    took = perf_counter() - started
    code = EXIT_CODES[work.outcome.status] if work.outcome else 0
    console.show(_lines(work, took, console.width))
    console.answer({**document.work(work, code), "seconds": round(took, 3)})
    return code


def _lines(work: Work, took: float, width: int) -> list[Line]:
    from prefect_sluice.render.outcome import outcome_lines, rollback_line
    from prefect_sluice.stages.work import Status
    from prefect_sluice.workshop import Workshop

    generation = work.generation
    if generation is None or (work.outcome and work.outcome.status is not Status.DONE):
        return outcome_lines(work, width=width)
    workshop = Workshop.at(work.request.folder)
    warehouse = workshop.warehouse(workshop.place(work.request.environment))
    origin = next(
        (item for item in warehouse.history(generation.environment) if item.number == generation.origin), None
    )
    return [rollback_line(generation, workshop.store.release(generation.release), origin, took)]
