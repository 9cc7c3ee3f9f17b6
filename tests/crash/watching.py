"""Runs the scenario in processes that die or sleep, and looks at what they leave behind."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import duckdb
import pytest

from prefect_sluice.domain import ledger
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import ENDED, State
from prefect_sluice.runtime.faults import SLEEP, FaultPoint
from prefect_sluice.workspace.workspace import Workspace
from tests.warm import python_path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Ended:
    """What became of a run: its exit code and the name of the error that ended it, or its process id while it sleeps."""

    code: int
    error: str = ""
    asleep: int = 0


@dataclass(frozen=True)
class Nursery:
    """Runs the scenario in children that may die, and makes folders for them. `asks` and `answers` lead to the process that
    forks them."""

    asks: IO[str]
    answers: IO[str]

    def go(self, folder: Path, cause: Cause | str, fault: FaultPoint | None = None, *, how: str = "") -> int:
        """Return the exit code of one run; negative is the signal that killed it. `how` is what happens at `fault`:
        death, or ERROR."""
        return self.run(folder, cause, how + fault.value if fault else "").code

    def run(self, folder: Path, cause: Cause | str, fault: str = "") -> Ended:
        """Return how one run ended, or where it sleeps."""
        self.ask(folder, cause, fault)
        return self.answer()

    def put_to_sleep(self, folder: Path, cause: Cause, fault: FaultPoint) -> int:
        """Start one run that stops at `fault`; return its process id once it sleeps."""
        return self.run(folder, cause, SLEEP + fault.value).asleep

    def wake(self, pid: int) -> int:
        """Let a run go on that sleeps, and return its exit code."""
        os.kill(pid, signal.SIGCONT)
        return self.answer().code

    def scene(self, name: str, folder: Path) -> None:
        """Have one of the scenario's preparations made, as `make` or `edit`."""
        ended = self.run(folder, "scene", name)
        assert ended.code == 0, (name, ended)

    def ask(self, folder: Path, cause: Cause | str, fault: str = "") -> None:
        """Send a line to the process; what it answers is still to be read."""
        self.asks.write(f"{folder}\t{cause}\t{fault}\n")
        self.asks.flush()

    def answer(self) -> Ended:
        """Return what became of the run that was started or woken last."""
        word, number, error = self.answers.readline().rstrip("\n").split(" ")
        return Ended(0, "", int(number)) if word == "asleep" else Ended(int(number), error)


@contextmanager
def nursing() -> Generator[Nursery]:
    """Start a process that forks, and end it with the block."""
    quiet = "ignore:resource_tracker"  # what is killed leaves its semaphores
    environ = {**os.environ, "PYTHONPATH": python_path(), "PYTHONWARNINGS": quiet}
    command = [sys.executable, str(HERE / "nursery.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Nursery(process.stdin, process.stdout)


@contextmanager
def twin(nursery: Nursery) -> Generator[Nursery]:
    """Have the process of a nursery, which is warm already, fork another one, which ends with the block."""
    with tempfile.TemporaryDirectory() as folder:
        asks, answers = Path(folder) / "in", Path(folder) / "out"
        os.mkfifo(asks)
        os.mkfifo(answers)
        nursery.ask(Path(folder), "twin")
        with asks.open("w") as writes, answers.open() as reads:
            yield Nursery(writes, reads)


AFTER_APPROVAL = frozenset(
    {
        FaultPoint.APPROVE_USED,
        FaultPoint.DEPLOY_INTENT,
        FaultPoint.DEPLOY_RELATIONS,
        FaultPoint.DEPLOY_VIEWS,
        FaultPoint.DEPLOY_COMMITTED,
        FaultPoint.DEPLOY_FLIPPED,
        FaultPoint.DEPLOY_RECORDED,
        FaultPoint.MONITOR_JUDGED,
        FaultPoint.MONITOR_CLOSED,
    }
)
"""Points that a command which waits for an approval passes only once it has one."""

APPROVED = {Cause.RELEASE: "approve_release", Cause.PROMOTION: "approve_promotion"}
"""The ways in that wait for an approval, and the scene that gets it."""


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

    def near(self, cause: Cause, point: FaultPoint) -> Path:
        """Return the repository just before the command that passes the point; it is not to be changed.

        Where that waits for an approval, this is the second one: what leads there was done once for all points behind it.
        """
        if cause not in APPROVED or point not in AFTER_APPROVAL:
            return self.folder(cause)
        folder = self._base / f"{cause.value}-approved" / "shop"
        if not folder.exists():
            shutil.copytree(self.folder(cause), folder, symlinks=True)
            self._nursery.scene(APPROVED[cause], folder)
        return folder

    def _prepare(self, cause: Cause, folder: Path) -> None:
        if cause is Cause.REFRESH:
            self._nursery.scene("load_more", folder)
        elif cause is Cause.PROMOTION:
            self._nursery.scene("leave_behind", folder)
        else:
            self._nursery.scene("edit", folder)
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


def asleep(
    dormitory: Nursery, before: Path, tmp_path: Path, cause: Cause, point: FaultPoint
) -> tuple[Path, int]:
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
    store, tick = Workspace.at(folder).store, threading.Event()
    for _ in range(1000):
        lease = store.lease("prod")
        if lease is None or lease.expires_at <= datetime.now(UTC):
            store.close()
            return
        tick.wait(0.02)
    pytest.fail("the lease did not run out")


def ledger_of(folder: Path) -> tuple[ledger.LedgerEntry, ...]:
    """Return every entry."""
    store = Workspace.at(folder).store
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
    workspace = Workspace.at(folder)
    environment = workspace.environment()
    current = workspace.warehouse(environment).generation(environment.name)
    store = workspace.store
    entries = store.entries()
    ledger.verify(entries)
    assert ledger.fold(entries)[environment.name]["generation"] == current.number
    promotions = store.promotions(environment=environment.name, limit=100)
    stable = sorted(
        (item.generation or 0, item.cause.value, item.release)
        for item in promotions
        if item.state is State.STABLE
    )
    open_ones = [item.id for item in promotions if item.state not in ENDED]
    lease = store.lease(environment.name)
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
