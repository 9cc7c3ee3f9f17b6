"""`sluice release`: a commit through all stages."""

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
@click.option(
    "--dirty", is_flag=True, help="Release the working tree as it is; only where no approval is needed."
)
@click.option(
    "--adopt", is_flag=True, help="Take over what stands under the project's names; a first release only."
)
@options.of_stages
def release(
    ref: str,
    environment: str,
    dirty: bool,
    adopt: bool,
    wait: timedelta,
    actor: str,
    via: str,
    folder: Path,
    console: Console,
) -> int:
    """Take a commit through the stages into an environment.

    REF is a commit, branch or tag; HEAD by default. What did not change is not built. Running it again after
    a crash or a yes goes on where it was.
    """
    from prefect_sluice.cli.run_stages import run_and_show
    from prefect_sluice.promotions.request import ReleaseRequest

    request = ReleaseRequest(folder, environment, ref, dirty, adopt, actor=who(actor, folder))
    return run_and_show(request, console, wait=wait, via=via)
