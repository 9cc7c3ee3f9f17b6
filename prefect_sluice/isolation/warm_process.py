"""What runs in the warm process: it loads, and forks for each question. See `warm`.

There are three kinds of processes: the warm one, which only hands on; one for each question, which runs nothing of a change
either, and ends all that its child leaves; and the child, which shuts itself in and answers.
"""

from __future__ import annotations

import gc
import importlib
import json
import math
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any, NoReturn

from prefect_sluice.isolation import kernel, landlock
from prefect_sluice.isolation.enter import enter
from prefect_sluice.isolation.launch import end_all
from prefect_sluice.isolation.sandbox import Protection, Sandbox
from prefect_sluice.isolation.watch import LOOK_SECONDS, Watch

_POLL_SECONDS = 0.05
"""How often it is looked whether a child ended, where the kernel does not tell."""
_PIECE = 1 << 16


def main(arguments: list[str]) -> None:
    """Load the module and fork for each connection that comes by the descriptor, until it is closed."""
    descriptor, name = arguments
    module = importlib.import_module(name)
    module.prepare()
    gc.freeze()  # a collection would write to the pages that children share
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what has answered
    with socket.socket(fileno=int(descriptor)) as control:
        while True:
            answer, given, _, _ = socket.recv_fds(control, 1, 2)
            if not answer:
                return
            if os.fork() == 0:
                control.close()
                connection, *talk = (socket.socket(fileno=descriptor) for descriptor in given)
                _supervise(module, connection, talk[0] if talk else None)
            for descriptor in given:
                os.close(descriptor)


