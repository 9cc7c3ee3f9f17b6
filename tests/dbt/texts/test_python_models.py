"""What a Python model is made of, and what it asks of the clock."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from prefect_sluice.dbt.texts.python_models import PythonCode, meaning

CODE = '''"""Doc."""
import duckdb
from lib.pricing import rate


def model(dbt, session):
    """Doc."""
    return dbt.ref("a").df()
'''


@pytest.mark.parametrize("old", ['"""Doc."""\n', '    """Doc."""\n'])
def test_comments_and_docstrings_do_not_count(old: str) -> None:
    assert meaning(CODE) == meaning(CODE.replace(old, "", 1))
    assert meaning(CODE) == meaning(CODE.replace("    return", "    # now\n\n    return"))
    assert meaning(CODE) != meaning(CODE.replace("df()", "arrow()"))


def test_code_that_may_read_itself_counts_as_written() -> None:
    reads = CODE + "print(model.__doc__)\n"
    assert meaning(reads) != meaning(reads.replace("Doc.", "Docs."))
    assert meaning("def broken(") != meaning("def broken( ")


def test_modules_packages_and_python(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "pricing.py").write_text("import yaml\nrate = 1\n")
    (tmp_path / "lib" / "other.py").write_text("rate = 2\n")
    parts = PythonCode(tmp_path).parts(CODE)
    assert parts["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert parts["package duckdb"] == importlib.metadata.version("duckdb")
    assert {"package PyYAML", "package pandas", "module lib/pricing.py"} <= parts.keys()
    (tmp_path / "lib" / "pricing.py").write_text("import yaml\nrate = 2\n")
    after = PythonCode(tmp_path).parts(CODE)
    assert {name for name in after if after[name] != parts[name]} == {"module lib/pricing.py"}


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("x = 1", ()),
        ("import datetime\nx = datetime.datetime.now()", ("clock:now",)),
        ("from time import time\nx = time()", ("clock:now",)),
        ("import random", ("random",)),
        ("def model(dbt, session):\n    return session.sql('select now()')", ("clock:now",)),
        ("def model(dbt, session):\n    return dbt.ref('a').df().sample(3)", ("random",)),
        ("def broken(", ("clock:now", "random")),
    ],
)
def test_the_clock_and_chance(tmp_path: Path, code: str, asked: tuple[str, ...]) -> None:
    assert PythonCode(tmp_path).volatile(code) == asked
