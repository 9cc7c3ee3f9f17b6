"""Told to stop (SIGTERM, as Prefect's Cancel sends it) at points of every stage: it ends in order, and the next run goes on."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from prefect_sluice.domain.generation import Cause
from prefect_sluice.runtime.cancellation import surface_cancellation, told_to_stop
from prefect_sluice.runtime.faults import FaultPoint
from prefect_sluice.workspace.workspace import Workspace
from tests.crash.watching import Before, Nursery, end, serves
from tests.warm import python_path

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300, func_only=True)]

POINTS = [
    FaultPoint.BUILD_PLANNED,
    FaultPoint.STAGE_BUILT,
    FaultPoint.DEPLOY_VIEWS,
    FaultPoint.DEPLOY_FLIPPED,
    FaultPoint.MONITOR_JUDGED,
]


@pytest.mark.parametrize(
    "point",
    [pytest.param(one, id=one.value, marks=pytest.mark.xdist_group(Cause.RELEASE.value)) for one in POINTS],
)
def test_cancelled_there_and_run_again(
    nursery: Nursery, dormitory: Nursery, before: Before, tmp_path: Path, point: FaultPoint
) -> None:
    """Readers see old or new, the lease is given back at once, and the next run ends as if nothing had happened."""
    undisturbed = before.undisturbed(Cause.RELEASE)
    folder = tmp_path / "shop"
    shutil.copytree(before.near(Cause.RELEASE, point), folder, symlinks=True)
    old = serves(folder)
    pid = dormitory.put_to_sleep(folder, Cause.RELEASE, point)
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)
    ended = dormitory.answer()
    assert (ended.code, ended.error) == (70, "Stopping")
    with Workspace.at(folder).store as store:
        assert store.lease("prod") is None
    assert serves(folder) in (old, undisturbed["serves"])
    assert nursery.go(folder, Cause.RELEASE) == 0
    assert end(folder) == undisturbed


class Stop(BaseException):
    """What a signal's handler raises."""


def test_what_stopped_it_is_found_behind_other_errors() -> None:
    """A failure stays a failure, and what came of an order to stop is that order."""
    stop, disguise = Stop(), RuntimeError("Query interrupted")
    disguise.__cause__ = stop
    interrupt = KeyboardInterrupt()
    interrupt.__cause__ = disguise
    assert told_to_stop(interrupt) is stop
    assert told_to_stop(ValueError()) is None
    assert told_to_stop(None) is None
    with pytest.raises(Stop), surface_cancellation():
        raise disguise
    with pytest.raises(ValueError, match="as it is"), surface_cancellation():
        raise ValueError("as it is")


def test_a_long_query_of_dbt_stops_at_once(tmp_path: Path) -> None:
    """A query that would take days: dbt's threads end, and what told it to stop comes out as it is."""
    done = subprocess.run(
        [sys.executable, "-P", str(Path(__file__).with_name("stopping_dbt.py")), str(tmp_path / "shop")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), python_path()])},
    )
    assert done.stdout.split() == ["Stop", "MainThread"], done.stdout + done.stderr


FORKS = """
import os, signal
from tests.warm import end_with
itself = os.getpid()
pid = os.fork()
if pid == 0:
    end_with(itself)
    os.kill(os.getpid(), signal.SIGSTOP)
os.waitpid(pid, os.WUNTRACED)
print(pid, flush=True)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux that kills a process with its parent")
def test_a_scenario_ends_with_who_started_it() -> None:
    """Also one that hears no signal, since it sleeps or hangs in a library: who kills pytest with -9 leaves nothing that runs."""
    environ = {**os.environ, "PYTHONPATH": python_path()}
    with subprocess.Popen(
        [sys.executable, "-c", FORKS], stdout=subprocess.PIPE, text=True, env=environ
    ) as process:
        assert process.stdout is not None
        child = os.pidfd_open(int(process.stdout.readline()))
        process.kill()
        ended, _, _ = select.select([child], [], [], 60)
        os.close(child)
    assert ended
