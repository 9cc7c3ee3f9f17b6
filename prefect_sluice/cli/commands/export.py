"""`sluice export` and `sluice import`: an environment in a folder, for checks on another machine, and that put in place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.domain.digests import Json
    from prefect_sluice.state.exported import Export

_TARGET = click.argument("target", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False))


@click.command()
@_TARGET
@click.option(
    "--for",
    "purpose",
    type=click.Choice(["ci"]),
    default="ci",
    help="What it is for: a check on another machine.",
)
@options.environment
@options.common
def export(target: Path, purpose: str, environment: str, folder: Path, console: Console) -> int:
    """Write an environment into a folder, for checks on another machine.

    FOLDER must not be there yet. It holds the warehouse, the state store and the code of what serves, all of one moment, for
    you alone to read. Rows that gates showed are left out; the rows of the warehouse are in it.
    """
    from prefect_sluice.maintenance.export import export as write
    from prefect_sluice.workspace.workspace import Workspace

    del purpose  # there is one so far
    workspace = Workspace.at(folder)
    _tell(
        write(workspace, workspace.environment(environment or None), target),
        f"exported to {target}",
        target,
        console,
    )
    return 0


@click.command("import")
@_TARGET
@options.actor
@options.common
def import_(target: Path, actor: str, folder: Path, console: Console) -> int:
    """Put an exported environment in place, to check commits beside it.

    FOLDER is the folder that `sluice export` made. The warehouse goes where the profile of this machine says, the state store
    where sluice.yml says; neither may be there yet. The same export again changes nothing.
    """
    from prefect_sluice.maintenance.export import put_in_place
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    _ = workspace.folder
    placed = put_in_place(workspace, target, actor=who(actor, folder))
    what = "in place" if placed.anew else "nothing changed: it is there already"
    _tell(placed.exported, f"{what}, from {target}", target, console, changed=placed.anew)
    return 0


def _tell(exported: Export, what: str, target: Path, console: Console, **more: Json) -> None:
    from prefect_sluice.reporting.styled_text import faint, line

    check = f"sluice check --env {exported.environment}"
    serves = f"{exported.environment}, generation {exported.generation}, release {exported.release[:7]}"
    console.show([line(f"{what}: {serves}"), line(faint(f"check a commit beside it: {check}"))])
    console.answer({"folder": str(target), **exported.document(), **more})