def _supervise(module: Any, connection: socket.socket, talk: socket.socket | None) -> NoReturn:
    """Have a child answer one question, or many where there is a connection to talk by, and end with it."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if kernel.is_linux():
            kernel.prctl(kernel.CHILD_SUBREAPER, 1)
            kernel.prctl(kernel.PARENT_DEATH_SIGNAL, signal.SIGTERM)
        with connection.makefile("rb") as lines:
            line = lines.readline()
        if line:
            if talk is None:
                connection.sendall(b"begun\n")
            answer = _Child(module, connection, talk, json.loads(line)).run()
            with suppress(OSError):  # who asked is gone
                connection.sendall(json.dumps(answer).encode() + b"\n")
    finally:
        os._exit(0)


class _Child:
    """A child, and what it says: how far it is shut in, before it runs anything of the change, and then its answer."""

    def __init__(
        self, module: Any, connection: socket.socket, talk: socket.socket | None, request: dict[str, Any]
    ) -> None:
        self._module, self._connection, self._talk, self._asked = module, connection, talk, request
        self._code: int | None = None
        self._error, self._in_time = "", True

    def run(self) -> dict[str, Any]:
        """Start it, wait for its answer, and end all that it left."""
        signal.signal(signal.SIGTERM, _stop)
        can_signal_all = landlock.scope_signals()
        watch = Watch(Sandbox.of(self._asked["sandbox"]), can_signal_all=can_signal_all)
        hears, tells = os.pipe()
        answered, answers = os.pipe()
        process = os.fork()
        if process == 0:
            _answer(self._module, self._asked, self._talk, tells, answers)
        os.close(tells)
        os.close(answers)
        if self._talk is not None:
            self._talk.close()  # so that who talks to the child learns of its end
        answer, left = b"", 0
        try:
            answer = self._listen(process, answered, watch)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what follows is not to be cut off
            left = end_all(process, can_signal_all=can_signal_all)
        with os.fdopen(hears, "rb") as lines:
            first = json.loads(lines.readline() or "{}")
        error = first.get("error") or self._error or self._ending()
        return {
            "answer": "" if error else answer.decode(errors="replace"),
            "protection": first.get("protection") or asdict(Protection()),
            "error": error,
            "left": left,
            "in_time": self._in_time,
        }

    def _listen(self, process: int, answered: int, watch: Watch) -> bytes:
        """Return what it says until it ends, or until there is a reason to end it."""
        answer = bytearray()
        seconds = self._asked["seconds"]
        until = math.inf if seconds is None else time.monotonic() + seconds
        os.set_blocking(answered, False)
        ending = _ending_of(process)
        watched = [self._connection.fileno(), *([ending] if ending is not None else [])]
        is_open, looked_at = True, time.monotonic()
        while not self._error:
            ready, _, _ = select.select([*watched, *([answered] if is_open else [])], [], [], _POLL_SECONDS)
            is_over = self._has_ended(process)  # before the last of what it wrote is read
            while is_open and (piece := _piece(answered)) is not None:
                answer += piece
                is_open = bool(piece) and len(answer) <= self._asked["largest"]
            if len(answer) > self._asked["largest"]:
                self._error = "it answered more than can be held"
            elif is_over:
                break
            elif self._connection.fileno() in ready:
                self._error = "nobody waits for it any more"
            elif time.monotonic() > until:
                self._in_time = False
                self._error = f"it was stopped after {self._asked['seconds']:g} s"
            elif time.monotonic() - looked_at > LOOK_SECONDS:
                looked_at, self._error = time.monotonic(), watch.exceeded()
        return bytes(answer)

    def _has_ended(self, process: int) -> bool:
        pid, status = os.waitpid(process, os.WNOHANG)
        if pid:
            self._code = os.waitstatus_to_exitcode(status)
        return bool(pid)

    def _ending(self) -> str:
        """Return how it ended, if not as it should have."""
        if self._code is None or self._code < 0:
            return f"it was ended by {signal.Signals(-(self._code or -signal.SIGKILL)).name}"
        return f"it ended with {self._code}" if self._code else ""


def _stop(*_: object) -> NoReturn:
    raise SystemExit(0)


def _ending_of(process: int) -> int | None:
    """Return a descriptor that can be read from once the process ended, None where there is no such thing."""
    try:
        return os.pidfd_open(process)
    except (AttributeError, OSError):
        return None


def _piece(descriptor: int) -> bytes | None:
    """Return what can be read at once: b"" at the end, None for nothing yet."""
    try:
        return os.read(descriptor, _PIECE)
    except BlockingIOError:
        return None


class Channel:
    """What a child hears and says in a conversation: lines of JSON."""

    def __init__(self, connection: socket.socket) -> None:
        """`connection` leads to who asks."""
        self._connection = connection
        self._writing = threading.Lock()
        self._asked = 0

    def questions(self) -> Iterator[Any]:
        """Yield what is asked, until nobody asks any more."""
        with self._connection.makefile("rb") as lines:
            for line in lines:
                self._asked += 1
                yield json.loads(line)

    def say(self, value: Any) -> None:
        """Tell something before the answer. From any thread."""
        self._send({"says": value})

    def answer(self, value: Any) -> None:
        """Answer the last question."""
        self._send({"answer": value, "to": self._asked})

    def _send(self, message: Any) -> None:
        with self._writing:
            self._connection.sendall(json.dumps(message).encode() + b"\n")


def _answer(
    module: Any, request: dict[str, Any], talk: socket.socket | None, tells: int, answers: int
) -> NoReturn:
    """Shut this process in and answer. A sandbox that cannot be set up answers nothing."""
    code = 1
    kept = (tells, answers, *([talk.fileno()] if talk is not None else []))
    try:
        try:
            protection = _shut_in(Sandbox.of(request["sandbox"]), kept)
            _write(tells, {"protection": asdict(protection)})
        except BaseException as error:
            _write(tells, {"error": str(error) or type(error).__name__})
            raise
        finally:
            os.close(tells)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["variables"])
        sys.path[:] = request["path"]
        if talk is None:
            _write(answers, module.answer(request["question"]))
        else:
            _talk(module, Channel(talk), request["question"], protection)
            _write(answers, None)
        code = 0
    finally:
        os._exit(code)


def _talk(module: Any, channel: Channel, question: Any, protection: Protection) -> None:
    channel.answer(asdict(protection))
    module.talk(channel, question)


def _shut_in(sandbox: Sandbox, kept: Collection[int]) -> Protection:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setpgid(0, 0)
    if kernel.is_linux():
        kernel.prctl(kernel.PARENT_DEATH_SIGNAL, signal.SIGKILL)
    _close_all_but(*kept)
    protection = enter(sandbox)
    if sandbox.required and not protection.is_isolated:
        raise PermissionError(f"isolation is required, and this machine has none: {protection.why}")
    return protection


def _close_all_but(*kept: int) -> None:
    """Close what is open beside these and the three that each process has."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    start = 3
    for descriptor in (*sorted(kept), most):
        os.closerange(start, descriptor)
        start = descriptor + 1


def _write(descriptor: int, answer: Any) -> None:
    left = memoryview(json.dumps(answer).encode() + b"\n")
    while left:
        left = left[os.write(descriptor, left) :]
