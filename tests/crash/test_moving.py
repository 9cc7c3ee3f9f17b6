"""Kill -9 while a warehouse is adopted, published by a copy, or left; then the same command again."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.faults import Point
from prefect_sluice.generation import Cause
from tests.crash.test_every_point import (
    MOVING,
    Nursery,
    end,
    nursery,  # noqa: F401  # pyright: ignore[reportUnusedImport]  # a fixture
    released,  # noqa: F401  # pyright: ignore[reportUnusedImport]  # a fixture
    scene,
)

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]

COPY = (Point.COPY_MADE, Point.COPY_WRITTEN, Point.COPY_REPLACED)
CASES = [
    *(("adopt", point) for point in (Point.DEPLOY_ADOPTED, Point.DEPLOY_VIEWS, Point.DEPLOY_FLIPPED)),
    *(("adopt by copy", point) for point in COPY),
    *(("copy", point) for point in COPY),
    *(("leave", point) for point in (Point.LEAVE_WRITTEN, Point.LEAVE_DONE)),
    *(("leave by copy", point) for point in COPY),
]


def command(way: str) -> str:
    """Return what the nursery is told to do."""
    first = way.split()[0]
    return {"adopt": Cause.ADOPTION.value, "copy": Cause.RELEASE.value}.get(first, first)


@pytest.fixture(scope="module")
def before(released: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:  # noqa: F811
    """For each way, a repository just before the command that will be killed."""
    folders = {way: tmp_path_factory.mktemp("before") / "shop" for way in dict(CASES)}
    for way, folder in folders.items():
        if way == "adopt":
            scene("make", folder=folder)
            scene("build", folder=folder)
        else:
            shutil.copytree(folders["adopt"] if way.startswith("adopt") else released, folder, symlinks=True)
        if "copy" in way:
            scene("by_copy", folder=folder)
    scene("edit", folder=folders["copy"])
    return folders


@pytest.fixture(scope="module")
def undisturbed(
    nursery: Nursery,  # noqa: F811
    before: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What each way ends in when nothing is killed."""
    ends: dict[str, Any] = {}
    for way, folder in before.items():
        copy = tmp_path_factory.mktemp("undisturbed") / "shop"
        shutil.copytree(folder, copy, symlinks=True)
        assert nursery.go(copy, command(way)) == 0
        ends[way] = ended(copy, way)
    return ends


@pytest.mark.parametrize(("way", "point"), CASES, ids=[f"{way}-{point.value}" for way, point in CASES])
def test_killed_there_and_run_again(
    nursery: Nursery,  # noqa: F811
    before: dict[str, Path],
    undisturbed: dict[str, Any],
    tmp_path: Path,
    way: str,
    point: Point,
) -> None:
    """It dies at the point; readers then have all rows of before or all of after; the rerun ends as undisturbed."""
    folder = tmp_path / "shop"
    shutil.copytree(before[way], folder, symlinks=True)
    old = public(folder)
    assert nursery.go(folder, command(way), point) == -signal.SIGKILL
    assert public(folder) in (old, undisturbed[way]["public"])
    assert nursery.go(folder, command(way)) == 0
    assert ended(folder, way) == undisturbed[way]
    assert sorted(path.name for path in folder.glob("*.duckdb*")) == ["shop.duckdb"]


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
