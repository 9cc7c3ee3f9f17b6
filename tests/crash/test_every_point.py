"""Kill -9 at every named point, then the same command again: the end is the same as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice import ledger
from prefect_sluice.faults import Point
from prefect_sluice.generation import Cause
from prefect_sluice.promotion import ENDED, State
from prefect_sluice.workshop import Workshop

HERE = Path(__file__).parent
ROLLBACK = {Point.ROLLBACK_INTENT, Point.ROLLBACK_FLIPPED}
PARTIAL = {Point.STAGE_REDUCED}
NOT_IN_REFRESH = {Point.BUILD_PACKED, Point.TEST_JUDGED, Point.APPROVE_USED} | ROLLBACK | PARTIAL

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Nursery:
    """Runs the scenario in children that may die, and makes folders for them."""

    process: subprocess.Popen[str]

    def go(self, folder: Path, cause: Cause, fault: Point | None = None) -> int:
        """Return the exit code of one run; negative is the signal that killed it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{folder}\t{cause.value}\t{fault.value if fault else ''}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture(scope="session")
def nursery() -> Generator[Nursery]:
    """The process that forks, for the whole session."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(HERE / "nursery.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
    ) as process:
        yield Nursery(process)


def scene(*arguments: str, folder: Path) -> None:
    """Run one of the scenario's preparations: `make`, `edit`, `load DAYS`."""
    more = "".join(f", {argument}" for argument in arguments[1:])
    code = f"import scenario, pathlib; scenario.{arguments[0]}(pathlib.Path({str(folder)!r}){more})"
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
    )


@pytest.fixture(scope="session")
def released(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose first release serves."""
    folder = tmp_path_factory.mktemp("first") / "shop"
    scene("make", folder=folder)
    assert nursery.go(folder, Cause.RELEASE) == 0
    return folder


@pytest.fixture(scope="session")
def before(nursery: Nursery, released: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Cause, Path]:
    """For each way in, a repository just before the command that will be killed."""
    folders = {cause: tmp_path_factory.mktemp("before") / cause.value / "shop" for cause in Cause}
    for folder in folders.values():
        shutil.copytree(released, folder, symlinks=True)
    scene("edit", folder=folders[Cause.RELEASE])
    scene("load", "days=3", folder=folders[Cause.REFRESH])
    scene("edit", folder=folders[Cause.ROLLBACK])
    assert nursery.go(folders[Cause.ROLLBACK], Cause.RELEASE) == 0
    return folders


@pytest.fixture(scope="session")
def undisturbed(
    nursery: Nursery, before: dict[Cause, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[Cause, Any]:
    """What each way in ends in when nothing is killed."""
    ends: dict[Cause, Any] = {}
    for cause, folder in before.items():
        copy = tmp_path_factory.mktemp("undisturbed") / "shop"
        shutil.copytree(folder, copy, symlinks=True)
        assert nursery.go(copy, cause) == 0
        ends[cause] = end(copy)
    return ends


CASES = [
    *((Cause.RELEASE, point) for point in Point if point not in ROLLBACK | PARTIAL),
    *((Cause.REFRESH, point) for point in Point if point not in NOT_IN_REFRESH),
    *(
        (Cause.ROLLBACK, point)
        for point in (*sorted(ROLLBACK), Point.DEPLOY_RELATIONS, Point.DEPLOY_VIEWS, Point.MONITOR_JUDGED)
    ),
]


@pytest.mark.parametrize(
    ("cause", "point"), CASES, ids=[f"{cause.value}-{point.value}" for cause, point in CASES]
)
def test_killed_there_and_run_again(
    nursery: Nursery,
    before: dict[Cause, Path],
    undisturbed: dict[Cause, Any],
    tmp_path: Path,
    cause: Cause,
    point: Point,
) -> None:
    """The process dies at the point (not elsewhere, not never); readers then see old or new; the rerun ends as undisturbed."""
    folder = tmp_path / "shop"
    shutil.copytree(before[cause], folder, symlinks=True)
    old = serves(folder)
    assert nursery.go(folder, cause, point) == -signal.SIGKILL
    assert serves(folder) in (old, undisturbed[cause]["serves"])
    assert nursery.go(folder, cause) == 0
    assert end(folder) == undisturbed[cause]


@pytest.fixture(scope="session")
def spoiled(nursery: Nursery, released: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A repository before a refresh of which a part fails and the rest is published; and its undisturbed end."""
    folder = tmp_path_factory.mktemp("spoiled") / "shop"
    shutil.copytree(released, folder, symlinks=True)
    scene("spoil", folder=folder)
    copy = tmp_path_factory.mktemp("partly") / "shop"
    shutil.copytree(folder, copy, symlinks=True)
    assert nursery.go(copy, Cause.REFRESH) == 0
    found = end(copy)
    assert found["serves"]["number"] == [(2,)]
    assert found["serves"]["rows"]["main.refunds"] == ["(1,)"]
    return folder, found


@pytest.mark.parametrize("point", [*sorted(PARTIAL), Point.STAGE_RECORDED, Point.DEPLOY_FLIPPED])
def test_killed_while_a_part_is_published(
    nursery: Nursery, spoiled: tuple[Path, Any], tmp_path: Path, point: Point
) -> None:
    """The rerun goes on with what is left, and does not take up what failed."""
    before, undisturbed = spoiled
    folder = tmp_path / "shop"
    shutil.copytree(before, folder, symlinks=True)
    old = serves(folder)
    assert nursery.go(folder, Cause.REFRESH, point) == -signal.SIGKILL
    assert serves(folder) in (old, undisturbed["serves"])
    assert nursery.go(folder, Cause.REFRESH) == 0
    assert end(folder) == undisturbed


def test_every_point_is_tried() -> None:
    """A new point gets its crash test by being there."""
    assert {point for _, point in CASES} | PARTIAL == set(Point)


def serves(folder: Path) -> dict[str, Any]:
    """Return what a reader finds: the generation's number, and every public relation's rows."""
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as connection:
        number = connection.execute("select max(number) from sluice.generation").fetchall()
        names = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_catalog = current_database()"
            " and table_schema not in ('sluice', 'sluice_store') order by all"
        ).fetchall()
        rows = {
            f"{schema}.{name}": sorted(map(str, connection.execute(f'select * from "{schema}"."{name}"').fetchall()))
            for schema, name in names if name != "kept"
        }  # fmt: skip
        kept = connection.execute(
            "select id, amount, dbt_valid_to is null from main.kept order by all"
        ).fetchall()
    return {"number": number, "rows": rows, "kept": kept}


def end(folder: Path) -> dict[str, Any]:
    """Return everything that must be the same: what is served, the pointers, what the state store says, an unbroken ledger."""
    workshop = Workshop.at(folder)
    place = workshop.place()
    current = workshop.warehouse(place).generation(place.name)
    store = workshop.store
    entries = store.entries()
    ledger.verify(entries)
    assert ledger.fold(entries)[place.name]["generation"] == current.number
    promotions = store.promotions(environment=place.name, limit=100)
    stable = sorted(
        (item.generation or 0, item.cause.value, item.release)
        for item in promotions
        if item.state is State.STABLE
    )
    open_ones = [item.id for item in promotions if item.state not in ENDED]
    lease = store.lease(place.name)
    store.close()
    return {
        "serves": serves(folder),
        "pointers": sorted(
            (str(item.name), item.node, item.fingerprint, item.inputs) for item in current.pointers
        ),
        "stable": stable,
        "open": open_ones,
        "lease": lease,
    }
