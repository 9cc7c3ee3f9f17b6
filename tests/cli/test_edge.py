"""The edge itself: what is loaded, what is written where, and how things end."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from prefect_sluice.cli import COMMANDS, GROUPS, cli, main
from prefect_sluice.cli.examples import EXAMPLES
from prefect_sluice.cli.failures import failed
from prefect_sluice.domain.errors import DbtFailed, Refused

SLUICE = [sys.executable, "-m", "prefect_sluice.cli"]


def test_each_command_is_what_the_table_says() -> None:
    context = click.Context(cli)
    for name, (_, told) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.get_short_help_str(limit=200) == told


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_takes_the_common_options(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--json", "--folder", "-C", "--no-color"} <= options


def test_each_command_stands_in_one_group_of_the_help() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(COMMANDS)


EXAMPLE_LINES = [(name, line) for name, rows in EXAMPLES.items() for line, _ in rows]


@pytest.mark.parametrize(("name", "line"), EXAMPLE_LINES, ids=[line for _, line in EXAMPLE_LINES])
def test_each_example_of_a_help_can_be_typed(name: str, line: str) -> None:
    words = shlex.split(line)
    assert words[0] == "sluice"
    command = cli.get_command(click.Context(cli), words[1])
    assert command is not None
    command.make_context(words[1], words[2:])  # raises where the words are off


@pytest.mark.parametrize("name", COMMANDS)
def test_each_help_ends_with_two_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out.partition("Examples:\n")[2].strip().splitlines()
    assert [line.partition("  #")[0].strip() for line in shown] == [line for line, _ in EXAMPLES[name]]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("relase", "release"),
        ("roll-back", "rollback"),
        ("deploy", "release"),
        ("undo", "rollback"),
        ("histroy", "history"),
    ],
)
def test_a_mistyped_command_names_the_one_that_was_meant(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([typed]) == 2
    assert (
        capsys.readouterr().err
        == f"sluice: No such command {typed!r}. Did you mean {meant!r}?; see sluice --help\n"
    )


def test_a_word_that_is_near_no_command_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xyzzy"]) == 2
    assert capsys.readouterr().err == "sluice: No such command 'xyzzy'; see sluice --help\n"


def test_help_imports_no_command() -> None:
    program = (
        "import sys\nfrom prefect_sluice.cli import main\nmain(['--help'])\n"
        "own = [name for name in sys.modules if name.startswith('prefect_sluice')]\n"
        "after = ['prefect_sluice.runtime', 'prefect_sluice.runtime.after_answer']\n"
        "assert sorted(own) == ['prefect_sluice', 'prefect_sluice.cli', *after], own\n"
        "assert 'rich' not in sys.modules and 'yaml' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


def test_status_of_nothing_loads_no_engine(tmp_path: Path) -> None:
    (tmp_path / "sluice.yml").write_text("")
    (tmp_path / "dbt_project.yml").write_text("profile: p\n")
    (tmp_path / "profiles.yml").write_text("p: {outputs: {dev: {type: duckdb, path: d.duckdb}}}\n")
    program = (
        "import sys\nfrom prefect_sluice.cli import main\ncode = main(['status', '-C', sys.argv[1]])\n"
        "assert not {'dbt', 'prefect', 'duckdb', 'sqlalchemy'} & set(sys.modules)\nsys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing is served yet" in done.stdout


def test_in_a_pipe_there_are_no_escape_codes(tmp_path: Path) -> None:
    (tmp_path / "sluice.yml").write_text("bad: key\n")
    done = subprocess.run([*SLUICE, "status", "-C", tmp_path], capture_output=True, check=False)
    assert done.returncode == 2
    assert b"\x1b" not in done.stdout + done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*SLUICE, "--help"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert done.stderr == b""


def test_without_arguments_it_helps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "sluice init" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from prefect_sluice import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sluice {__version__}\n"


def test_an_interrupt_that_dbt_caught_is_one(capfd: pytest.CaptureFixture[str]) -> None:
    error = DbtFailed("dbt build: ", fix="mend the project and commit")
    error.__cause__ = KeyboardInterrupt()
    assert failed(error, as_json=True) == 130
    answer = capfd.readouterr()
    assert answer.err.startswith("sluice: interrupted")
    assert json.loads(answer.out)["exit_code"] == 130


@pytest.mark.parametrize(
    ("via", "server", "answer"),
    [
        ("auto", "", False),
        ("auto", "http://localhost", True),
        ("local", "http://localhost", False),
        ("prefect", "", True),
    ],
)
def test_who_runs_the_stages(via: str, server: str, answer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect_sluice.cli.run_stages import wants_prefect

    monkeypatch.setenv("PREFECT_API_URL", server)
    assert wants_prefect(via) is answer


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (Refused("no\n\x1b[31mway", "try: x"), 1, "sluice: no \ufffd[31mway; try: x\n"),
        (KeyboardInterrupt(), 130, "sluice: interrupted; run the command again, it goes on where it was\n"),
        (click.Abort(), 1, "sluice: not confirmed, so nothing was done\n"),
        (
            ValueError("first\nsecond"),
            1,
            "sluice: internal error: ValueError: first;"
            " run with SLUICE_DEBUG=1 for the details, and report it\n",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/prod.duckdb"),
            1,
            "sluice: /data/prod.duckdb: No space left on device; make room (sluice status --disk says what takes it,"
            " sluice collect drops what nothing needs), then run it again: nothing is half done\n",
        ),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_how_errors_are_told(
    error: BaseException,
    code: int,
    line: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if isinstance(error, BrokenPipeError):
        monkeypatch.setattr(
            "prefect_sluice.cli.failures._close_stdout", lambda: None
        )  # it is pytest's own here
    assert failed(error) == code
    assert capfd.readouterr().err == line


def test_the_details_of_an_internal_error_are_shown_when_asked_for(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_DEBUG", "1")
    assert failed(ValueError("x")) == 1
    assert "ValueError: x\nsluice: internal error" in capfd.readouterr().err


class Terminal:
    """A stream that says it is a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None: ...


@pytest.mark.parametrize(
    ("variables", "wanted", "coloured"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"CI": "true"}, True, False),
        ({}, False, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colours_only_where_they_are_wanted(
    variables: dict[str, str], wanted: bool, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_sluice.cli.console import Console
    from prefect_sluice.reporting.styled_text import line, strong

    for name in ("NO_COLOR", "CI", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **variables}.items():
        monkeypatch.setenv(name, value)
    stream: Any = Terminal()
    text = Console(colour=wanted).text([line("a ", strong("b"))], stream)
    assert text == ("a \x1b[1mb\x1b[0m\n" if coloured else "a b\n")


def test_who_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect_sluice.cli.actor import actor
    from prefect_sluice.runtime import process

    monkeypatch.delenv("SLUICE_ACTOR", raising=False)
    assert actor("", tmp_path) == process.user()
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "config", "user.name", "Ada L"], cwd=tmp_path, check=True)
    assert actor("", tmp_path) == "Ada L"
    monkeypatch.setenv("SLUICE_ACTOR", "ci")
    assert actor("", tmp_path) == "ci"
    assert actor(" Bo ", tmp_path) == "Bo"
    assert actor("", tmp_path / "gone") == "ci"
