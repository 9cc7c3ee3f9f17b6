"""What one command, or many processes of one, use up of the machine: each is ended at its limit, with all that it started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from prefect_sluice.isolation.sandbox import Limits
from tests.isolation.shut_in import needs_landlock, run

MARK = f"sluice-attack-that-fills-{os.getpid()}"
needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="what processes use together is watched on Linux only"
)


@needs_landlock
def test_memory_and_files_have_limits(tmp_path: Path) -> None:
    limits = Limits(memory=300_000_000, file_size=1000)
    code = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    _, printed = run(tmp_path, code + "x = bytearray(10**9)", limits=limits)
    assert "MemoryError" in printed
    _, printed = run(tmp_path, code + "open('big', 'wb').write(bytes(5000))\n", limits=limits)
    assert (tmp_path / "big").stat().st_size <= 1000


@needs_landlock
def test_open_files_have_a_limit(tmp_path: Path) -> None:
    code = """
held = []
try:
    while True:
        held.append(open("/dev/null"))
except OSError as error:
    print(error.errno, len(held) < 200)
"""
    assert run(tmp_path, code, limits=Limits(open_files=200))[1] == "24 True\n"


@needs_landlock
def test_memory_of_others_is_not_taken_first(tmp_path: Path) -> None:
    """When the machine has none left, the kernel ends the process with the highest number, and it cannot be lowered."""
    code = """
print(open("/proc/self/oom_score_adj").read().strip(), flush=True)
open("/proc/self/oom_score_adj", "w").write("-1000")
"""
    ended, printed = run(tmp_path, code)
    assert printed.startswith("1000\n")
    assert ended.code == 1


STAY = "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
FILLS = {  # more than the limit by far: what others of the machine free meanwhile is counted, too
    "processes": (
        Limits(processes=50),
        f"for _ in range(400):\n    if os.fork() == 0:\n        {STAY}\n{STAY}",
        "more processes and threads ran at one time than 50",
    ),
    "a fork bomb": (
        Limits(processes=50),
        "while True:\n    os.fork()",
        "more processes and threads ran at one time than 50",
    ),
    "threads": (
        Limits(processes=50),
        "for _ in range(400):\n    threading.Thread(target=signal.pause).start()",
        "more processes and threads ran at one time than 50",
    ),
    "memory by many processes": (
        Limits(memory=300_000_000, memory_together=300_000_000),
        f"for _ in range(30):\n    if os.fork() == 0:\n        x = b'x' * 100_000_000\n        {STAY}\n{STAY}",
        "and 300 MB is the most",
    ),
    "shared memory": (
        Limits(memory_together=300_000_000),
        f"for number in range(30):\n    open(f'/dev/shm/{{number}}', 'wb').write(bytes(50_000_000))\n{STAY}",
        "and 300 MB is the most",
    ),
    "the disk, by many files": (
        Limits(file_size=10_000_000, disk=100_000_000),
        f"for number in range(300):\n    open(str(number), 'wb').write(bytes(10_000_000))\n{STAY}",
        "and 100 MB is the most",
    ),
    "the disk, by files without a name": (
        Limits(disk=100_000_000),
        f"import tempfile\nx = tempfile.TemporaryFile(dir='.')\nfor _ in range(300):\n    x.write(bytes(10_000_000))\n{STAY}",
        "and 100 MB is the most",
    ),
    "the table of files": (
        Limits(files=2000),
        f"for number in range(200_000):\n    open(str(number), 'w').close()\n{STAY}",
        "and 2000 is the most",
    ),
}


@needs_landlock
@pytest.mark.parametrize("what", FILLS)
def test_what_fills_the_machine_is_ended(what: str, tmp_path: Path) -> None:
    limits, attack, why = FILLS[what]
    code = f"import os, signal, threading\n{MARK!r}\n{attack}"
    ended, printed = run(tmp_path, code, limits=limits)
    # An account that is not root may start no more: then the code sees that, and ends.
    assert why in ended.stopped or "BlockingIOError" in printed, (ended, printed)
    assert (ended.code, ended.error) == (None, "")
    assert not [
        each for each in psutil.process_iter(["cmdline"]) if MARK in " ".join(each.info["cmdline"] or ())
    ]


@needs_linux
def test_what_stays_within_its_limits_is_not_ended(tmp_path: Path) -> None:
    limits = Limits(processes=50, memory_together=10**11, disk=10**12, files=10**8)
    code = "import subprocess, sys\nfor _ in range(5):\n    subprocess.run([sys.executable, '-c', ''])\nprint('built')"
    ended, printed = run(tmp_path, code, limits=limits)
    assert (ended.code, ended.stopped, printed) == (0, "", "built\n")
