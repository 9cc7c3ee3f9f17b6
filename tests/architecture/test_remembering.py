"""What a process remembers between two calls: module globals that change, caches of functions, context variables.

A run opens a workspace once and hands it down, so none of these is needed to carry anything of a run. The list may only
shrink: a new entry is a reason to hand something down instead.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("prefect_sluice", "flows", "tasks", "deployments")

LEFT = {
    # The environment variables, the working folder and the threads are one for the process, whoever runs in it.
    "prefect_sluice/runtime/process.py: _withheld": "of this process's one environment, what others' code does not see",
    "prefect_sluice/runtime/process.py: _withholders": "how many blocks keep them from it",
    "prefect_sluice/runtime/process.py: _loans": "what a run's connections changed in it, to put it back",
    "prefect_sluice/state/lease.py: _running": "who is at work in this process: a lease of another one of it was left behind",
    # Who listens, in this thread. Nothing is decided by it.
    "prefect_sluice/runtime/events.py: _listeners": "hears notices, nodes and verdicts, to show them",
    "prefect_sluice/runtime/after_answer.py: _pending": "what is done once the answer is out: pages, which decide nothing",
    "prefect_sluice/promotions/work.py: _listeners": "hears lines about what is going on",
    "prefect_sluice/promotions/work.py: _around": "times and shows each stage",
    "prefect_sluice/promotions/work.py: _followers": "hears of the work after each stage",
    "prefect_sluice/promotions/wait_for_lease.py: _hearers": "hears of waiting",
    "prefect_sluice/orchestration/shown/messages.py: _WORKSPACE": "of which project a run's last message is",
    "prefect_sluice/orchestration/shown/messages.py: _WEB": "how a run's log names forms; a logging filter is handed nothing",
    # Functions of their arguments alone, or of what is installed.
    "prefect_sluice/contracts/dependencies.py: _version": "what is installed",
    "prefect_sluice/dbt/core/fingerprints/ingredients.py: _tools": "what is installed",
    "prefect_sluice/dbt/core/fingerprints/ingredients.py: _defaults": "a class of dbt's",
    "prefect_sluice/dbt/texts/template_reads.py: uses": "pure",
    "prefect_sluice/dbt/texts/template_reads.py: environment": "dbt's reader of templates",
    "prefect_sluice/dbt/wire_format.py: _adapter": "pure",
    "prefect_sluice/gates/catalog.py: gate_classes": "what is installed",
    "prefect_sluice/gates/lint/project_files.py: dbts_own": "what is installed",
    "prefect_sluice/gates/lint/project_files.py: _versions": "what is installed",
    "prefect_sluice/gates/secrets/literals.py: _patterns": "constant",
    "prefect_sluice/gates/statistics.py: t_quantile": "pure",
    "prefect_sluice/isolation/kernel.py: libc": "of this machine",
    "prefect_sluice/isolation/landlock.py: abi": "of this machine",
    "prefect_sluice/isolation/warm.py: warm": "a process that has libraries loaded, as this one has those that it imported",
    "prefect_sluice/reporting/report/html.py: _templates": "files of this package",
    "prefect_sluice/runtime/documents.py: _adapter": "pure",
    "prefect_sluice/sql/tokens.py: lexemes": "pure",
    "prefect_sluice/sql/tokens.py: _dialect": "a dialect of sqlglot's",
    "prefect_sluice/state/codec.py: _fields": "pure",
    "prefect_sluice/warehouse/duckdb/linker.py: _parser": "a database in memory that only parses",
}
"""What is left, by module and name, with the reason."""

_CACHES = {"cache", "lru_cache"}
_CHANGES = {
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update",
}  # fmt: skip


def test_nothing_is_remembered_but_what_is_listed() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if "migrations" not in path.parts
        for name in remembers(ast.parse(path.read_text(encoding="utf-8")))
    }

    assert not found - LEFT.keys(), "hand it down, in the workspace or the work"
    assert not LEFT.keys() - found, "these are gone: take them off the list"


def test_each_way_to_remember_is_found() -> None:
    module = ast.parse(
        "import functools\n"
        "A, B, C, E, F = {}, [], set(), 0, {}\n"
        "D = ContextVar('d')\n"
        "G = {'constant': 1}\n"
        "def f():\n    global E\n    A['x'] = 1; B.append(2); C |= {3}; E += 1; F.get(1); own = {}; own['x'] = 1\n"
        "@functools.lru_cache(maxsize=None)\ndef g(): ...\n"
        "@cache\ndef h(): ...\n"
        "class K:\n    @cache\n    def m(self): ...\n    def __init__(self): self._c = ContextVar('c')\n"
    )
    assert set(remembers(module)) == {"A", "B", "C", "D", "E", "g", "h", "m", "_c"}


def remembers(module: ast.Module) -> Iterator[str]:
    """Yield the names of what outlives a call."""
    tops = {target.id for node in module.body for target in _targets(node)}
    for node in ast.walk(module):
        if isinstance(node, ast.Assign | ast.AnnAssign) and _called(node.value) == "ContextVar":
            yield from (_last(target) for target in _assigned(node))
        elif isinstance(node, ast.Global):
            yield from node.names
    for holder in ast.walk(module):
        if isinstance(holder, ast.Module | ast.ClassDef):
            for node in holder.body:
                if isinstance(node, ast.FunctionDef) and any(
                    _last(_function(item)) in _CACHES for item in node.decorator_list
                ):
                    yield node.name
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (name for name in _changed(function) if name in tops - _own(function))


def _changed(function: ast.AST) -> Iterator[str]:
    """Yield the names of the collections that a function changes."""
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield _last(node.value)
        elif isinstance(node, ast.AugAssign):
            yield _last(node.target)
        elif isinstance(node, ast.Call):
            match node.func:
                case ast.Attribute(value=ast.Name(id=name), attr=change) if change in _CHANGES:
                    yield name
                case _:
                    pass


def _own(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the names that are the function's own: its parameters and what it assigns."""
    arguments = function.args
    given = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    stored = (
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    augmented = {_last(node.target) for node in ast.walk(function) if isinstance(node, ast.AugAssign)}
    return {*(item.arg for item in given), *(name for name in stored if name not in augmented)}


def _targets(node: ast.stmt) -> Iterator[ast.Name]:
    for target in _assigned(node):
        yield from (item for item in ast.walk(target) if isinstance(item, ast.Name))


def _assigned(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign) else []


def _called(value: ast.expr | None) -> str:
    return _last(value.func) if isinstance(value, ast.Call) else ""


def _function(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _last(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _last(value)
        case _:
            return ""
