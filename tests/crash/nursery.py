"""A process that has imported everything, and forks a child for each line it reads: `folder cause fault` -> `ended STATUS ERROR`.

One that goes to sleep has `asleep PID` written, and its end when somebody woke it. `folder scene NAME` does one of the
scenario's preparations. `folder twin` has a fork of this process do the same, by the pipes `in` and `out` of that folder.

A release in a process of its own costs seconds of imports; a fork costs nothing, and dies as thoroughly.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TextIO

import scenario

from prefect_sluice.domain.generation import Cause
from tests.warm import end_with, warm


class Stopping(BaseException):
    """What SIGTERM raises, as in Prefect's engine."""


def stop(_number: int, _frame: FrameType | None) -> None:
    """Raise in the main thread, wherever it is."""
    raise Stopping


def child(parent: int, answer: int, folder: str, cause: str, fault: str) -> None:
    """Do the scenario's part, and write the name of the error that ends it; never returns."""
    end_with(parent)
    signal.signal(signal.SIGTERM, stop)
    try:
        if cause == "collect":
            scenario.collect(Path(folder), fault)
        elif cause == "ask":
            scenario.ask(Path(folder), fault)
        elif cause == "leave":
            scenario.leave(Path(folder), fault)
        elif cause == "scene":
            getattr(scenario, fault)(Path(folder))
        else:
            scenario.go(Path(folder), Cause(cause), fault)
    except BaseException as error:
        code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 70
        with suppress(OSError):  # whom it would tell may be gone
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os.write(answer, type(error).__name__.encode())
        os._exit(code)
    os._exit(0)


def twin(parent: int, folder: str) -> None:
    """Serve whoever opens the pipes of a folder, until they close them; never returns."""
    end_with(parent)
    with (Path(folder) / "in").open() as lines, (Path(folder) / "out").open("w") as answers:
        serve(lines, answers)
    os._exit(0)


def serve(lines: TextIO, answers: TextIO) -> None:
    """Answer each line, in its turn."""
    itself = os.getpid()
    for line in lines:
        folder, cause, fault = line.rstrip("\n").split("\t")
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0 and cause == "twin":
            twin(itself, folder)
        if pid == 0:
            child(itself, write, folder, cause, fault)
        os.close(write)
        if cause == "twin":
            os.close(read)
            continue
        _, status = os.waitpid(pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):  # asleep, until the test wakes it
            print("asleep", pid, "", file=answers, flush=True)
            _, status = os.waitpid(pid, 0)
        with os.fdopen(read) as stream:
            print("ended", os.waitstatus_to_exitcode(status), stream.read(), file=answers, flush=True)


end_with(os.getppid())
warm(scenario.write)
serve(sys.stdin, sys.stdout)
