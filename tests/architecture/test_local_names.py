"""Names inside of a module say what they hold: helpers with an empty name are forbidden, empty variables may only get fewer."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FORBIDDEN = {
    *("_asked", "_done", "_found", "_given", "_judged", "_kept", "_known", "_looked", "_made", "_named"),
    *("_held", "_put", "_said", "_told"),
    *("asked", "found", "heard", "known", "look", "meant", "named", "said", "told"),
}
"""Names of functions that say neither what comes back nor what is done. Methods may be `told`: the class says of what."""

EMPTY = ("found", "told", "known", "said", "asked", "each", "item")
BINDINGS = 770
"""How many parameters and variables have one of the empty names. The figure may only get smaller."""


@cache
def trees() -> tuple[tuple[Path, ast.Module], ...]:
    """Return every module of the product with its syntax tree: read once, for all tests here."""
    return tuple(
        (path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8")))
        for folder in ("prefect_sluice", "flows", "tasks", "deployments")
        for path in sorted((ROOT / folder).rglob("*.py"))
    )


def functions(tree: ast.Module) -> Iterator[str]:
    """Yield the names of a module's functions, and of its private methods."""
    yield from (node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("_"):
            yield node.name


def bindings(tree: ast.Module) -> Iterator[str]:
    """Yield the name of each parameter, and of each variable at each place that gives it a value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def test_no_function_has_an_empty_name() -> None:
    empty = {f"{path}: {name}" for path, tree in trees() for name in functions(tree) if name in FORBIDDEN}
    assert empty == set()


def test_empty_variables_get_fewer() -> None:
    counts = Counter(name for _, tree in trees() for name in bindings(tree) if name in EMPTY)
    print(f"{counts.total()} bindings of empty names: {counts.most_common()}")
    assert counts.total() <= BINDINGS, counts


def test_an_empty_name_is_seen_where_it_stands() -> None:
    tree = ast.parse("def told(item): found = item\nclass A:\n    def _said(self, *, each): ...")
    assert set(functions(tree)) & FORBIDDEN == {"told", "_said"}
    assert sorted(set(bindings(tree)) & set(EMPTY)) == ["each", "found", "item"]
