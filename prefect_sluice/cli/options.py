"""The options that commands share, each defined once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from prefect_sluice.cli.console import Console

_Command = TypeVar("_Command", bound=Callable[..., Any])
Decorator = Callable[[_Command], _Command]


def _duration(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """Return a duration as sluice.yml writes it: 90s, 10m, 72h, 7d."""
    from prefect_sluice.config.base import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def common(command: _Command) -> _Command:
    """Add what every command takes: --folder as `folder`, --json and --no-color as one `console`."""
    for option in (_FOLDER, _JSON, _COLOUR):
        command = option(command)
    return command


def _console(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Put --json, --no-color and --quiet together into the parameter `console`."""
    before: Console = ctx.params.get("console", Console())
    as_json = value if param.name == "as_json" else before.json
    colour = not value if param.name == "no_color" else before.colour
    silent = value if param.name == "quiet" else before.quiet
    ctx.params["console"] = Console(as_json, colour, silent)


_FOLDER = click.option(
    "-C",
    "--folder",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where sluice.yml is looked for.",
)
_JSON = click.option(
    "--json", "as_json", is_flag=True, expose_value=False, callback=_console, help="Print one JSON document."
)
_COLOUR = click.option(
    "--no-color", is_flag=True, expose_value=False, callback=_console, help="Print without colours."
)

quiet = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_console,
    help="Print only what did not go well.",
)
environment = click.option(
    "--env", "environment", default="", metavar="NAME", help="The environment. Default: the default one."
)
actor = click.option(
    "--as",
    "actor",
    default="",
    metavar="NAME",
    help="Who you are. Default: git's user.name, else your login.",
)
wait = click.option(
    "--wait",
    callback=_duration,
    default="0s",
    metavar="TIME",
    help="How long to wait for another release of it: 90s, 10m, 2h.",
)
wait_for_checks = click.option(
    "--wait",
    callback=_duration,
    default="10m",
    metavar="TIME",
    help="How long to wait for another check of it: 90s, 10m, 2h. Default: 10m.",
)
base = click.option(
    "--base",
    default="",
    metavar="REF",
    help="Tell apart what this branch changes, what REF has and does not serve yet, and new data.",
)
_VIA = click.option(
    "--via",
    type=click.Choice(["auto", "local", "prefect"]),
    default="auto",
    help="Who runs the stages. Auto: Prefect if PREFECT_API_URL is set, else this process.",
)


def of_stages(command: _Command) -> _Command:
    """Add what each command takes that walks the stages: --wait, --as, --via, --quiet, and what every command takes."""
    return of_check(wait(command))


def of_check(command: _Command) -> _Command:
    """Add the same but for --wait."""
    for option in (common, quiet, _VIA, actor):
        command = option(command)
    return command
