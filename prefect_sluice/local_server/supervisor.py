"""The processes that `sluice up` starts, watches, starts again and ends; and those that a killed one left behind."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from prefect_sluice.domain.errors import Refused, SluiceError
from prefect_sluice.local_server.processes import MARK, KnownProcess, end, identify_process, kill, members

_PATIENCE = timedelta(seconds=15)
"""How long a process may take to end by itself: a worker ends its runs meanwhile."""
_AGAIN = 5
"""How often one child is started again within `_WITHIN` seconds before it is given up."""
_WITHIN = 300.0

Tell = Callable[[str], None]


@dataclass(eq=False)
class ChildDied(SluiceError):
    """A process that has to run ends again and again."""

    name: str
    log: str
    last: str = ""

    @property
    def problem(self) -> str:
        """The name of the process, and its last line."""
        last_line = f" ({self.last})" if self.last else ""
        return f"the {self.name} does not stay up{last_line}"

    @property
    def way_out(self) -> str:
        """What to do next."""
        return f"read why: {self.log}"


@dataclass(slots=True)
class Child:
    """One process: what it runs, with which environment, and how it is doing."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    identity: KnownProcess | None = None
    died: list[float] = field(default_factory=list[float])


class Family:
    """The children of one `sluice up`, in the order they were started. Only one lives in a folder at a time.

    `folder` holds the lock, a file that says who the children are, and their logs.
    """

    def __init__(self, folder: Path, tell: Tell) -> None:
        """Take the folder. Raises Refused when another `sluice up` has it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._tell = tell
        self._file = folder / "processes.json"
        self._children: list[Child] = []
        # Held until this process ends, however it ends; children do not inherit it.
        self._lock = (folder / "lock").open("a+b")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise Refused(
                f"it runs here already{self._whose()}", "stop that one first (Ctrl-C), or use it"
            ) from error
        self._end_orphans()

    def note(self, **facts: Any) -> None:
        """Write down who the children are, and these facts, for a later one to read."""
        notes = self._read() | facts
        children = [asdict(child.identity) for child in self._children if child.identity]
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps({**notes, "pid": os.getpid(), "children": children}), encoding="utf-8")
        draft.replace(self._file)

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> Child:
        """Start a child in a session of its own, its output in `<name>.log`."""
        child = Child(name, command, environ, self.folder / f"{name}.log")
        self._children.append(child)
        self._run(child)
        return child

    def child(self, name: str) -> Child | None:
        """Return the child of that name, None when there is none."""
        return next((child for child in self._children if child.name == name), None)

    def kill_now(self) -> None:
        """Kill all children at once: somebody asked a second time."""
        for child in self._children:
            if child.identity:
                kill(child.identity)

    def watch(self) -> tuple[str, ...]:
        """Start again what has ended, and return the names of it. Raises ChildDied when that does not help."""
        ended: list[str] = []
        for child in self._children:
            code = child.process.poll() if child.process else None
            if code is None:
                continue
            self.check(child, code)
            self._tell(f"the {child.name} ended (exit code {code}); starting it again")
            self._clear(child)
            self._run(child)
            ended.append(child.name)
        return tuple(ended)

    def check(self, child: Child, code: int) -> None:
        """Count the end of a child. Raises ChildDied when it has ended too often."""
        now = time.monotonic()
        child.died[:] = [at for at in child.died if now - at < _WITHIN] + [now]
        if len(child.died) > _AGAIN:
            raise ChildDied(child.name, str(child.log), self.last_line(child) or f"exit code {code}")

    @staticmethod
    def last_line(child: Child) -> str:
        """Return the last line of a child's log that is not empty."""
        with suppress(OSError):
            lines = child.log.read_text(encoding="utf-8", errors="replace").splitlines()
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""

    def end(self, name: str) -> None:
        """End one child with all that it started. Safe to repeat."""
        for child in [child for child in self._children if child.name == name]:
            self._clear(child)
            self._children.remove(child)
        self.note()

    def close(self) -> None:
        """End all children, the last one first, and give the folder back. Safe to repeat."""
        for child in reversed(list(self._children)):
            self.end(child.name)
        self._file.unlink(missing_ok=True)
        self._lock.close()

    def _run(self, child: Child) -> None:
        mark = f"{self.folder} {child.name}"
        with child.log.open("ab") as log:
            # A session of its own: Ctrl-C is for this process, which ends the others in their order.
            child.process = subprocess.Popen(
                child.command, env={**child.environ, MARK: mark}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, cwd=self.folder,
            )  # fmt: skip
        child.identity = identify_process(child.process.pid, mark)
        self.note()

    def _clear(self, child: Child) -> None:
        if child.identity is None or child.process is None:
            return
        end(child.identity, patience=_PATIENCE)
        child.process.wait()

    def _end_orphans(self) -> None:
        """End the processes that a killed `sluice up` left running, the worker before its server."""
        for child in reversed(self._read().get("children", ())):
            orphan = KnownProcess(int(child["pid"]), str(child["start"]), str(child["mark"]))
            if members(orphan):
                name = orphan.mark.rpartition(" ")[2]
                self._tell(f"ending the {name} that an earlier sluice up left running (pid {orphan.pid})")
                end(orphan, patience=_PATIENCE)

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def _whose(self) -> str:
        notes = self._read()
        where = f" at {notes['ui']}" if notes.get("ui") else ""
        return f" (pid {notes['pid']}{where})" if notes.get("pid") else ""
