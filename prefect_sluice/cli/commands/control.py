"""`sluice hold`, `freeze`, `block`, and the commands that lift them. They need neither Prefect, dbt nor the warehouse."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.domain.controls import Control, ControlKind
    from prefect_sluice.promotions.controls import PlacedControl
    from prefect_sluice.workspace.workspace import Workspace

_REASON = click.option(
    "--reason", required=True, metavar="TEXT", help="Why; kept in the ledger, and told to whoever is stopped."
)
_ALL = click.option("--all", "everywhere", is_flag=True, help="Every environment.")


def _until(_ctx: click.Context, _param: click.Parameter, value: str) -> datetime | None:
    """Return the end of a freeze."""
    from prefect_sluice.config.base import parse_end
    from prefect_sluice.runtime import process

    try:
        return parse_end(value, process.now()) if value else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("environment", metavar="ENV")
@_REASON
@options.actor
@options.common
def hold(environment: str, reason: str, actor: str, folder: Path, console: Console) -> int:
    """Pin an environment where it is.

    No release, refresh or promotion changes it until the hold is lifted. A rollback does.
    """
    from prefect_sluice.domain.controls import ControlKind
    from prefect_sluice.promotions.controls import place
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    target = workspace.environment(environment).name
    placed = place(workspace, ControlKind.HOLD, target, by=who(actor, folder), reason=reason)
    return _tell_placed(workspace, placed, console)


@click.command()
@click.argument("environment", metavar="[ENV]", default="")
@_ALL
@_REASON
@click.option(
    "--until",
    callback=_until,
    default="",
    metavar="TIME",
    help="When it ends by itself: 12h, 2d, 2026-12-24, 2026-12-24T18:00+01:00. Default: when it is lifted.",
)
@options.actor
@options.common
def freeze(
    environment: str,
    everywhere: bool,
    reason: str,
    until: datetime | None,
    actor: str,
    folder: Path,
    console: Console,
) -> int:
    """Stop everything, in one environment or in all.

    No release, refresh or promotion changes anything there until the freeze ends or is lifted. A rollback does.
    """
    from prefect_sluice.domain.controls import EVERYWHERE, ControlKind
    from prefect_sluice.promotions.controls import place
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    _one_of(environment, everywhere)
    target = EVERYWHERE if everywhere else workspace.environment(environment).name
    placed = place(workspace, ControlKind.FREEZE, target, by=who(actor, folder), reason=reason, until=until)
    return _tell_placed(workspace, placed, console)


@click.command()
@click.argument("release", metavar="RELEASE")
@_REASON
@options.actor
@options.common
def block(release: str, reason: str, actor: str, folder: Path, console: Console) -> int:
    """Say that a release is bad.

    It is not released, promoted, refreshed or rolled back to anywhere until the block is lifted. RELEASE is the
    beginning of its id, or of its commit.
    """
    from prefect_sluice.domain.controls import ControlKind
    from prefect_sluice.promotions.controls import place
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    target = _release(workspace, release)
    placed = place(workspace, ControlKind.BLOCK, target, by=who(actor, folder), reason=reason)
    return _tell_placed(workspace, placed, console, _served_by(workspace, target))


@click.command()
@click.argument("environment", metavar="ENV")
@_REASON
@options.actor
@options.common
def unhold(environment: str, reason: str, actor: str, folder: Path, console: Console) -> int:
    """Lift the holds of an environment.

    Those of a rollback, too. A freeze or a block stays.
    """
    from prefect_sluice.domain.controls import ControlKind
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    return _lift(
        workspace, _environment(workspace, environment), who(actor, folder), reason, console, ControlKind.HOLD
    )


@click.command()
@click.argument("environment", metavar="[ENV]", default="")
@_ALL
@_REASON
@options.actor
@options.common
def unfreeze(
    environment: str, everywhere: bool, reason: str, actor: str, folder: Path, console: Console
) -> int:
    """Lift a freeze, of one environment or of all.

    With --all, the freeze of every environment; those of single environments stay. A hold or a block stays.
    """
    from prefect_sluice.domain.controls import EVERYWHERE, ControlKind
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    _one_of(environment, everywhere)
    target = EVERYWHERE if everywhere else _environment(workspace, environment)
    return _lift(workspace, target, who(actor, folder), reason, console, ControlKind.FREEZE)


@click.command()
@click.argument("release", metavar="RELEASE")
@_REASON
@options.actor
@options.common
def unblock(release: str, reason: str, actor: str, folder: Path, console: Console) -> int:
    """Say that a release is good again.

    RELEASE is the beginning of its id, or of its commit.
    """
    from prefect_sluice.domain.controls import ControlKind
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    return _lift(
        workspace, _release(workspace, release), who(actor, folder), reason, console, ControlKind.BLOCK
    )


@click.command("release-hold")
@click.argument("target", metavar="[ENV|RELEASE]", default="")
@_ALL
@_REASON
@options.actor
@options.common
def release_hold(
    target: str, everywhere: bool, reason: str, actor: str, folder: Path, console: Console
) -> int:
    """Lift a hold, freeze or block, whichever it is.

    Of an environment every hold and freeze, of a release its block; what was lifted is told. With --all, the
    freeze of every environment; those of single environments stay.
    """
    from prefect_sluice.domain.controls import EVERYWHERE
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    _one_of(target, everywhere)
    exactly = EVERYWHERE if everywhere else _target(workspace, target)
    return _lift(workspace, exactly, who(actor, folder), reason, console)


def _lift(
    workspace: Workspace, target: str, by: str, reason: str, console: Console, kind: ControlKind | None = None
) -> int:
    from prefect_sluice.promotions.controls import lift

    lifted = lift(workspace, target, by=by, reason=reason, kind=kind)
    return _tell_lifted(workspace, lifted, target, console)


def _environment(workspace: Workspace, name: str) -> str:
    """Return the name of an environment, also of one that is no longer in sluice.yml but is still stopped."""
    held = {control.target for control in workspace.store.controls()}
    return name if name in held else workspace.environment(name).name


def _one_of(target: str, everywhere: bool) -> None:
    from prefect_sluice.domain.errors import BadInput

    if everywhere == bool(target):
        given = f"both {target!r} and --all were given" if target else "it is not said where"
        raise BadInput(given, fix="name one environment, or say --all")


def _target(workspace: Workspace, text: str) -> str:
    """Return the environment of that name, else the whole id of the release that is meant."""
    held = {control.target for control in workspace.store.controls()}
    return text if text in workspace.environments or text in held else _release(workspace, text)


def _release(workspace: Workspace, text: str) -> str:
    """Return the whole id of the release whose id, or whose commit, begins so. Raises BadInput for none or several."""
    from prefect_sluice.domain.errors import BadInput
    from prefect_sluice.promotions.lookups import releases_of

    releases = list(releases_of(workspace.store, text))
    if not releases:
        environments = ", ".join(workspace.environments)
        raise BadInput(
            f"there is no environment and no release {text!r} (environments: {environments})",
            fix="see which releases there are: sluice history",
        )
    if len(releases) > 1:
        names = ", ".join(release.id[:12] for release in releases)
        raise BadInput(f"{text!r} is more than one release: {names}", fix="name one of them")
    return releases[0].id


def _served_by(workspace: Workspace, release: str) -> tuple[str, ...]:
    """Return the environments that serve a release now, as far as their warehouses can be asked."""
    from contextlib import suppress

    from prefect_sluice.domain.errors import SluiceError

    served: list[str] = []
    for environment in workspace.environments.values():
        with suppress(SluiceError):
            if workspace.warehouse(environment).generation(environment.name).release == release:
                served.append(environment.name)
    return tuple(served)


def _tell_placed(
    workspace: Workspace, placed: PlacedControl, console: Console, served: tuple[str, ...] = ()
) -> int:
    from prefect_sluice.reporting import json_documents
    from prefect_sluice.reporting.terminal.controls import placed_lines
    from prefect_sluice.reporting.write_pages import renew_all_after_answer

    renew_all_after_answer(workspace)
    console.show(placed_lines(placed.control, fresh=placed.fresh, served=served))
    console.answer({
        "control": json_documents.control(placed.control),
        "fresh": placed.fresh,
        "served_by": list(served),
        "next": placed.control.lift,
        "exit_code": 0,
    })  # fmt: skip
    return 0


def _tell_lifted(workspace: Workspace, lifted: tuple[Control, ...], target: str, console: Console) -> int:
    from prefect_sluice.domain.controls import ControlKind, on
    from prefect_sluice.promotions.controls import current
    from prefect_sluice.reporting import json_documents
    from prefect_sluice.reporting.terminal.controls import lifted_lines
    from prefect_sluice.reporting.write_pages import renew_all_after_answer

    renew_all_after_answer(workspace)
    is_block = any(control.kind is ControlKind.BLOCK for control in lifted)
    left = () if is_block else on(current(workspace), target)
    console.show(lifted_lines(lifted, left))
    console.answer({
        "lifted": [json_documents.control(control) for control in lifted],
        "in_force": [json_documents.control(control) for control in left],
        "exit_code": 0,
    })  # fmt: skip
    return 0
