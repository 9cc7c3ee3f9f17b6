"""`sluice promote`: a release that serves in one environment, made current in the next."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console


@click.command()
@click.argument("release", default="")
@click.option("--to", required=True, metavar="ENV", help="The environment that gets it.")
@click.option(
    "--from",
    "origin",
    default="",
    metavar="ENV",
    help="Promote what this one serves. Default: the one before --to.",
)
@click.option(
    "--select",
    default="",
    metavar="SELECTOR",
    help="Promote only what dbt's selector matches, the rest stays as it is.",
)
@click.option(
    "--report",
    default="",
    metavar="NAME",
    help="Promote only what this dashboard (a dbt exposure) reads.",
)
@click.option("--plan", is_flag=True, help="Show what it would do, and do nothing.")
@options.of_stages
def promote(
    release: str,
    to: str,
    origin: str,
    select: str,
    report: str,
    plan: bool,
    wait: timedelta,
    actor: str,
    via: str,
    folder: Path,
    console: Console,
) -> int:
    """Take what serves in one environment into the next.

    RELEASE is the beginning of a release's id, or of its commit; by default what the environment before serves. Its
    own bundle is taken, not git. Running it again after a crash or a yes goes on where it was.
    """
    from prefect_sluice.cli.commands.plan import show_planned
    from prefect_sluice.cli.run_stages import run_and_show
    from prefect_sluice.promotions.request import PromoteRequest

    name, chosen = who(actor, folder), " ".join(select.split())
    request = PromoteRequest(folder, to, release, origin, chosen, report.strip(), actor=name)
    return show_planned(request, console) if plan else run_and_show(request, console, wait=wait, via=via)
