"""`sluice --help` answers at once: what is slow to import is imported by the commands that need it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = (
    "alembic",
    "dbt",
    "duckdb",
    "ibis",
    "pandas",
    "pandera",
    "prefect",
    "sqlalchemy",
    "sqlfluff",
    "sqlglot",
)

# A process of its own: in this one other tests have imported everything already.
PROGRAM = """
import contextlib, io, json, sys
{statements}
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""
ASK = "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main({arguments!r})"


def loaded_by(statements: str, folder: Path) -> set[str]:
    """Return the top-level modules that a fresh Python in `folder` has loaded after `statements`."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statements=statements)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",)])
def test_help_and_version_load_nothing_slow(arguments: tuple[str, ...], tmp_path: Path) -> None:
    ask = ASK.format(arguments=list(arguments)) if arguments else ""
    loaded = loaded_by(f"from prefect_sluice.cli import main\n{ask}", tmp_path)
    assert "prefect_sluice" in loaded
    assert sorted(loaded & set(SLOW)) == []


def test_a_slow_import_would_be_seen(tmp_path: Path) -> None:
    assert "duckdb" in loaded_by("import duckdb", tmp_path)
