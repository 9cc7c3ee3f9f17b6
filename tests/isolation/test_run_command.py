"""A command that is shut in, against what hostile code would try; each is seen from outside as well."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from prefect_sluice.isolation import run_command as module
from prefect_sluice.isolation.interpreter import DEVICES, readable
from prefect_sluice.isolation.run_command import reached, run_command
from prefect_sluice.isolation.sandbox import Protection, Sandbox
from tests.isolation.shut_in import needs_landlock, run


def test_how_it_ended_is_told(tmp_path: Path) -> None:
    assert run(tmp_path, "print('here')")[0].code == 0
    assert run(tmp_path, "raise SystemExit(7)")[0].code == 7
    assert run(tmp_path, "import os; os.kill(os.getpid(), 9)")[0].code == -signal.SIGKILL
    assert run(tmp_path, "import time; time.sleep(600)", seconds=2)[0].code is None


@needs_landlock
def test_this_machine_reaches_the_tier(tmp_path: Path) -> None:
    protection = run(tmp_path, "")[0].protection
    assert (protection.is_isolated, protection.tier, protection.signals) == (True, "isolated", True)


LEAVES = """
import subprocess, sys
code = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", f"import os\\nif os.fork(): os._exit(0)\\n{code}"], stdout=subprocess.PIPE)
print(child.stdout.readline().decode())
"""


@pytest.mark.parametrize("kernel", ["this", "old"])
def test_what_detached_itself_is_ended(tmp_path: Path, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kernel == "old":
        without = "import prefect_sluice.isolation.landlock as own; own.scope_signals = lambda: False; "
        monkeypatch.setattr(module, "LAUNCH", module.LAUNCH.replace("from prefect", f"{without}from prefect"))
    ended, printed = run(tmp_path, LEAVES)
    assert (ended.code, ended.left) == (0, 1)
    assert not psutil.pid_exists(int(printed))


FORKS = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        while True:
            if os.fork():
                os._exit(0)
            os.setsid()
            open("beat", "w").close()
time.sleep(0.3)
"""
"""Each process starts another one and ends: who kills one after the other is always late."""


@needs_landlock
@pytest.mark.slow
def test_what_forks_faster_than_it_can_be_killed_is_ended(tmp_path: Path) -> None:
    ended, _ = run(tmp_path, FORKS)
    assert (ended.code, ended.error) == (0, "")
    last = (tmp_path / "beat").stat().st_mtime_ns
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        assert (tmp_path / "beat").stat().st_mtime_ns == last


def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as output:
        ended = run_command(
            [str(tmp_path / "nothing")],
            Sandbox(readable(), (tmp_path,)),
            folder=tmp_path,
            variables={},
            output=output.fileno(),
            timeout=timedelta(seconds=60),
        )
    assert ended.code == 126
    assert "nothing" in ended.error


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs a command which sleeps; it prints the command's number."""
    # An interrupt is ignored where the tests themselves were started in the background.
    code = f"""
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from datetime import timedelta
from pathlib import Path
from prefect_sluice.isolation.interpreter import DEVICES, readable
from prefect_sluice.isolation.run_command import run_command
from prefect_sluice.isolation.sandbox import Sandbox
folder = Path({str(tmp_path)!r})
sleeps = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
run_command([sys.executable, "-c", sleeps], Sandbox(readable(), (*DEVICES, folder)), folder=folder, variables={{}},
            output=1, timeout=timedelta(seconds=600))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield process
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
@pytest.mark.parametrize("order", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_its_caller(caller: subprocess.Popen[str], order: signal.Signals) -> None:
    assert caller.stdout is not None
    command = psutil.Process(int(caller.stdout.readline()))
    caller.send_signal(order)
    command.wait(20)
    assert not command.is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_nothing_is_started_for_a_caller_that_is_gone_already(tmp_path: Path) -> None:
    """On a busy machine it may die before the process that it started can ask to be told."""
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as gone:
        gone.wait()
    sandbox = json.dumps(Sandbox(readable(), (*DEVICES, tmp_path)).document())
    command = [sys.executable, "-S", "-c", f"open({str(tmp_path / 'ran')!r}, 'w')"]
    reading, writing = os.pipe()
    launch = [
        sys.executable,
        "-c",
        "import sys; from prefect_sluice.isolation.launch import main; main(sys.argv[1:])",
    ]
    for caller in (gone.pid, os.getpid()):
        assert not (tmp_path / "ran").exists()
        subprocess.run(
            [*launch, sandbox, str(writing), str(caller), *command], pass_fds=(writing,), check=True
        )
    assert (tmp_path / "ran").exists(), "for a caller that lives it is started"
    os.close(reading)
    os.close(writing)


@needs_landlock
def test_what_this_machine_reaches_is_told_without_a_project() -> None:
    assert reached() == Protection(files=True, network=True, signals=True, sockets=True, modes=True)
