"""A process that has libraries loaded, from which each question forks a child: shut in, it answers one question as JSON.

To load a library costs a second or two, to fork some milliseconds. The warm process runs nothing of a change, and neither does
what it forks before it has shut itself in; what a child did to its memory is gone with it.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from prefect_sluice.isolation.interpreter import DEVICES, readable
from prefect_sluice.isolation.run_command import PACKAGES
from prefect_sluice.isolation.sandbox import Protection, Rights, Sandbox
from prefect_sluice.isolation.watch import limits_of_machine
from prefect_sluice.runtime import process

_START = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from prefect_sluice.isolation.warm_process import main; main(sys.argv[1:])"
)
_GRACE_SECONDS = 10
_ENDING_SECONDS = 1
_LARGEST = 20_000_000
"""Bytes of an answer: what this process holds of it, and no more."""
_LONGEST_LINE = 500_000_000
"""Bytes of what a child says at once: a project of ten thousand nodes takes a tenth of it."""


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
            return self._exchange(_request(question, rights, Path(folder).resolve()), rights.timeout)

    def open(self, question: Any, rights: Rights, folder: Path) -> Conversation:
        """Return a conversation with a child that has these rights, and `folder` to write to; it begins with `question`. What
        the module does is its function `talk`. Raises ChildEnded where there is no process to talk to."""
        control, theirs = socket.socketpair()
        mine, talk = socket.socketpair()
        try:
            with theirs, talk:
                self._hand_over(theirs, talk)
            control.sendall(_request(question, rights, folder.resolve()))
        except OSError as error:
            control.close()
            mine.close()
            raise ChildEnded(f"the process that was to answer is gone: {error}") from error
        return Conversation(control, mine)

    def _exchange(self, line: bytes, timeout: timedelta | None) -> Answered:
        mine, theirs = socket.socketpair()
        with mine:
            try:
                with theirs:
                    self._hand_over(theirs)
                mine.sendall(line)
                with mine.makefile("rb") as answers:
                    answers.readline(_LARGEST)  # that it has begun: what it loads before is nobody's time
                    mine.settimeout(timeout.total_seconds() + _GRACE_SECONDS if timeout else None)
                    reply = answers.readline(7 * _LARGEST)  # as JSON a sign takes up to six
            except OSError as error:
                return Answered(error=f"the process that was to answer is gone: {error}")
        return _read(reply)

    def start(self) -> None:
        """Start the process, so that it loads while something else is done. Repeatable."""
        with self._lock:
            if self._control is None:
                self._control = self._started()

    def _hand_over(self, *connections: socket.socket) -> None:
        """Give the warm process the connections for one child; one that was killed is started again."""
        given = [connection.fileno() for connection in connections]
        with self._lock:
            if self._control is not None:
                with suppress(OSError):
                    socket.send_fds(self._control, [b"."], given)
                    return
            self._control = self._started()
            socket.send_fds(self._control, [b"."], given)

    def _started(self) -> socket.socket:
        control, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, PACKAGES, str(theirs.fileno()), self._module],
                env=_variables(),
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


class ChildEnded(Exception):
    """A child that was talked to is gone, or says what cannot be read; the text says why, in a line."""


class Conversation:
    """What a child is asked, one question after another; it ends with `close`, and with this process. One thread at a time."""

    def __init__(self, control: socket.socket, talk: socket.socket) -> None:
        """`control` leads to the process between, `talk` to the child itself."""
        self._control, self._talk = control, talk
        self._lines = talk.makefile("rb")
        self._closed: Answered | None = None
        self._asked = 0
        weakref.finalize(self, _hang_up, control, talk)
        self.protection = Protection(**self._answer(None))

    def ask(self, question: Any, hear: Callable[[Any], object] | None = None) -> Any:
        """Return the answer; what the child says meanwhile is given to `hear`. Raises ChildEnded. Whatever interrupts it ends the
        conversation: an answer that comes late would be taken for that of the next question."""
        self._asked += 1
        try:
            self._talk.sendall(json.dumps(question).encode() + b"\n")
            return self._answer(hear)
        except OSError as error:
            raise ChildEnded(self.close().error or str(error)) from error
        except BaseException:
            self.close()
            raise

    def _answer(self, hear: Callable[[Any], object] | None) -> Any:
        while True:
            match self._next_message():
                case {"answer": answer, "to": self._asked}:
                    return answer
                case {"answer": _}:
                    self.close()
                    raise ChildEnded("it answered what it was not asked")
                case {"says": words}:
                    if hear is not None:
                        hear(words)
                case _:
                    self.close()
                    raise ChildEnded("it said something that cannot be read")

    def _next_message(self) -> Any:
        """Return the next that it says, None for what is no JSON. Raises ChildEnded at its end."""
        line = self._lines.readline(_LONGEST_LINE)
        if not line:
            raise ChildEnded(self._close(_ENDING_SECONDS).error or "it hung up")
        with suppress(ValueError):
            return json.loads(line) if line.endswith(b"\n") else None
        return None

    def close(self) -> Answered:
        """End the child and all that it left, and return how it had ended by then. Repeatable."""
        return self._close(0)

    def _close(self, seconds: float) -> Answered:
        """Close; a child that hung up gets so many seconds to end by itself, so that it is known how."""
        if self._closed is None:
            with suppress(OSError):
                self._talk.shutdown(socket.SHUT_RDWR)
            if seconds:
                select.select([self._control], [], [], seconds)
            with suppress(OSError):
                self._control.shutdown(socket.SHUT_WR)
            with suppress(OSError):
                self._control.settimeout(_GRACE_SECONDS)
                with self._control.makefile("rb") as answers:
                    self._closed = _read(answers.readline(_LARGEST))
            self._closed = self._closed or Answered(error="the process that ran it does not end")
            _hang_up(self._control, self._talk)
        return self._closed


def _hang_up(*connections: socket.socket) -> None:
    for connection in connections:
        connection.close()


def _request(question: Any, rights: Rights, own: Path) -> bytes:
    homes = dict.fromkeys(("HOME", "TMPDIR", "TMP", "TEMP"), str(own))
    request = {
        "question": question,
        "sandbox": _sandbox(rights, own).document(),
        "folder": str(own),
        "variables": {**rights.variables, **homes},
        "path": [entry for entry in sys.path if entry],
        "seconds": rights.timeout.total_seconds() if rights.timeout else None,
        "largest": _LARGEST,
    }
    return json.dumps(request).encode() + b"\n"


def _sandbox(rights: Rights, own: Path) -> Sandbox:
    limits = replace(limits_of_machine(own, rights.timeout), file_size=rights.file_size)
    if rights.timeout is None:
        # A build may take all memory there is; where that runs out, the kernel ends it before anything else.
        limits = replace(limits, memory_together=None)
    # Where this package is installed so that it can be edited, it is on no path.
    ours = Path(__file__).resolve().parents[1]
    read, write = (*readable(), ours, *rights.read), (*DEVICES, own, *rights.write)
    return Sandbox(read, write, network=rights.network, required=rights.required, limits=limits)


def _variables() -> dict[str, str]:
    """Return what the warm process sees. A process that forks has no threads, and thus none for sums of matrices."""
    environ = process.environment()
    passed = {name: environ[name] for name in ("SLUICE_WARM",) if name in environ}
    return {"PATH": os.defpath, "OPENBLAS_NUM_THREADS": "1", **passed}


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
