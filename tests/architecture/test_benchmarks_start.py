"""Benchmarks and tools name only what there is: nothing else reads them before somebody measures."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path for folder in ("benchmarks", "tools") for path in (ROOT / folder).glob("*.py"))


def missing(text: str) -> list[str]:
    """Return the names that a script imports from Sluice, and that are not there."""
    return [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("prefect_sluice")
        for alias in node.names
        if not is_there(node.module, alias.name)
    ]


def is_there(module: str, name: str) -> bool:
    """Say whether a module has a name, or a package a module of that name."""
    imported = import_module(module)
    return hasattr(imported, name) or (
        hasattr(imported, "__path__") and find_spec(f"{module}.{name}") is not None
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_names_what_there_is(script: Path) -> None:
    assert missing(script.read_text(encoding="utf-8")) == []


def test_a_name_that_is_gone_is_found() -> None:
    text = "from prefect_sluice.domain.node import Gone, Node\nfrom prefect_sluice.domain import node"
    assert missing(text) == ["prefect_sluice.domain.node.Gone"]
