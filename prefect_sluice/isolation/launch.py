"""The process between Sluice and a command of a change: it shuts the command in, waits for it, and ends all that it leaves.

Its arguments are the sandbox as JSON, a descriptor, the number of the process that starts it, and the command. To the descriptor
it writes a line of JSON once the command is shut in, and one when all has ended.
"""

from __future__ import annotations

import json
import os
import select
import signal
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from prefect_sluice.isolation import kernel, landlock
from prefect_sluice.isolation.enter import enter
from prefect_sluice.isolation.sandbox import Sandbox
from prefect_sluice.isolation.watch import LOOK_SECONDS, Watch

CANNOT_START = 126
"""The exit code of a shell for a command that cannot be run."""


def main(arguments: list[str]) -> int:
    """Run the command. Return 0: how it ended stands in the last line."""
    given, descriptor, caller, *command = arguments
    sandbox = Sandbox.of(json.loads(given))
    answer = int(descriptor)
    os.set_inheritable(answer, False)
    signal.signal(signal.SIGTERM, _stop)
    if kernel.is_linux():
        kernel.prctl(kernel.CHILD_SUBREAPER, 1)
        _end_with(int(caller), signal.SIGTERM)
    can_signal_all = landlock.scope_signals()
    itself, watch = os.getpid(), Watch(sandbox, can_signal_all=can_signal_all)
    command_process = os.fork()
    if command_process == 0:
        _become(command, sandbox, answer, itself)
    code, left, stopped = None, 0, ""
    try:
        stopped = _watch_until_it_ends(command_process, watch)
        if not stopped:
            _, status = os.waitpid(command_process, 0)
            code = os.waitstatus_to_exitcode(status)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what follows is not to be cut off
        left = end_all(command_process, can_signal_all=can_signal_all)
        _write(answer, {"code": code, "left": left, "stopped": stopped})
    return 0


def _watch_until_it_ends(process: int, watch: Watch) -> str:
    """Return why it has to be ended, "" once it ended by itself. Where the kernel does not tell of an end, nobody watches."""
    try:
        ending = os.pidfd_open(process)
    except (AttributeError, OSError):
        return ""
    with os.fdopen(ending, "rb"):
        while not select.select([ending], [], [], LOOK_SECONDS)[0]:
            why = watch.exceeded()
            if why:
                return why
    return ""


def _stop(*_: object) -> NoReturn:
    raise SystemExit(0)


def _end_with(parent: int, order: signal.Signals) -> None:
    """Have the kernel send this process `order` once its parent is gone. One that went before the kernel knew is not told of."""
    kernel.prctl(kernel.PARENT_DEATH_SIGNAL, order)
    if os.getppid() != parent:
        os.kill(os.getpid(), order)


def _become(command: list[str], sandbox: Sandbox, answer: int, launcher: int) -> NoReturn:
    """Shut this process in and become the command. A sandbox that cannot be set up runs nothing."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setpgid(0, 0)
        if kernel.is_linux():
            _end_with(launcher, signal.SIGKILL)
        protection = enter(sandbox)
        if sandbox.required and not protection.is_isolated:
            raise PermissionError(f"isolation is required, and this machine has none: {protection.why}")
        _write(answer, asdict(protection))
        os.execve(command[0], command, os.environ)
    except BaseException as error:
        _write(answer, {"error": str(error) or type(error).__name__})
    finally:
        os._exit(CANNOT_START)


def _write(descriptor: int, said: dict[str, Any]) -> None:
    os.write(descriptor, json.dumps(said).encode() + b"\n")


def end_all(group: int, *, can_signal_all: bool) -> int:
    """Kill what still runs of all that the command started, and return how many processes that were. What loses its parent
    becomes a child of this process (on Linux): it ends when there is none."""
    killed = 0
    if can_signal_all:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)  # all at one instant: nobody can start another one meanwhile
    while True:
        if not can_signal_all:
            _kill_each(group)
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return killed
        killed += pid != group and os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def _kill_each(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    with suppress(OSError):
        for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
