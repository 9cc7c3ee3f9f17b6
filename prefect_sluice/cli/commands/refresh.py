"""`sluice refresh`: the code that serves, on the data that is there now."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console


@click.command()
@options.environment
@click.option(
    "-s",
    "--select",
    multiple=True,
    metavar="SELECTOR",
    help="Refresh only what these dbt selectors match, and what reads it.",
)
@options.of_stages
def refresh(
    environment: str,
    select: tuple[str, ...],
    wait: timedelta,
    actor: str,
    via: str,
    folder: Path,
    console: Console,
) -> int:
    """Build what new data changed, with the code that serves now.

    The same gates look at it as at a release, so readers never see a half-loaded night.
    """
    from prefect_sluice.cli.run_stages import run_and_show
    from prefect_sluice.promotions.request import RefreshRequest

    chosen = " ".join(word for words in select for word in words.split())
    if select and not chosen:
        raise click.UsageError("--select names nothing")
    request = RefreshRequest(folder, environment, chosen, actor=who(actor, folder))
    return run_and_show(request, console, wait=wait, via=via)
