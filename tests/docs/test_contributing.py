"""CONTRIBUTING's table of what to add where: every file, folder and page that it names is there."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ROOT / "prefect_sluice"
PLACEHOLDER = "NAME|ENGINE"
PATH = re.compile(r"[\w./-]*(?:/[\w.-]*|\.(?:py|md|json|toml))")


def rows() -> list[list[str]]:
    """Return the cells of the table's rows, without its head."""
    lines = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| I want to add"))
    table: list[list[str]] = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append(line.strip("|").split("|"))
    return table


def named(cell: str) -> list[str]:
    """Return the paths that stand between backticks in a cell."""
    return [text for text in re.findall(r"`([^`]+)`", cell) if PATH.fullmatch(text)]


def missing(cell: str) -> list[str]:
    """Return the paths of a cell that lead nowhere. A short name lies beside or above the path that stands before it."""
    beside: list[str] = []
    gone: list[str] = []
    for text in named(cell):
        path = re.sub(PLACEHOLDER, "*", text).strip("/")
        tops = [base for base in (ROOT, ROOMS) if next(base.glob(path), None)]
        if tops:
            beside = [str(parent) for parent in (PurePosixPath(path), *PurePosixPath(path).parents)]
        elif not any(
            next(base.glob(f"{folder}/{path}"), None) for base in (ROOT, ROOMS) for folder in beside
        ):
            gone.append(text)
    return gone


@pytest.mark.parametrize("cells", rows(), ids=lambda cells: PurePosixPath(cells[0].strip()).name)
def test_every_path_is_there(cells: list[str]) -> None:
    assert [path for cell in cells[1:] for path in missing(cell)] == []


def test_the_table_names_files_in_every_column() -> None:
    for cells in rows():
        assert len(cells) == 4, cells
        assert all(named(cell) or "as above" in cell for cell in cells[1:]), cells


def test_a_path_that_is_not_there_is_found() -> None:
    assert missing("`gates/nowhere.py`, `domain/errors.py`, `none.py`") == ["gates/nowhere.py", "none.py"]
    assert missing("`warehouse/base.py` and `adapter.py`; `gates/NAME/gate.py`") == []
