"""Commands that look, or go back, answer at once: they import neither dbt nor Prefect nor pandas."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.test_imports import loaded_by

HEAVY = {"dbt", "detect_secrets", "ibis", "pandas", "pandera", "prefect", "pyarrow", "sqlfluff", "sqlglot"}
ASK = """
from prefect_sluice.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    code = main({words!r})
assert code == 0, code
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "status",
        "status --disk",
        "history",
        "rollback",
        "hold dev --reason looking",
        "freeze dev --reason looking",
        "show",
        "diff",
        "collect --dry-run",
        "collect",
    ],
)
def test_it_imports_nothing_heavy(words: str, released: Path) -> None:
    ask = ASK.format(words=[*words.split(), "-C", str(released)])
    assert loaded_by(ask, released) & HEAVY == set()
