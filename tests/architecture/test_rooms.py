"""How large the house is: rooms in the root, files in a folder, one name for one thing. The figures may only get better."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "prefect_sluice"

ROOT_ENTRIES = 30
FILES_IN_A_FOLDER = 30
SAME_TYPE_NAME = 0
"""How many names of types are used for more than one type."""
SAME_FILE_NAME = 11
"""How many names of files are used more than twice, but for those that each gate, engine or package has."""

_ONE_IN_EACH = {"__init__", "gate", "measure", "base", "functions", "ask", "child"}


def sources() -> Iterator[Path]:
    """Yield every module of the product."""
    for folder in ("prefect_sluice", "flows", "tasks", "deployments"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def entries(folder: Path) -> list[str]:
    """Return what lies in a folder, without what Python and editors leave there."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith((".", "__pycache__")))


def types() -> Counter[str]:
    """Return how often each name of a public class is used, over all modules."""
    return Counter(
        node.name
        for path in sources()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name != "Settings"
    )


def test_the_root_has_few_rooms() -> None:
    found = entries(CORE)
    print(f"{len(found)} entries in the root of the core")
    assert len(found) <= ROOT_ENTRIES, found


def test_no_folder_is_crowded() -> None:
    sizes = Counter(path.parent.relative_to(ROOT).as_posix() for path in sources())
    print(f"most files in one folder: {sizes.most_common(3)}")
    assert {folder: size for folder, size in sizes.items() if size > FILES_IN_A_FOLDER} == {}


@pytest.mark.parametrize("folder", ["flows", "tasks"])
def test_a_shop_window_holds_what_it_is_named_after(folder: str) -> None:
    """A module of flows/ is one flow, and one of tasks/ is one task: all that Prefect adds has a room of its own."""
    for path in sorted((ROOT / folder).glob("*.py")):
        if path.stem == "__init__":
            continue
        text = path.read_text(encoding="utf-8")
        made = "@flow(" if folder == "flows" else "as_task(core."
        assert made in text or "tried(" in text, f"{path.relative_to(ROOT)} is no {folder[:-1]}"


def test_a_name_means_one_type() -> None:
    twice = sorted(name for name, uses in types().items() if uses > 1)
    print(f"{len(twice)} names of types are used twice or more: {', '.join(twice)}")
    assert len(twice) <= SAME_TYPE_NAME, twice


def test_a_file_name_is_used_twice_at_most() -> None:
    uses = Counter(path.stem for path in sources())
    often = sorted(name for name, number in uses.items() if number > 2 and name not in _ONE_IN_EACH)
    print(f"{len(often)} names of files are used more than twice: {', '.join(often)}")
    assert len(often) <= SAME_FILE_NAME, often
