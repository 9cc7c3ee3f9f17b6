"""A number and its noun are written by `domain/counting.py` alone: a plural made by hand says "1 rows" one day."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_sluice.domain.counting import count, noun

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    path
    for folder in ("prefect_sluice", "flows", "tasks", "deployments")
    for path in (ROOT / folder).rglob("*.py")
]

NO_NUMBERS = {
    "planning/expectations.py",  # `Expect: NAME rows` is a word of commit messages
    "stages/candidate/losses.py",  # the same
    "gates/diff/gate.py",  # the same
    "maintenance/doctor/served.py",  # the same
    "diff/relation.py",  # `+1 -0 rows` is a difference
    "warehouse/duckdb/literals.py",  # an error of whoever writes SQL in here
}
"""Modules, from their room, in which a name or the like stands before a noun."""


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (-1, "-1 rows"), (1000, "1000 rows")]
)
def test_a_noun_has_the_form_that_its_number_asks_for(number: int, said: str) -> None:
    assert count(number, "row") == said
    assert f"{number} {noun(number, 'row')}" == said


def test_a_verb_goes_with_its_noun() -> None:
    assert count(1, "row comes", "rows come") == "1 row comes"
    assert count(2, "entry", "entries") == "2 entries"


def test_no_number_has_a_plural_written_beside_it() -> None:
    trees = {path: ast.parse(path.read_text()) for path in FILES}
    nouns = {plural for tree in trees.values() for plural in _plurals(tree)}
    assert {"rows", "relations", "findings", "files", "columns", "unit tests"} <= nouns

    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path, tree in trees.items()
        if not any(path.as_posix().endswith(f"prefect_sluice/{name}") for name in NO_NUMBERS)
        for line, text in _by_hand(tree, nouns)
    ]

    assert not found, "write count(number, noun): " + "; ".join(found)


def test_a_plural_by_hand_is_found() -> None:
    bad = ast.parse("told = f'{len(found)} more rows come'\nends = 'file' + ('' if n == 1 else 's')\n")
    assert [line for line, _ in _by_hand(bad, {"rows"})] == [1, 2]
    good = ast.parse("told = f'{count(len(found), \"row\")} of {MOST} rows, {n:.1%} of the rows'\n")
    assert not list(_by_hand(good, {"rows"}))


def _plurals(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_counting(node):
            words = [item.value for item in node.args[1:] if isinstance(item, ast.Constant)]
            if words:
                plural = re.match(r"(?:\w+ )*?\w{3,}s\b", str(words[1]) if len(words) > 1 else f"{words[0]}s")
                yield from [plural[0]] if plural else []


def _by_hand(tree: ast.AST, nouns: set[str]) -> Iterator[tuple[int, str]]:
    """Yield plurals that stand behind something that is no call of the helper, and endings that are chosen by hand."""
    after = re.compile(
        rf" (?:(?:more|other|new|public|old) )?(?:{'|'.join(sorted(map(re.escape, nouns), key=len, reverse=True))})\b"
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.IfExp) and {_text(node.body), _text(node.orelse)} == {"", "s"}:
            yield node.lineno, ast.unparse(node)
        if isinstance(node, ast.JoinedStr):
            for one, following in zip(node.values, node.values[1:], strict=False):
                if (
                    isinstance(one, ast.FormattedValue)
                    and _is_number(one.value)
                    and after.match(_text(following))
                ):
                    yield node.lineno, ast.unparse(node)


def _is_number(value: ast.expr) -> bool:
    """Say whether a value in a text may be a number of which there can be one: no limit with a name of its own, no count."""
    return not (isinstance(value, ast.Name) and value.id.isupper()) and not (
        isinstance(value, ast.Call) and _is_counting(value)
    )


def _is_counting(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in {"count", "noun"} and len(call.args) > 1


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
