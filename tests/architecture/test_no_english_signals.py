"""No decision hangs on the words that people read: a list is a tuple, a reason is a value, an error says its parts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORDS = frozenset({
    "reason", "note", "subject", "what", "why", "fix", "message", "summary", "description", "problem", "way_out", "mend",
    "told", "headline",
})  # fmt: skip
"""Attributes that hold text for people, and that nothing compares or takes apart."""
SHOWN = frozenset({"text"})
"""Attributes that hold text for people where pages and lines are made; elsewhere they hold SQL, a source's name, a file."""
NAMES = frozenset({"fix", "message", "mend", "summary", "told", "why"})
"""Variables that hold such text."""
MANY = frozenset({"told", "why"})
"""Of these names, those that sets and tables of what was told have, too."""
PARTS = frozenset(["split", "partition", "rpartition", "startswith", "endswith", "removeprefix"])
PATTERNS = frozenset(["search", "match", "fullmatch", "findall", "finditer"])
THIRD_PARTY = "dbt, sqlfluff, Ibis and Python say this in their messages alone"
ALLOWED = {
    "prefect_sluice/approvals/approval_policy.py": ("_CO_AUTHOR.findall(message)", "git's own trailer of a commit message"),
    "prefect_sluice/contracts/compile.py": ("'unbound' in str(error)", THIRD_PARTY),
    "prefect_sluice/domain/untrusted_text.py": ("str(error).startswith('Symlink loop')", THIRD_PARTY),
    "prefect_sluice/dbt/rights.py": (
        "_KEPT_OUT.search(result.message)",
        "_NO_NETWORK.search(result.message)",
        THIRD_PARTY,
    ),
    "flows/plan.py": ("why.split()", "names that somebody typed into a form's field"),
    "prefect_sluice/domain/verdict.py": ("told.removeprefix(f'{name}: ')", "a name is not said twice; nothing is decided"),
    "prefect_sluice/gates/build/gate.py": ("_MISSED.search(message)", THIRD_PARTY),
    "prefect_sluice/gates/dbt_contracts.py": ("words in message", THIRD_PARTY),
    "prefect_sluice/gates/lint/file_findings.py": (
        "found.description.startswith(_FAULT)",
        "found.description.removeprefix(_FAULT)",
        THIRD_PARTY,
    ),
    "prefect_sluice/gates/unit_tests/comparison.py": ("_BEGINS.search(message)", THIRD_PARTY),
    "prefect_sluice/gates/unit_tests/gate.py": ("_MISSING in result.message", THIRD_PARTY),
    "prefect_sluice/reporting/report/key_points.py": (
        "name in finding.summary",
        "a name is not said twice; nothing is decided",
    ),
    "prefect_sluice/source/git.py": ("self.message.partition('\\n')", "git's own form of a commit message"),
    "prefect_sluice/source/ignored_inputs.py": ("re.findall('\\\\w+', error.what)", THIRD_PARTY),
    "prefect_sluice/state/codec.py": (
        "': identical, ' not in summary",
        "'; ' in summary",
        "reports of an older Sluice have the sentence alone",
    ),
}  # fmt: skip
"""By file: the places that are let through as they are written, and last why."""


def is_words(node: ast.AST, shown: bool) -> bool:
    """Say whether that is text for people: such an attribute or variable, or the text of an error."""
    match node:
        case ast.Attribute(attr=attr):
            return attr in WORDS or (shown and attr in SHOWN)
        case ast.Name(id=name):
            return name in NAMES
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id="error" | "busy")]):
            return True
        case _:
            return False


def is_text(node: ast.AST) -> bool:
    """Say whether that is a text in the code, or the name of one."""
    match node:
        case ast.JoinedStr() | ast.Constant(value=str()):
            return ast.unparse(node) != "''"
        case ast.Name(id=name):
            return name.isupper()
        case _:
            return False


def is_within_words(node: ast.Compare, shown: bool) -> bool:
    return any(
        isinstance(operator, ast.In | ast.NotIn)
        and is_words(side, shown)
        and getattr(side, "attr", getattr(side, "id", "")) not in MANY
        for operator, side in zip(node.ops, node.comparators, strict=True)
    )


def signals(source: str, *, shown: bool = False) -> Iterator[str]:
    """Yield one line for each place that decides by words. `shown`: it makes pages or lines."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Compare():
                sides = [node.left, *node.comparators]
                compared = any(map(is_text, sides)) and any(is_words(side, shown) for side in sides)
                found = compared or is_within_words(node, shown)
            case ast.Call(func=ast.Attribute(value=value, attr=attr), args=args):
                taken_apart = attr in PARTS and is_words(value, shown)
                found = taken_apart or (attr in PATTERNS and any(is_words(item, shown) for item in args))
            case _:
                continue
        if found:
            yield f"{node.lineno}: {ast.unparse(node)}"


def of_file(path: Path) -> Iterator[str]:
    return signals(path.read_text(), shown="reporting" in path.parts)


def test_nothing_is_decided_by_the_words_of_a_message() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("prefect_sluice", "flows", "tasks", "deployments")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in of_file(path)
        if line.partition(": ")[2] not in ALLOWED.get(path.relative_to(ROOT).as_posix(), ())[:-1]
    ]
    assert not found, "\n".join(found)


def test_what_is_allowed_is_still_there() -> None:
    there = {file: {line.partition(": ")[2] for line in of_file(ROOT / file)} for file in ALLOWED}
    assert not [
        (file, place)
        for file, (*places, _) in ALLOWED.items()
        for place in places
        if place not in there[file]
    ]


@pytest.mark.parametrize(
    "source",
    [
        "step.reason == 'unchanged'",
        "step.reason.startswith('linked to')",
        "finding.subject.split(', ')",
        "', ' in finding.subject",
        "str(error).partition(';')",
        "'locked' in str(error)",
        "item.fix == MENDS",
        "any(word in mend for word in SAYS_SO)",
        "message.startswith('approved')",
        "promotion.message.startswith(promotion.state.value)",
        "rule.headline in finding.summary",
        "re.search('gone', finding.summary)",
    ],
)
def test_a_planted_signal_is_found(source: str) -> None:
    assert len(list(signals(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "step.reason.kind is Because.NEW",
        "finding.subject == ''",
        "name == 'main'",
        "item.summary != gate.told",
        "token.text == ';'",
        "finding.fix in fixes",
    ],
)
def test_what_is_no_signal_is_let_through(source: str) -> None:
    assert list(signals(source)) == []


def test_the_text_of_a_page_is_for_people() -> None:
    assert list(signals("'…' not in point.text", shown=True))
