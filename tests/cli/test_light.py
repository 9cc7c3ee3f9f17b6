"""Commands that look, or go back, answer at once: they import neither dbt nor Prefect nor pandas."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"dbt", "ibis", "pandas", "pandera", "prefect", "pyarrow", "sqlfluff", "sqlglot"}
PROGRAM = """
import json, sys
from prefect_sluice.cli import main
try:
    main({words!r})
except SystemExit as ended:
    assert not ended.code, ended.code
finally:
    print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "status",
        "status --disk",
        "history",
        "rollback",
        "hold --reason looking",
        "freeze --reason looking",
        "collect --dry-run",
        "collect",
    ],
)
def test_it_imports_nothing_heavy(words: str, released: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(words=[*words.split(), "-C", str(released)])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout.splitlines()[-1])) & HEAVY == set()
