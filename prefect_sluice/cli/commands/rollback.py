"""`sluice rollback`: an older generation, served again at once. Needs no Prefect, no dbt and no approval."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.domain.controls import Control
    from prefect_sluice.domain.digests import Json
    from prefect_sluice.domain.generation import Generation
    from prefect_sluice.promotions.work import Work
    from prefect_sluice.reporting.styled_text import Line


@click.command()
@click.option(
    "--to",
    default="",
    metavar="GENERATION|RELEASE",
    help="Where to go back to. Default: what another release served before.",
)
@click.option(
    "--from",
    "back_from",
    type=click.IntRange(min=1),
    metavar="GENERATION",
    help="Only if this generation serves, and nobody went back from it yet.",
)
@click.option("--no-hold", is_flag=True, help="Leave the environment open to the next release or refresh.")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is the hold's reason, too.")
@click.option("--catch-up", is_flag=True, help="Refresh the older code's data afterwards, through its gates.")
@options.environment
@options.wait
@options.actor
@options.quiet
@options.common
def rollback(
    to: str,
    back_from: int | None,
    no_hold: bool,
    reason: str,
    catch_up: bool,
    environment: str,
    wait: timedelta,
    actor: str,
    folder: Path,
    console: Console,
) -> int:
    """Serve an older generation again, at once.

    Nothing is built, and no row moves. What comes after it stays, to go forward to again. A hold keeps the
    environment there until it is lifted: sluice unhold. Asked for again, it is no change: one more step
    back is asked for by --to, or by --from and the generation that serves now.
    """
    from prefect_sluice import pipeline
    from prefect_sluice.cli.progress import waits
    from prefect_sluice.cli.run_stages import EXIT_CODES
    from prefect_sluice.promotions.request import RollbackFollowUp, RollbackRequest
    from prefect_sluice.reporting import json_documents

    after = RollbackFollowUp(hold=not no_hold, reason=reason, catch_up=catch_up)
    request = RollbackRequest(folder, environment, to, after, back_from or 0, actor=who(actor, folder))
    started = perf_counter()
    with waits(console):
        work = pipeline.run(request, wait=wait)
    took = perf_counter() - started
    code = EXIT_CODES[work.outcome.status] if work.outcome else 0
    hold, despite = _in_the_way(work)
    origin = _origin(work)
    console.told(code).show([*_lines(work, origin, took, console.width), *_control_lines(hold, despite)])
    code, caught = (code, None) if code else _catch_up(work, wait, console)
    console.answer({
        **json_documents.work(work, code),
        "seconds": round(took, 3),
        "data_as_of": origin.at.isoformat() if origin else None,
        "hold": json_documents.control(hold) if hold else None,
        "despite": [json_documents.control(control) for control in despite],
        "catch_up": caught,
    })  # fmt: skip
    return code


def _in_the_way(work: Work) -> tuple[Control | None, tuple[Control, ...]]:
    """Return the hold that this rollback placed, and the holds and freezes that did not stop it."""
    from prefect_sluice.domain.controls import on
    from prefect_sluice.promotions.controls import current

    mine = work.promotion.id if work.promotion else ""
    there = on(current(work.workspace.anew()), work.request.environment)
    hold = next((control for control in there if mine and control.promotion == mine), None)
    return hold, tuple(control for control in there if control != hold)


def _origin(work: Work) -> Generation | None:
    """Return the generation whose data is served again."""

    if work.generation is None:
        return None
    workspace = work.workspace
    history = workspace.warehouse(workspace.environment(work.request.environment)).history(
        work.generation.environment
    )
    return next((generation for generation in history if generation.number == work.generation.origin), None)


def _lines(work: Work, origin: Generation | None, took: float, width: int) -> list[Line]:
    from prefect_sluice.promotions.work import Status
    from prefect_sluice.reporting.terminal.outcome import outcome_lines, rollback_line
    from prefect_sluice.runtime import process

    generation = work.generation
    if generation is None or (work.outcome and work.outcome.status is not Status.DONE):
        return outcome_lines(work, width=width)
    release = work.workspace.store.release(generation.release)
    return [rollback_line(generation, release, origin, took, process.now())]


def _control_lines(hold: Control | None, despite: tuple[Control, ...]) -> list[Line]:
    from prefect_sluice.reporting.terminal.controls import despite_lines, own_hold_line

    return [*despite_lines(despite), *([own_hold_line(hold)] if hold else [])]


def _catch_up(work: Work, wait: timedelta, console: Console) -> tuple[int, Json]:
    """Refresh the older code's data, if that was asked for; return the exit code and the document of it.

    The rollback is done by now, so what goes wrong here is told beside it and not in its place.
    """
    from prefect_sluice import pipeline
    from prefect_sluice.cli.progress import progress
    from prefect_sluice.cli.run_stages import EXIT_CODES
    from prefect_sluice.domain.errors import SluiceError
    from prefect_sluice.reporting import json_documents
    from prefect_sluice.reporting.terminal.outcome import outcome_lines, trouble_line

    try:
        with progress(console):
            done = pipeline.catch_up(work, wait=wait)
    except SluiceError as error:
        again = f"sluice rollback --catch-up --env {work.request.environment}"
        console.told(error.exit_code).show([trouble_line(f"not caught up: {error}", again)])
        return error.exit_code, {"error": str(error), "exit_code": error.exit_code, "next": again}
    if done is None:
        return 0, None
    code = EXIT_CODES[done.outcome.status] if done.outcome else 0
    console.told(code).show(outcome_lines(done, width=console.width))
    return code, json_documents.work(done, code)
