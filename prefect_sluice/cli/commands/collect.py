"""`sluice collect`: drops what no kept generation, waiting promotion or view needs, and says what that freed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console


@click.command()
@click.option(
    "--env", "environment", default="", metavar="NAME", help="The environment. Default: all of them."
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option(
    "--drop-history",
    "drop_history",
    multiple=True,
    metavar="SCHEMA.NAME",
    help="A name that no release serves any more, and whose history may go. Can be given several times.",
)
@options.wait
@options.actor
@options.quiet
@options.common
def collect(
    environment: str,
    dry_run: bool,
    drop_history: tuple[str, ...],
    wait: timedelta,
    actor: str,
    folder: Path,
    console: Console,
) -> int:
    """Drop relations and files that nothing needs any more.

    What stays is said by environments.NAME.keep in sluice.yml. Without --env, checkouts and bundle files are
    looked at, too. The only history of a name that is served no more stays until --drop-history names it.
    """
    from prefect_sluice.cli.progress import progress
    from prefect_sluice.maintenance import collect as core
    from prefect_sluice.promotions.lookups import existing_store
    from prefect_sluice.reporting.terminal import collected
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    if environment:
        workspace.environment(environment)
    if existing_store(workspace) is None and not any(
        p.database.exists() for p in workspace.environments.values()
    ):
        done = core.Collected(dry_run, (), ())
    else:
        with progress(console):
            request = core.CollectRequest(folder, environment, dry_run, who(actor, folder), drop_history)
            done = core.collect(request, wait=wait, workspace=workspace)
    console.show(collected.lines(done, workspace.root, width=console.width))
    console.answer(collected.document(done, workspace.root))
    return 0
