"""`sluice completion`: what it prints is what the shell needs, and it is written once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from prefect_sluice.cli import main


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    return tmp_path


def test_the_line_is_written_once_and_what_was_there_stays(home: Path) -> None:
    file = home / ".bashrc"
    file.write_text("alias ll='ls -l'", encoding="utf-8")
    assert main(["completion", "--install"]) == 0
    assert main(["completion", "--install"]) == 0
    assert file.read_text("utf-8") == "alias ll='ls -l'\neval \"$(_SLUICE_COMPLETE=bash_source sluice)\"\n"


@pytest.mark.parametrize(
    ("shell", "file"),
    [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", ".config/fish/completions/sluice.fish")],
)
def test_each_shell_has_its_file(
    home: Path, shell: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["file"], answer["written"], (home / file).exists()) == (str(home / file), False, False)
    assert main(["completion", shell, "--install"]) == 0
    assert f"_SLUICE_COMPLETE={shell}_source sluice" in (home / file).read_text("utf-8")


def test_a_shell_that_cannot_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert main(["completion"]) == 2
    error = "sluice: the shell '/bin/tcsh' cannot be completed in; name one of: bash, zsh, fish\n"
    assert capsys.readouterr().err == error


def test_a_file_that_cannot_be_written_is_told_with_the_line(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".bashrc").mkdir()
    assert main(["completion", "--install"]) == 2
    assert "add this line yourself: eval" in capsys.readouterr().err


def test_bash_completes_a_command(home: Path) -> None:
    script = (
        'eval "$(_SLUICE_COMPLETE=bash_source sluice)"\n'
        "COMP_WORDS=(sluice roll); COMP_CWORD=1; _sluice_completion sluice; echo ${COMPREPLY[@]}\n"
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env={**os.environ, "PATH": path}, timeout=60
    )
    assert done.stdout.strip() == "rollback"
