"""`sluice refresh`: the code that serves, on the data that is there now."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console
from prefect_sluice.cli.who import actor as who


@click.command()
@options.environment
@options.wait
@options.actor
@options.via
@options.common
def refresh(environment: str, wait: timedelta, actor: str, via: str, folder: Path, console: Console) -> int:
    """Build what new data changed, with the code that serves now.

    The same gates look at it as at a release, so readers never see a half-loaded night.
    """
    from prefect_sluice.cli.running import run_and_show
    from prefect_sluice.generation import Cause
    from prefect_sluice.stages.work import Request

    request = Request(folder, environment, Cause.REFRESH, "", actor=who(actor, folder))
    return run_and_show(request, console, wait=wait, via=via)
