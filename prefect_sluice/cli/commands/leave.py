"""`sluice leave`: removes Sluice from a warehouse. Plain tables and views stay, as dbt would have left them."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.domain.digests import Json
    from prefect_sluice.maintenance.leave import LeaveOutcome, LeavePlan


@click.command()
@click.argument("environment", metavar="[ENV]", default="")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@options.wait
@options.actor
@options.common
def leave(
    environment: str,
    yes: bool,
    dry_run: bool,
    wait: timedelta,
    actor: str,
    folder: Path,
    console: Console,
) -> int:
    """Write plain tables back under the public names, and forget an environment.

    Afterwards the warehouse needs nothing of Sluice, and `dbt build` works as it did before. What went before
    in the store is dropped, so no rollback leads behind it.
    """
    from prefect_sluice.cli.progress import progress
    from prefect_sluice.maintenance import leave as stage
    from prefect_sluice.reporting.terminal.leaving import leaving_lines, left_lines
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    resolved = workspace.environment(environment or None)
    leaving = stage.plan_leave(workspace, resolved)
    console.show(leaving_lines(resolved.name, leaving, width=console.width))
    if dry_run:
        console.answer(_planned(resolved.name, leaving))
        return 0
    if leaving.generation.number and not yes:
        _ask(resolved.name, console)
    with progress(console):
        left = stage.leave(workspace, resolved, actor=who(actor, folder), wait=wait)
    console.show(left_lines(resolved.name, left, width=console.width))
    console.answer(_leave_document(resolved.name, left))
    return 0


def _ask(environment: str, console: Console) -> None:
    from prefect_sluice.domain.errors import BadInput

    if console.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput("nobody is here to ask", fix=f"say that you mean it: sluice leave {environment} --yes")
    click.confirm(f"Leave {environment}? No rollback leads back", abort=True)


def _planned(environment: str, leaving: LeavePlan) -> Json:
    return {
        "environment": environment,
        "generation": leaving.generation.number,
        "relations": [
            {"name": str(departure.name), "becomes": "view" if departure.sql else "table"}
            for departure in leaving.departures
        ],
        "publish": leaving.expected.facts(),
        "dry_run": True,
    }


def _leave_document(environment: str, left: LeaveOutcome) -> Json:
    return {
        "environment": environment,
        "generation": left.generation.number,
        "relations": [
            {"name": str(departure.name), "becomes": "view" if departure.sql else "table"}
            for departure in left.departures
        ],
        "remains": [str(name) for name in left.remains],
        "publish": left.published.facts() if left.published else None,
        "dry_run": False,
    }
