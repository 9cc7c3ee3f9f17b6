"""Three days of the real files, small enough to load in every test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from etl.source import Source, packaged

LAST_DAY = 3


def first_days(path: Path) -> str:
    """The header and the lines of 1 to 3 January of a file in which each airport's days follow each other."""
    with path.open(encoding="utf-8") as lines:
        header = next(lines)
        month, day = header.split(",").index("month"), header.split(",").index("day")
        kept = [header]
        for line in lines:
            fields = line.split(",", day + 1)
            if fields[month] == "1" and int(fields[day]) <= LAST_DAY:
                kept.append(line)
            elif path.name == "flights.csv":
                break  # sorted by date, and a hundred times as long as what is wanted
    return "".join(kept)


@pytest.fixture(scope="session")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the package's, with the flights and the weather of 1 to 3 January."""
    folder, package = tmp_path_factory.mktemp("three_days"), packaged()
    for table in ("planes", "airports", "airlines"):
        shutil.copy(package.folder / f"{table}.csv", folder)
    for table in ("flights", "weather"):
        with package.csv(table) as path:
            (folder / path.name).write_text(first_days(path), encoding="utf-8")
    return folder


@pytest.fixture
def source(three_days: Path, tmp_path: Path) -> Source:
    """A copy of the three days that a test may spoil."""
    return Source(Path(shutil.copytree(three_days, tmp_path / "source")))


@pytest.fixture
def spoil(source: Source) -> Callable[[str, str, str], None]:
    """Replace the first place where `old` stands in a file of the source."""

    def replace(file: str, old: str, new: str) -> None:
        path = source.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return replace


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the warehouse file will be."""
    return tmp_path / "warehouse" / "nyc_flights.duckdb"
