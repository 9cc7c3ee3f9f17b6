"""Kill -9 at every named point, then the same command again: the end is the same as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice import ledger
from prefect_sluice.faults import SLEEP, Point
from prefect_sluice.generation import Cause
from prefect_sluice.promotion import ENDED, State
from prefect_sluice.workshop import Workshop

HERE = Path(__file__).parent
ROLLBACK = {Point.ROLLBACK_INTENT, Point.ROLLBACK_FLIPPED, Point.ROLLBACK_HELD}
PROMOTION = {Point.PROMOTE_COMPOSED}
PARTIAL = {Point.STAGE_REDUCED}
MOVING = {
    Point.DEPLOY_ADOPTED,
    Point.COPY_MADE,
    Point.COPY_WRITTEN,
    Point.COPY_REPLACED,
    Point.LEAVE_WRITTEN,
    Point.LEAVE_DONE,
}
"""Points of adopting, leaving and publishing by a copy: `test_moving` tries them."""
COLLECT = {Point.COLLECT_INTENT, Point.COLLECT_DROPPED, Point.COLLECT_COMMITTED, Point.COLLECT_FILES}
"""Points of `sluice collect`, which `test_collect` kills: nothing is promoted there."""
ELSEWHERE = MOVING | COLLECT | PARTIAL
NOT_IN_REFRESH = {Point.BUILD_PACKED, Point.TEST_JUDGED, Point.APPROVE_USED} | ROLLBACK | PROMOTION

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300, func_only=True)]


@dataclass(frozen=True)
class Nursery:
    """Runs the scenario in children that may die, and makes folders for them."""

    process: subprocess.Popen[str]

    def go(self, folder: Path, cause: Cause | str, fault: Point | None = None) -> int:
        """Return the exit code of one run; negative is the signal that killed it."""
        self._ask(folder, cause, fault.value if fault else "")
        return self._answer()

    def put_to_sleep(self, folder: Path, cause: Cause, fault: Point) -> int:
        """Start one run that stops at `fault`; return its process id once it sleeps."""
        self._ask(folder, cause, SLEEP + fault.value)
        return self._answer()

    def wake(self, pid: int) -> int:
        """Let a run go on that sleeps, and return its exit code."""
        os.kill(pid, signal.SIGCONT)
        return self._answer()

    def _ask(self, folder: Path, cause: Cause | str, fault: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{folder}\t{cause}\t{fault}\n")
        self.process.stdin.flush()

    def _answer(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@pytest.fixture(scope="session")
def nursery() -> Generator[Nursery]:
    """The process that forks, for the whole session."""
    yield from _nursery()


@pytest.fixture(scope="session")
def dormitory() -> Generator[Nursery]:
    """Another one, for the runs that sleep while others go on."""
    yield from _nursery()


def _nursery() -> Generator[Nursery]:
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


class Before:
    """For each way in, a repository just before the command that will be killed, and what that ends in when nothing is."""

    def __init__(self, nursery: Nursery, released: Path, base: Path) -> None:
        """Make each when it is first asked for, in `base`."""
        self._nursery, self._released, self._base = nursery, released, base
        self._ends: dict[Cause, Any] = {}

    def folder(self, cause: Cause) -> Path:
        """Return the repository; it is not to be changed."""
        folder = self._base / cause.value / "shop"
        if not folder.exists():
            shutil.copytree(self._released, folder, symlinks=True)
            self._prepare(cause, folder)
        return folder

    def _prepare(self, cause: Cause, folder: Path) -> None:
        if cause is Cause.REFRESH:
            scene("load", "days=3", folder=folder)
        elif cause is Cause.PROMOTION:
            scene("leave_behind", folder=folder)
        else:
            scene("edit", folder=folder)
        if cause is Cause.ROLLBACK:
            assert self._nursery.go(folder, Cause.RELEASE) == 0

    def undisturbed(self, cause: Cause) -> Any:
        """Return what the way in ends in when nothing is killed."""
        if cause not in self._ends:
            copy = self._base / f"{cause.value}-undisturbed" / "shop"
            shutil.copytree(self.folder(cause), copy, symlinks=True)
            assert self._nursery.go(copy, cause) == 0
            self._ends[cause] = end(copy)
        return self._ends[cause]


@pytest.fixture(scope="session")
def before(nursery: Nursery, released: Path, tmp_path_factory: pytest.TempPathFactory) -> Before:
    """The state before each way in, for the whole session."""
    return Before(nursery, released, tmp_path_factory.mktemp("before"))


CASES = [
    *((Cause.RELEASE, point) for point in Point if point not in ROLLBACK | PROMOTION | ELSEWHERE),
    *((Cause.PROMOTION, point) for point in Point if point not in ROLLBACK | ELSEWHERE),
    *((Cause.REFRESH, point) for point in Point if point not in NOT_IN_REFRESH | ELSEWHERE),
    *(
        (Cause.ROLLBACK, point)
        for point in (*sorted(ROLLBACK), Point.DEPLOY_RELATIONS, Point.DEPLOY_VIEWS, Point.MONITOR_JUDGED)
    ),
]


@pytest.mark.parametrize(
    ("cause", "point"),
    [
        # In one process by way in: what is before it is prepared once.
        pytest.param(
            cause, point, id=f"{cause.value}-{point.value}", marks=pytest.mark.xdist_group(cause.value)
        )
        for cause, point in CASES
    ],
)
def test_killed_there_and_run_again(
    nursery: Nursery,
    before: Before,
    tmp_path: Path,
    cause: Cause,
    point: Point,
) -> None:
    """The process dies at the point (not elsewhere, not never); readers then see old or new; the rerun ends as undisturbed."""
    folder = tmp_path / "shop"
    undisturbed = before.undisturbed(cause)
    shutil.copytree(before.folder(cause), folder, symlinks=True)
    old = serves(folder)
    assert nursery.go(folder, cause, point) == -signal.SIGKILL
    assert serves(folder) in (old, undisturbed["serves"])
    assert nursery.go(folder, cause) == 0
    assert end(folder) == undisturbed


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
    assert {point for _, point in CASES} | ELSEWHERE == set(Point)


SLEEPERS = [
    (Cause.RELEASE, Point.STAGE_BUILT),
    (Cause.RELEASE, Point.DEPLOY_INTENT),
    (Cause.RELEASE, Point.DEPLOY_FLIPPED),
    (Cause.REFRESH, Point.DEPLOY_INTENT),
    (Cause.ROLLBACK, Point.ROLLBACK_INTENT),
    (Cause.ROLLBACK, Point.ROLLBACK_FLIPPED),
]


@pytest.mark.parametrize(
    ("cause", "point"), SLEEPERS, ids=[f"{cause.value}-{point.value}" for cause, point in SLEEPERS]
)
def test_who_slept_past_the_lease_writes_nothing(
    nursery: Nursery,
    dormitory: Nursery,
    before: Before,
    tmp_path: Path,
    cause: Cause,
    point: Point,
) -> None:
    """A real process, stopped (SIGSTOP) until its lease ran out and another did its work: woken, it changes nothing more."""
    folder, pid = asleep(dormitory, before.folder(cause), tmp_path, cause, point)
    try:
        lease_runs_out(folder)
        assert nursery.go(folder, cause) == 0
        done, entries = end(folder), len(ledger_of(folder))
        assert done == before.undisturbed(cause)
    except BaseException:
        os.kill(pid, signal.SIGKILL)  # or the dormitory would wait for it for ever
        raise
    assert dormitory.wake(pid) == 70  # LeaseLost, as nursery.py tells any error
    assert end(folder) == done
    assert len(ledger_of(folder)) == entries


def asleep(dormitory: Nursery, before: Path, tmp_path: Path, cause: Cause, point: Point) -> tuple[Path, int]:
    """Return a folder, and the process that sleeps in it at the point: not while it writes to the state store.

    There it would keep everybody out until it is woken or killed; that is another story, and no writing.
    """
    for attempt in range(9):
        folder = tmp_path / str(attempt) / "shop"
        shutil.copytree(before, folder, symlinks=True)
        pid = dormitory.put_to_sleep(folder, cause, point)
        assert pid > 1
        if not is_locked(folder / ".sluice" / "state.db"):
            return folder, pid
        dormitory.wake(pid)
    pytest.fail("it always fell asleep while it renewed its lease")


def is_locked(file: Path) -> bool:
    """Say whether somebody is writing to a SQLite file."""
    connection = sqlite3.connect(file, timeout=0, isolation_level=None)
    try:
        connection.execute("begin immediate")
        connection.execute("rollback")
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    return False


def lease_runs_out(folder: Path) -> None:
    """Return when nobody holds the environment any more: its holder sleeps, and cannot renew."""
    store, tick = Workshop.at(folder).store, threading.Event()
    for _ in range(1000):
        lease = store.lease("prod")
        if lease is None or lease.expires_at <= datetime.now(UTC):
            store.close()
            return
        tick.wait(0.02)
    pytest.fail("the lease did not run out")


def ledger_of(folder: Path) -> tuple[ledger.Entry, ...]:
    """Return every entry."""
    store = Workshop.at(folder).store
    entries = store.entries()
    store.close()
    return entries


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
    held = [(item.kind, item.target, item.reason) for item in store.controls()]
    store.close()
    return {
        "serves": serves(folder),
        "pointers": sorted(
            (str(item.name), item.node, item.fingerprint, item.inputs) for item in current.pointers
        ),
        "stable": stable,
        "open": open_ones,
        "lease": lease,
        "held": held,
    }
