"""Modules of at most 400 lines, functions of at most 60; the lists of exceptions may only shrink."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES = 400
FUNCTION_LINES = 60

LONG_MODULES: Mapping[str, int] = {}
"""Path to its lines. An entry holds the exact number, so that whoever shortens a module shortens the list."""
LONG_FUNCTIONS: Mapping[str, int] = {}
"""`path:function` to its lines."""


def sources() -> Iterator[tuple[str, str]]:
    """Yield path and text of every module of the product."""
    for folder in ("prefect_sluice", "flows", "tasks", "deployments"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def module_lines(text: str) -> int:
    """Return the number of lines of `text`."""
    return len(text.splitlines())


def function_lines(text: str) -> Mapping[str, int]:
    """Return the lines of each function by its dotted name, from `def` (decorators left out) to its end."""
    found: dict[str, int] = {}

    def walk(node: ast.AST, inside: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = inside
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{inside}.{child.name}" if inside else child.name
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                found[name] = max(found.get(name, 0), (child.end_lineno or child.lineno) - child.lineno + 1)
            walk(child, name)

    walk(ast.parse(text), "")
    return found


def too_long(sizes: Mapping[str, int], limit: int, exceptions: Mapping[str, int]) -> list[str]:
    """Return what is over its limit, and every exception that no longer says how long its thing is."""
    over = [
        f"{name}: {lines} lines, at most {exceptions.get(name, limit)}"
        for name, lines in sizes.items()
        if lines > exceptions.get(name, limit)
    ]
    stale = [
        f"{name}: the exception says {lines} lines, it has {sizes.get(name, 0)}; "
        + ("lower it" if sizes.get(name, 0) > limit else "delete it")
        for name, lines in exceptions.items()
        if sizes.get(name, 0) < lines
    ]
    return over + stale


def test_modules_are_short() -> None:
    sizes = {path: module_lines(text) for path, text in sources()}
    assert too_long(sizes, MODULE_LINES, LONG_MODULES) == []


def test_functions_are_short() -> None:
    sizes = {
        f"{path}:{name}": lines for path, text in sources() for name, lines in function_lines(text).items()
    }
    assert too_long(sizes, FUNCTION_LINES, LONG_FUNCTIONS) == []


def test_lines_are_counted_per_function() -> None:
    text = "@decorated\ndef f():\n    def g():\n        pass\n\nclass C:\n    async def h(self): ...\n"
    assert function_lines(text) == {"f": 3, "f.g": 2, "C.h": 1}
    assert module_lines(text) == 7


@pytest.mark.parametrize(
    ("lines", "exceptions", "complaint"),
    [
        (400, {}, ""),
        (401, {}, "401 lines, at most 400"),
        (450, {"a.py": 450}, ""),
        (451, {"a.py": 450}, "451 lines, at most 450"),
        (449, {"a.py": 450}, "lower it"),
        (400, {"a.py": 450}, "delete it"),
    ],
)
def test_an_exception_can_only_shrink(lines: int, exceptions: Mapping[str, int], complaint: str) -> None:
    found = too_long({"a.py": lines}, MODULE_LINES, exceptions)
    assert complaint in "".join(found)
    assert bool(found) == bool(complaint)
