"""Kill -9 while a warehouse is adopted, published by a copy, or left; then the same command again."""

from __future__ import annotations

import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.domain.generation import Cause
from prefect_sluice.runtime.faults import FaultPoint
from tests.crash.test_every_point import MOVING
from tests.crash.watching import Nursery, end

pytestmark = [
    pytest.mark.crash,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("moving"),
]

COPY = (FaultPoint.COPY_MADE, FaultPoint.COPY_WRITTEN, FaultPoint.COPY_REPLACED)
CASES = [
    *(("adopt", point) for point in (FaultPoint.DEPLOY_ADOPTED, FaultPoint.DEPLOY_FLIPPED)),
    *(("adopt by copy", point) for point in (FaultPoint.COPY_WRITTEN, FaultPoint.COPY_REPLACED)),
    *(("rollback by copy", point) for point in COPY),
    *(("leave", point) for point in (FaultPoint.LEAVE_WRITTEN, FaultPoint.LEAVE_DONE)),
    *(("leave by copy", point) for point in COPY),
]
COMMANDS = {"adopt": Cause.ADOPTION, "rollback": Cause.ROLLBACK, "leave": "leave"}


def command(way: str) -> Cause | str:
    """Return what the nursery is told to do."""
    return COMMANDS[way.split()[0]]


@dataclass
class Ways:
    """Makes, once each and when first asked for, a repository just before a command, and the one after it undisturbed."""

    nursery: Nursery
    factory: pytest.TempPathFactory
    made: dict[str, Path] = field(default_factory=dict[str, Path])

    def before(self, way: str) -> Path:
        """Return the repository just before the command that will be killed."""
        if way not in self.made:
            self.made[way] = self.factory.mktemp("before") / "shop"
            self._prepare(way, self.made[way])
        return self.made[way]

    def _prepare(self, way: str, folder: Path) -> None:
        first, _, by_copy = way.partition(" ")
        if by_copy:
            shutil.copytree(self.before(first), folder, symlinks=True)
            self.nursery.scene("by_copy", folder)
        elif first == "adopt":
            self.nursery.scene("make", folder)
            self.nursery.scene("build", folder)
        else:
            shutil.copytree(self.after("adopt"), folder, symlinks=True)

    def after(self, way: str) -> Path:
        """Return the repository after it, when nothing is killed. By which way it is published makes no difference."""
        first = way.partition(" ")[0]
        if f"after {first}" not in self.made:
            self.made[f"after {first}"] = folder = self.factory.mktemp("after") / "shop"
            shutil.copytree(self.before(first), folder, symlinks=True)
            assert self.nursery.go(folder, command(first)) == 0
        return self.made[f"after {first}"]


@pytest.fixture(scope="module")
def ways(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Ways:
    """The repositories of this module."""
    return Ways(nursery, tmp_path_factory)


@pytest.mark.parametrize(("way", "point"), CASES, ids=[f"{way}-{point.value}" for way, point in CASES])
def test_killed_there_and_run_again(ways: Ways, tmp_path: Path, way: str, point: FaultPoint) -> None:
    """It dies at the point; readers then have all rows of before or all of after; the rerun ends as undisturbed."""
    folder = tmp_path / "shop"
    shutil.copytree(ways.before(way), folder, symlinks=True)
    old, undisturbed = public(folder), ended(ways.after(way), way)
    assert ways.nursery.go(folder, command(way), point) == -signal.SIGKILL
    assert public(folder) in (old, undisturbed["public"])
    assert ways.nursery.go(folder, command(way)) == 0
    assert ended(folder, way) == undisturbed
    # An empty lock file may stay until the next publish; no copy of the warehouse may.
    assert {path.name for path in folder.glob("*.duckdb*")} - {"shop.duckdb.sluice-lock"} == {"shop.duckdb"}


def test_every_point_of_moving_is_tried() -> None:
    assert {point for _, point in CASES} >= MOVING


def public(folder: Path) -> dict[str, Any]:
    """Return every public relation's rows, times of the run left out. A journal is read as the next opener would."""
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as connection:
        names = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_catalog = current_database()"
            " and table_schema not in ('sluice', 'sluice_store') order by all"
        ).fetchall()
        return {f"{schema}.{name}": _rows(connection, schema, name) for schema, name in names}


def _rows(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> list[str]:
    described = connection.execute(f'describe "{schema}"."{name}"').fetchall()
    columns = ", ".join(f'"{row[0]}"' for row in described if not str(row[0]).startswith("dbt_"))
    return sorted(map(str, connection.execute(f'select {columns} from "{schema}"."{name}"').fetchall()))


def ended(folder: Path, way: str) -> dict[str, Any]:
    """Return everything that must be the same."""
    if not way.startswith("leave"):
        return {"public": public(folder), **end(folder)}
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as connection:
        ours = connection.execute(
            "select count(*) from duckdb_schemas() where schema_name like 'sluice%'"
        ).fetchall()
        kinds = connection.execute(
            "select table_schema, table_name, table_type from information_schema.tables order by all"
        ).fetchall()
    return {"public": public(folder), "ours": ours, "kinds": kinds}
