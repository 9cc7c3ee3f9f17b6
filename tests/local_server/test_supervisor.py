"""What `sluice up` starts is kept up, and nothing of it stays when it ends, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import psutil
import pytest

from prefect_sluice.domain.errors import Refused
from prefect_sluice.local_server.processes import MARK, KnownProcess, kill, members
from prefect_sluice.local_server.supervisor import ChildDied, Family

WAITS = (sys.executable, "-S", "-c", "import signal; signal.pause()")
# As a worker has its runs: in a session of their own.
PARENT = (
    sys.executable, "-S", "-c",
    "import signal, subprocess, sys\n"
    "subprocess.Popen([sys.executable, '-S', '-c', 'import signal; signal.pause()'], start_new_session=True)\n"
    "signal.pause()",
)  # fmt: skip
DEAF = (
    sys.executable, "-S", "-c",
    "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\nwhile True: signal.pause()",
)  # fmt: skip


def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture
def told() -> list[str]:
    """What the family says."""
    return []


@pytest.fixture
def family(tmp_path: Path, told: list[str]) -> Generator[Family]:
    """An empty one."""
    found = Family(tmp_path / "up", told.append)
    yield found
    found.kill_now()
    found.close()


def started(family: Family, command: tuple[str, ...], count: int = 1) -> KnownProcess:
    """Start a worker, and wait until as many processes are there as it has."""
    found = family.start("worker", command, os.environ).identity
    assert found is not None
    until(lambda: len(members(found)) == count)
    return found


def test_a_child_ends_with_all_that_it_started(family: Family) -> None:
    worker = started(family, PARENT, count=2)
    family.end("worker")
    assert members(worker) == ()
    family.end("worker")


def test_a_killed_worker_leaves_no_run_behind_and_is_started_again(family: Family, told: list[str]) -> None:
    worker = started(family, PARENT, count=2)
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: (family.watch(), bool(told))[1])
    again = family.child("worker")
    assert again is not None
    assert again.identity is not None
    assert again.identity.pid != worker.pid
    until(lambda: len(members(worker)) == 2)  # the mark is the same, and it has one run, not two
    assert told == ["the worker ended (exit code -9); starting it again"]


def test_who_cannot_stay_up_is_named_with_its_last_line(family: Family) -> None:
    family.start("server", (sys.executable, "-S", "-c", "raise SystemExit('no room')"), os.environ)
    with pytest.raises(
        ChildDied, match=r"the server does not stay up \(no room\); read why: .*server.log"
    ) as found:
        until(lambda: (family.watch(), False)[1])
    assert found.value.exit_code == 1


def test_who_does_not_listen_is_killed(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    monkeypatch.setattr("prefect_sluice.local_server.supervisor._PATIENCE", timedelta(seconds=0.2))
    worker = started(family, DEAF)
    log = family.folder / "worker.log"
    until(lambda: "deaf" in log.read_text(encoding="utf-8"))
    family.end("worker")
    assert members(worker) == ()


def test_only_one_is_up_in_a_folder(family: Family) -> None:
    family.note(ui="http://127.0.0.1:4200")
    with pytest.raises(Refused, match=rf"runs here already \(pid {os.getpid()} at http://127.0.0.1:4200\)"):
        Family(family.folder, print)


KILLED = """
import os, sys
from pathlib import Path
from prefect_sluice.local_server.supervisor import Family
family = Family(Path(sys.argv[1]), print)
family.start("server", {waits!r}, os.environ)
family.start("worker", {parent!r}, os.environ)
print("up", flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_one_left_is_ended_by_the_next(tmp_path: Path, told: list[str]) -> None:
    folder = tmp_path / "up"
    program = KILLED.format(waits=WAITS, parent=PARENT)
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    children = json.loads((folder / "processes.json").read_text(encoding="utf-8"))["children"]
    left = [KnownProcess(**item) for item in children]
    try:
        until(lambda: [len(members(one)) for one in left] == [1, 2])
        family = Family(folder, told.append)
        assert [members(one) for one in left] == [(), ()]
        family.close()
    finally:
        for one in left:
            kill(one)
    assert [line.split(" that ")[0] for line in told] == ["ending the worker", "ending the server"]
    assert not (folder / "processes.json").exists()


def test_a_stranger_with_the_number_of_an_old_child_is_left_alone(tmp_path: Path, told: list[str]) -> None:
    folder = tmp_path / "up"
    folder.mkdir()
    with subprocess.Popen(WAITS) as stranger:
        children = [{"pid": stranger.pid, "start": "1", "mark": f"{folder} server"}]
        (folder / "processes.json").write_text(json.dumps({"children": children}), encoding="utf-8")
        Family(folder, told.append).close()
        assert (stranger.poll(), told) == (None, [])
        stranger.kill()


def test_children_bear_the_mark_of_their_folder(family: Family) -> None:
    worker = started(family, WAITS)
    # Between fork and exec it bears none yet.
    until(lambda: psutil.Process(worker.pid).environ().get(MARK) == f"{family.folder} worker")
