"""`sluice doctor`: every disagreement between state store, warehouse, bundles and files, with the command that helps."""

from __future__ import annotations

from pathlib import Path

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console


@click.command()
@click.option(
    "--env", "environment", default="", metavar="NAME", help="The environment. Default: all of them."
)
@click.option("--repair", is_flag=True, help="Do what is safe, then look again.")
@click.option("--deep", is_flag=True, help="Read all rows of kept generations again, too.")
@options.actor
@options.common
def doctor(environment: str, repair: bool, deep: bool, actor: str, folder: Path, console: Console) -> int:
    """Find what does not agree, and repair what is safe.

    Exit code 0: nothing is wrong. 1: something is; each line says what it means and what to do.
    """
    from prefect_sluice.maintenance.doctor import examine
    from prefect_sluice.reporting.terminal import complaints
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    if repair:
        report = examine.repair(workspace, environment, actor=who(actor, folder), deep=deep)
    else:
        report = examine.examine(workspace, environment, deep=deep)
    console.show(complaints.lines(report))
    console.answer(complaints.document(report))
    return 0 if report.is_clean else 1
