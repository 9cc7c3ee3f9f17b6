"""What `sluice init` finds out of a project's files and of git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from prefect_sluice.cli.project_survey import survey


@pytest.fixture
def top(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=tmp_path, check=True)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.sql").write_text("select 1")
    (tmp_path / ".gitignore").write_text("*.csv\n")
    return tmp_path


def test_what_git_has_in_another_encoding_is_left_out(top: Path) -> None:
    Path(os.fsdecode(bytes(top / "models") + b"/\xe9.csv")).write_text("a")
    (top / "models" / "b.csv").write_text("a")
    by = b"M <m\xe9@x> 1700000000 +0000"
    tree = subprocess.run(["git", "write-tree"], cwd=top, check=True, capture_output=True).stdout.strip()
    text = b"tree " + tree + b"\nauthor " + by + b"\ncommitter " + by + b"\n\nold\n"
    write = ["git", "hash-object", "-t", "commit", "-w", "--stdin"]
    commit = subprocess.run(write, cwd=top, check=True, capture_output=True, input=text).stdout.decode()
    subprocess.run(["git", "update-ref", "HEAD", commit.strip()], cwd=top, check=True)
    found = survey(top, top)
    assert (found.ignored, found.authors) == (("models/b.csv",), ())


@pytest.mark.parametrize("paths", ['["/", "../beside", "models/../models"]', "5", "models", "[1, {a: b}]"])
def test_folders_that_are_odd_or_elsewhere(top: Path, paths: str) -> None:
    (top / "dbt_project.yml").write_text(f"name: shop\nmodel-paths: {paths}\n")
    (top.parent / "beside").mkdir(exist_ok=True)
    (top / "models" / "b.csv").write_text("a")
    assert survey(top, top).ignored == (() if paths.startswith("[1") else ("models/b.csv",))
