"""`make new-gate` writes a gate that works: its own test passes, and it holds a release until it is written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Give a copy of the code and of the list of pages."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "prefect_sluice", tmp_path / "prefect_sluice", ignore=ignored)
    for name in ("tests/gates", "docs/gates"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(ROOT / "docs/gates/README.md", tmp_path / "docs/gates")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def new_gate(root: Path, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools/new_gate.py"), name, "--root", str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def python(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", *words]
    return subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False, env={"PYTHONPATH": "."}
    )


@pytest.mark.slow
def test_what_it_writes_works_and_is_listed(copy: Path) -> None:
    answer = new_gate(copy, "row_owners")
    assert answer.returncode == 0, answer.stderr
    tested = python(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/gates/test_row_owners.py")
    assert "2 passed" in tested.stdout, tested.stdout
    linted = python(copy, "-m", "ruff", "check", "prefect_sluice/gates/row_owners", "tests")
    assert linted.returncode == 0, linted.stdout
    formatted = python(copy, "-m", "ruff", "format", "--check", "prefect_sluice/gates", "tests")
    assert formatted.returncode == 0, formatted.stdout
    listed = python(
        copy, "-c", "from prefect_sluice.gates.catalog import gate_classes; print(list(gate_classes())[-1])"
    )
    assert listed.stdout.strip() == "row_owners", listed.stderr
    assert '"prefect_sluice.gates.row_owners",' in (copy / "pyproject.toml").read_text(encoding="utf-8")
    assert "(row_owners.md)" in (copy / "docs/gates/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "is no name for a gate"),
        ("Owners", "is no name for a gate"),
        ("../x", "is no name for a gate"),
        ("lint", "prefect_sluice/gates/lint/gate.py is there already"),
    ],
)
def test_a_name_that_cannot_be_writes_nothing(copy: Path, name: str, said: str) -> None:
    before = sorted(copy.rglob("*"))
    answer = new_gate(copy, name)
    assert answer.returncode == 2
    assert said in answer.stderr
    assert sorted(copy.rglob("*")) == before
