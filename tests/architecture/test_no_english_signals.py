"""No decision hangs on the words that people read: a list is a tuple, a reason is a value, an error says its parts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORDS = frozenset({"reason", "note", "subject", "what", "why"})
"""Attributes that hold text for people, and that nothing compares or takes apart."""
PARTS = frozenset({"split", "partition", "rpartition", "startswith", "endswith", "removeprefix"})
ALLOWED = {
    "prefect_sluice/domain/untrusted_text.py": "Python's own message of a circle of links: it has no type of its own",
    "prefect_sluice/contracts/compile.py": "Ibis says only in its message that an expression is not bound",
}


def is_words(node: ast.AST) -> bool:
    """Say whether that is text for people: such an attribute, or the text of an error."""
    match node:
        case ast.Attribute(attr=attr):
            return attr in WORDS
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id="error" | "busy")]):
            return True
        case _:
            return False


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def signals(source: str) -> Iterator[str]:
    """Yield one line for each place that decides by words."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Compare():
                sides = [node.left, *node.comparators]
                texts = [side for side in sides if is_text(side) and ast.unparse(side) != "''"]
                if texts and any(is_words(side) for side in sides):
                    yield f"{node.lineno}: {ast.unparse(node)}"
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in PARTS and is_words(value):
                yield f"{node.lineno}: {ast.unparse(node)}"
            case _:
                pass


def test_nothing_is_decided_by_the_words_of_a_message() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("prefect_sluice", "flows", "tasks", "deployments")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.relative_to(ROOT).as_posix() not in ALLOWED
        for line in signals(path.read_text())
    ]
    assert not found, "\n".join(found)


def test_what_is_allowed_is_still_there() -> None:
    assert not [file for file in ALLOWED if not list(signals((ROOT / file).read_text()))]


@pytest.mark.parametrize(
    "source",
    [
        "step.reason == 'unchanged'",
        "step.reason.startswith('linked to')",
        "finding.subject.split(', ')",
        "', ' in finding.subject",
        "str(error).partition(';')",
        "'locked' in str(error)",
    ],
)
def test_a_planted_signal_is_found(source: str) -> None:
    assert len(list(signals(source))) == 1


@pytest.mark.parametrize(
    "source", ["step.reason.kind is Because.NEW", "finding.subject == ''", "name == 'main'"]
)
def test_what_is_no_signal_is_let_through(source: str) -> None:
    assert list(signals(source)) == []
