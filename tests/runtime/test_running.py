"""Whether a process runs, and what tells it from a later one of the same number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from prefect_sluice.runtime.running import start_of

WAITS = (sys.executable, "-S", "-c", "import signal; signal.pause()")


def test_a_process_began_at_one_time_however_often_it_is_asked() -> None:
    assert start_of(os.getpid()) == start_of(os.getpid()) != ""


def test_the_start_is_what_older_versions_read_in_proc() -> None:
    """Leases in the state store, and the list of children of `sluice up`, hold it."""
    stat = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    assert start_of(os.getpid()) == stat[19]


def test_what_was_killed_runs_no_more_and_a_zombie_neither() -> None:
    with subprocess.Popen(WAITS) as child:
        assert start_of(child.pid)
        child.send_signal(signal.SIGKILL)
        until = time.monotonic() + 20
        while start_of(child.pid) is not None:  # nobody has waited for it
            assert time.monotonic() < until
            os.sched_yield()
        assert psutil.pid_exists(child.pid)
    assert start_of(child.pid) is None


def test_a_process_that_proc_hides_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hidepid, psutil finds no process of another user; the kernel still says that there is one."""

    def hidden(pid: int) -> psutil.Process:
        raise psutil.NoSuchProcess(pid)

    monkeypatch.setattr(psutil, "Process", hidden)
    assert start_of(os.getpid()) == ""
    assert start_of(999_999_999) is None


def test_where_proc_does_not_say_when_the_machine_began_no_start_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing() -> float:
        raise RuntimeError("line 'btime' not found")

    monkeypatch.setattr(psutil, "boot_time", nothing)
    assert start_of(os.getpid()) == ""


@pytest.mark.parametrize("pid", [999_999_999, 2**70])
def test_a_number_that_no_process_can_have_does_not_run(pid: int) -> None:
    assert start_of(pid) is None


def test_a_clock_that_is_set_meanwhile_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    told = start_of(os.getpid())
    booted = psutil.boot_time()
    steps = iter([booted + 100])
    monkeypatch.setattr(psutil, "boot_time", lambda: next(steps, booted))
    assert start_of(os.getpid()) == told
