"""Any argument, of any command: no internal error, no traceback, one short line. Taken from the commands' own parameters."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from prefect_sluice.cli import COMMANDS, cli

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ODD = (
    "^HEAD",
    "HEAD..HEAD",
    "n" * 5000,
    "1" * 5000,
    "9" * 20,
    "²",
    "-1",
    "\udcff\udcfe",
    "\ud800",
    "a\0b",
    "../" * 2000,
    "é" * 200,
    "--",
    "",
    " ",
    "\x1b[31m\r\n",
    "{{ x }}",
    "%s%n{}",
    "'; drop table x; --",
    "9999-12-31T23:59-14:00",
    "999999999d",
)
SAME = ("actor", "reason", "comment", "as_json", "no_color", "help")
"""Parameters that any text will do for, and that all commands share; those are tried at one of them."""
STARTS = {"up", "completion", "open", "init"}
"""Commands that start a server or a browser, or write beside the project; they get no argument that may be good."""


def parameters() -> Iterator[tuple[str, click.Parameter]]:
    """Yield each parameter of each command that takes a text."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        for parameter in command.params:
            flag = isinstance(parameter, click.Option) and parameter.is_flag
            if not flag and parameter.name not in SAME and name not in STARTS:
                yield name, parameter
    yield "hold", next(item for item in cli.get_command(context, "hold").params if item.name == "reason")  # type: ignore[union-attr]


def words(name: str, parameter: click.Parameter, odd: str) -> list[str]:
    """Return the arguments that give a parameter an odd value."""
    given = [parameter.opts[-1], odd] if isinstance(parameter, click.Option) else [odd]
    return [name, *given]


@pytest.mark.parametrize("odd", ODD, ids=[ascii(odd)[:20] for odd in ODD])
def test_an_odd_argument_is_told_in_one_line(
    odd: str, run: Run, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")  # some are good names of files
    dice = random.Random(ascii(odd))
    chosen = dice.sample(list(parameters()), 12)
    for name, parameter in chosen:
        folder = [] if parameter.name == "folder" else ["-C", str(released)]
        # What would be good enough to begin is stopped by an environment that is none.
        nowhere = parameter.name in {"wait", "limit", "output", "write", "form"}
        there = ["--env", "nowhere"] if nowhere and _has_environment(name) else []
        answer = run(*words(name, parameter, odd), *folder, *there)
        shown = (words(name, parameter, odd)[:2], ascii(answer.err)[:300])
        assert answer.code in {0, 1, 2}, shown
        assert "internal error" not in answer.err, shown
        assert "Traceback" not in answer.err + answer.out, shown
        assert len(answer.err) < 1500, shown
        if answer.code == 2:
            assert answer.err.count("\n") == 1, shown


def _has_environment(name: str) -> bool:
    command = cli.get_command(click.Context(cli), name)
    return command is not None and any("--env" in item.opts for item in command.params)


@pytest.mark.parametrize(
    "name", ["SLUICE_STATE", "SLUICE_ACTOR", "SLUICE_BUNDLES", "SLUICE_HOME", "SLUICE_REPORTS_URL"]
)
@pytest.mark.parametrize("value", ["\udcff", "n" * 5000, "x://[", "sqlite://", "1" * 20])
def test_an_odd_variable_is_told_in_one_line(
    name: str, value: str, run: Run, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    answer = run("status", "-C", shared)
    assert answer.code in {0, 1, 2}
    assert "internal error" not in answer.err
    assert len(answer.err) < 1500


@pytest.mark.parametrize(
    "name", ["sluice.yml", "profiles.yml", "dbt_project.yml", "dev.duckdb", ".sluice", "models", "."]
)
@pytest.mark.parametrize("command", ["status", "plan"])
def test_a_link_that_leads_to_itself_is_told_in_one_line(
    name: str, command: str, run: Run, project: Path, tmp_path: Path
) -> None:
    folder = project
    if name == ".":
        folder = tmp_path / "loop"
        folder.symlink_to(folder)
    else:
        path = project / name
        if path.exists():
            path.rename(tmp_path / "away")
        path.symlink_to(path)
    answer = run(command, "-C", folder)
    assert answer.code in {0, 1, 2}
    assert "internal error" not in answer.err
    assert "Traceback" not in answer.err
