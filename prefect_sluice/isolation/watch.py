"""What all processes of a command use together, looked at from outside: limits of the kernel are of one process each.

Control groups would limit that, but most machines give an account none of its own. What is looked at is what the machine has
left: that also counts what belongs to no process, as files in memory, and files that have no name any more.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path

from prefect_sluice.isolation.sandbox import Limits, Sandbox

LOOK_SECONDS = 0.1
"""How often it is looked."""
_PROCESSES, _SHARE_OF_WHAT_IS_FREE = 4096, 0.9
_SAID = {
    "memory": "{0} MB of memory were used while it ran, and {1} MB is the most",
    "disk": "{0} MB of the disk were used while it ran, and {1} MB is the most",
    "files": "{0} files were made while it ran, and {1} is the most",
}
_UNITS = {"memory": 10**6, "disk": 10**6, "files": 1}


def limits_of_machine(folder: Path, timeout: timedelta | None) -> Limits:
    """Return limits that leave others a tenth of the memory and of the disk of `folder` that are free now; without `timeout` the
    processor has none. Raises OSError."""
    disk = os.statvfs(folder)
    free = int(disk.f_bavail * disk.f_frsize * _SHARE_OF_WHAT_IS_FREE)
    available = _available_memory()
    return Limits(
        seconds=int(timeout.total_seconds() * (os.cpu_count() or 1)) + 1 if timeout else None,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        processes=_PROCESSES,
        file_size=free,
        memory_together=int(available * _SHARE_OF_WHAT_IS_FREE) if available is not None else None,
        disk=free,
        files=int(disk.f_favail * _SHARE_OF_WHAT_IS_FREE) or None,  # some file systems do not count them
    )


class Watch:
    """What is left now, before a command starts, to compare with later. Other processes of the machine use of it, too."""

    def __init__(self, sandbox: Sandbox, *, can_signal_all: bool) -> None:
        """What is watched are the file systems of the folders that may be written to. `can_signal_all`: a signal to all processes
        goes to what this one started, and to nothing else."""
        self._can_signal_all = can_signal_all
        limits = sandbox.limits
        self._processes = limits.processes
        self._most = {"memory": limits.memory_together, "disk": limits.disk, "files": limits.files}
        self._folders = [path for path in sandbox.write if path.is_dir()]
        self._before = self._left()

    def exceeded(self) -> str:
        """Return which limit the children of this process are beyond, in a line, "" for none."""
        now = self._left()
        for (kind, place), before in self._before.items():
            used, most = before - now.get((kind, place), before), self._most.get(kind)
            if most is not None and used > most:
                return _SAID[kind].format(used // _UNITS[kind], most // _UNITS[kind])
        most = self._processes
        if most is not None and now["threads", 0] - self._before["threads", 0] > most and self._run(most + 1):
            return f"more processes and threads ran at one time than {most}"
        return ""

    def _run(self, least: int) -> bool:
        """Say whether at least so many processes and threads run of what this process started. They are halted meanwhile: who is
        one among thousands that fork counts for minutes."""
        if self._can_signal_all:
            _signal_all(signal.SIGSTOP)
        is_so = next(islice(_tasks(), least - 1, None), None) is not None
        if self._can_signal_all and not is_so:
            _signal_all(signal.SIGCONT)
        return is_so

    def _left(self) -> Mapping[tuple[str, int], int]:
        """Return what is left of each kind, by file system, and how many threads run on the machine."""
        left: dict[tuple[str, int], int] = {}
        for folder in self._folders:
            with suppress(OSError):  # the command may have removed it
                found, place = os.statvfs(folder), folder.stat().st_dev
                left["disk", place] = found.f_bavail * found.f_frsize
                left["files", place] = found.f_favail
        left["threads", 0] = _threads_of_machine()
        memory = _available_memory()
        return left if memory is None else {**left, ("memory", 0): memory}


def _available_memory() -> int | None:
    """Return how many bytes programs could still get. None where the system does not say (it is not Linux)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _signal_all(order: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(-1, order)


def _threads_of_machine() -> int:
    """Return how many run, of whomever: one read, where to count those of a command takes thousands. 0 where it is not told."""
    try:
        return int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[2])
    except OSError:
        return 0


def _tasks() -> Iterator[str]:
    """Yield the processes and threads that this process started, and those that they started."""
    to_ask = [os.getpid()]
    while to_ask:
        process = to_ask.pop()
        with suppress(OSError):  # it ended meanwhile
            for thread in Path(f"/proc/{process}/task").iterdir():
                if process != os.getpid():
                    yield thread.name
                to_ask += map(int, (thread / "children").read_text(encoding="ascii").split())
