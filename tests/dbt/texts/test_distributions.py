"""Which distributions bring a module: what Python itself says, without its cost."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from prefect_sluice.dbt.texts.distributions import Distributions


def test_each_module_that_is_installed_belongs_to_what_python_says() -> None:
    said = importlib.metadata.packages_distributions()
    assert {"duckdb", "yaml", "pandas"} <= said.keys()
    installed = Distributions()
    assert {module: installed.that_bring([module]) for module in said} == {
        module: frozenset(names) for module, names in said.items()
    }
    assert installed.that_bring(["nothing_of_this_name"]) == frozenset()
    assert installed.that_bring(["yaml", "duckdb"]) >= {"PyYAML", "duckdb"}


@pytest.mark.parametrize(
    ("files", "module"),
    [
        ({"RECORD": "odd/__init__.py,,\n"}, "odd"),
        ({"RECORD": "odd.py,,\n"}, "odd"),
        ({"RECORD": '"odd/a,b.py",,\n'}, "odd"),
        ({"RECORD": "other/odd/__init__.py,,\nodder/a.py,,\n"}, None),
        ({"RECORD": "odd/__init__.py,,\n", "top_level.txt": "another\n"}, None),
        ({"top_level.txt": "odd\n"}, "odd"),
        ({}, None),
    ],
)
def test_however_it_was_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], module: str | None
) -> None:
    own = tmp_path / "odd_thing-1.0.dist-info"
    own.mkdir()
    for name, text in {"METADATA": "Name: odd-thing\nVersion: 1.0\n", **files}.items():
        (own / name).write_text(text)
    for place in ("odd/__init__.py", "odd/a,b.py", "odd.py", "other/odd/__init__.py", "odder/a.py"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    said = importlib.metadata.packages_distributions()
    assert ("odd-thing" in said.get("odd", ())) == (module is not None)
    assert Distributions().that_bring(["odd"]) == frozenset(said.get("odd", ()))
