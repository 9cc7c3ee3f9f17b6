"""`sluice check`: a commit through Source, Build, Test and Stage, and nothing published."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console


@click.command()
@click.argument("ref", default="HEAD")
@options.environment
@options.wait_for_checks
@options.of_check
def check(
    ref: str, environment: str, wait: timedelta, actor: str, via: str, folder: Path, console: Console
) -> int:
    """Build and judge a commit as its release would be, and publish nothing.

    REF is a commit, branch or tag; HEAD by default. What changed is built off to the side on the environment's data, and
    every gate is asked. Nobody is asked for a yes, what waits for one goes on waiting, and a hold or freeze does not stop it.
    A release of the same commit afterwards takes what was built here. Exit code 0: every gate said yes.
    """
    from prefect_sluice.cli.run_stages import run_and_show
    from prefect_sluice.promotions.request import CheckRequest

    request = CheckRequest(folder, environment, ref, actor=who(actor, folder))
    return run_and_show(request, console, wait=wait, via=via)
