"""An error that a docstring says is raised exists: when a class gets another name, the docstrings get it, too."""

from __future__ import annotations

import builtins
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RAISES = re.compile(r"\bRaises\s+([A-Z]\w+(?:(?:,\s+and|,\s+or|,|\s+and|\s+or)\s+[A-Z]\w+)*)(?!['\w])")


def sources() -> dict[Path, str]:
    """Return the text of every module of the product. As text, since syntax trees of all of them take seconds."""
    folders = ("prefect_sluice", "flows", "tasks", "deployments")
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in paths}


def raised(text: str) -> set[str]:
    """Return the names of errors that docstrings in a text say are raised."""
    return {name for names in RAISES.findall(text) for name in re.findall(r"[A-Z]\w+", names)}


def without_code(text: str) -> set[str]:
    """Return those of them that stand nowhere else in the text, neither defined nor imported nor raised."""
    code = set(re.findall(r"\b[A-Z]\w+", RAISES.sub("", text)))
    return raised(text) - code - set(dir(builtins))


def test_errors_in_docstrings_exist() -> None:
    modules = sources()
    gone = without_code("\n".join(modules.values()))
    assert {f"{path}: {name}" for path, text in modules.items() for name in raised(text) & gone} == set()
    assert len({name for text in modules.values() for name in raised(text)}) > 20


def test_an_error_that_is_gone_is_seen_in_a_list_and_over_the_end_of_a_line() -> None:
    text = "class BadInput: ...\n'''Raises BadInput,\n    Refused and DuckDB's own; raises nothing else. Raises OSError.'''"
    assert raised(text) == {"BadInput", "Refused", "OSError"}
    assert without_code(text) == {"Refused"}
