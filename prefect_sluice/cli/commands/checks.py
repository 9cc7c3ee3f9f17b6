"""`sluice checks`: what the checks of commits came to."""

from __future__ import annotations

from pathlib import Path

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console


@click.command()
@click.option(
    "--env", "environment", default="", metavar="NAME", help="Only of this environment. Default: all."
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many lines to show."
)
@options.common
def checks(environment: str, limit: int, folder: Path, console: Console) -> int:
    """List what checks of commits came to, newest first.

    Each commit stands there once for each environment, with its last check. All about one: sluice show, with the id in the
    last column.
    """
    from prefect_sluice.promotions.lookups import existing_store
    from prefect_sluice.reporting.terminal.check_results import check_document, checks_lines
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    name = workspace.environment(environment).name if environment else None
    store = existing_store(workspace)
    results = store.checks(name, limit=limit) if store is not None else ()
    console.page(checks_lines(results, width=console.width))
    console.answer({"checks": [check_document(result) for result in results]})
    return 0
