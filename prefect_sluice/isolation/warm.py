"""A process that has libraries loaded, from which each question forks a child: shut in, it answers one question as JSON.

To load a library costs a second or two, to fork some milliseconds. The warm process runs nothing of a change, and neither does
what it forks before it has shut itself in; what a child did to its memory is gone with it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from prefect_sluice.isolation.interpreter import DEVICES, readable
from prefect_sluice.isolation.run_command import PACKAGES
from prefect_sluice.isolation.sandbox import Limits, Protection, Rights, Sandbox

_START = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from prefect_sluice.isolation.warm_process import main; main(sys.argv[1:])"
)
_GRACE_SECONDS = 10
_LARGEST = 20_000_000
"""Bytes of an answer: what this process holds of it, and no more."""
_PROCESSES, _FILE_SIZE = 4096, 100_000_000


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a question: `value` is the JSON that the child said (None: nothing that is JSON), `error` why there is none,
    in a line (not `in_time`: it was stopped); `left` is how many processes it had left behind, which were ended."""

    value: Any = None
    error: str = ""
    protection: Protection = field(default_factory=Protection)
    left: int = 0
    in_time: bool = True


class Warm:
    """The process for one module, started at the first question and ended with this one. For threads, and for what forks from
    this process: each question has a connection of its own."""

    def __init__(self, module: str) -> None:
        """`module` has a function `prepare`, which loads, and `answer`, which a child calls with a question's value."""
        self._module = module
        self._lock = threading.Lock()
        self._control: socket.socket | None = None

    def ask(self, question: Any, rights: Rights) -> Answered:
        """Return what a child answers that has these rights, and a folder of its own to write to, which is gone afterwards. An
        interrupt ends the child, too."""
        with tempfile.TemporaryDirectory(prefix="sluice-asked-") as folder:
            own = Path(folder).resolve()
            homes = dict.fromkeys(("HOME", "TMPDIR", "TMP", "TEMP"), str(own))
            request = {
                "question": question,
                "sandbox": _sandbox(rights, own).document(),
                "folder": str(own),
                "variables": {**rights.variables, **homes},
                "path": [entry for entry in sys.path if entry],
                "seconds": rights.timeout.total_seconds(),
                "largest": _LARGEST,
            }
            return self._exchange(json.dumps(request).encode() + b"\n", rights.timeout)

    def _exchange(self, line: bytes, timeout: timedelta) -> Answered:
        mine, theirs = socket.socketpair()
        with mine:
            try:
                with theirs:
                    self._hand_over(theirs)
                mine.settimeout(timeout.total_seconds() + _GRACE_SECONDS)
                mine.sendall(line)
                with mine.makefile("rb") as answers:
                    reply = answers.readline(7 * _LARGEST)  # as JSON a sign takes up to six
            except OSError as error:
                return Answered(error=f"the process that was to answer is gone: {error}")
        return _read(reply)

    def _hand_over(self, connection: socket.socket) -> None:
        """Give the warm process a connection; one that was killed is started again."""
        with self._lock:
            if self._control is not None:
                with suppress(OSError):
                    socket.send_fds(self._control, [b"."], [connection.fileno()])
                    return
            self._control = self._started()
            socket.send_fds(self._control, [b"."], [connection.fileno()])

    def _started(self) -> socket.socket:
        control, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, PACKAGES, str(theirs.fileno()), self._module],
                env={"PATH": os.defpath, "OPENBLAS_NUM_THREADS": "1"},  # a process that forks has no threads
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )
        weakref.finalize(self, _end, process, control, os.getpid())
        return control


@cache
def warm(module: str) -> Warm:
    """Return the process for a module: one for all that this process does, since it holds libraries and nothing else."""
    return Warm(module)


def _sandbox(rights: Rights, own: Path) -> Sandbox:
    limits = Limits(
        seconds=int(rights.timeout.total_seconds() * (os.cpu_count() or 1)) + 1,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        processes=_PROCESSES,
        file_size=_FILE_SIZE,
    )
    return Sandbox((*readable(), *rights.read), (*DEVICES, own), required=rights.required, limits=limits)


def _end(process: subprocess.Popen[bytes], control: socket.socket, owner: int) -> None:
    control.close()
    if os.getpid() == owner:
        process.terminate()
        process.wait()


def _read(line: bytes) -> Answered:
    """Return the last word of the process between: what the child said stands in it as a text."""
    if not line.endswith(b"\n"):
        return Answered(error="the process that ran it was killed")
    reply = json.loads(line)
    protection = Protection(**reply["protection"])
    if reply["error"]:
        return Answered(None, reply["error"], protection, reply["left"], reply["in_time"])
    try:
        return Answered(json.loads(reply["answer"]), "", protection, reply["left"])
    except ValueError:
        return Answered(
            error="it answered something that is no JSON", protection=protection, left=reply["left"]
        )
