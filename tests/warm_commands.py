"""`sluice`, plain `dbt` and flow runs as processes of their own, forked from one that has imported everything.

As this module is run, it is that process: it forks a child for each line of JSON, and answers with its number and exit code.
`Commands` is the test's side of it.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

from tests.warm import end_with, let_go, python_path, warm
from tests.warm_flow_runs import serve

_PROJECT = {
    "dbt_project.yml": "name: warm\nprofile: warm\nversion: '1.0'\n",
    "profiles.yml": "warm: {target: dev, outputs: {dev: {type: duckdb, path: warm.duckdb}}}\n",
    "models/a.sql": "select {{ 1 }} as id\n",
    "models/a.yml": "models: [{name: a, columns: [{name: id, data_tests: [unique]}]}]\n",
}
_ASKER = Path(__file__).with_name("warm_flow_run.py")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it said. A negative code is the signal that killed it."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Commands:
    """Runs commands, one after the other. `scratch` is a folder for what they say."""

    process: subprocess.Popen[str]
    scratch: Path
    numbers: Iterator[int] = field(default_factory=count)

    def sluice(self, *words: str | Path, folder: Path, environ: Mapping[str, str] | None = None) -> Ran:
        """Run a command of ours in a folder; `environ` is added to this process's variables."""
        return self._run("sluice", words, folder, environ or {})

    def dbt(self, *words: str | Path, folder: Path) -> Ran:
        """Run plain dbt in a folder."""
        return self._run("dbt", words, folder, {})

    @contextmanager
    def flow_runs(self, environ: Mapping[str, str]) -> Generator[str]:
        """Give the command of flow runs for a worker that has these variables. What runs them goes on until the block's end."""
        place = self.scratch / f"runs-{next(self.numbers)}"
        pid = self._ask("flow runs", (place,), self.scratch, environ, said=f"{place.name}-")
        try:
            yield shlex.join((sys.executable, "-I", "-S", str(_ASKER), str(place)))
        finally:
            os.kill(pid, signal.SIGKILL)

    def _run(
        self, program: str, words: tuple[str | Path, ...], folder: Path, environ: Mapping[str, str]
    ) -> Ran:
        code = self._ask(program, words, folder, {**os.environ, **environ})
        return Ran(code, (self.scratch / "out").read_text("utf-8"), (self.scratch / "err").read_text("utf-8"))

    def _ask(
        self,
        program: str,
        words: tuple[str | Path, ...],
        folder: Path,
        environ: Mapping[str, str],
        said: str = "",
    ) -> int:
        """Have a child do it, and return what the process that forks answers. `said` begins the names of the files of what the
        child says."""
        number = next(self.numbers)
        asked = {
            "number": number,
            "program": program,
            "words": [str(word) for word in words],
            "folder": str(folder),
            "environ": dict(environ),
            "out": str(self.scratch / f"{said}out"),
            "err": str(self.scratch / f"{said}err"),
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        code, answered = 0, -1
        while answered != number:  # a test that ran out of time did not wait for its answer
            answered, code = map(int, self.process.stdout.readline().split())
        return code


@contextmanager
def commands() -> Generator[Commands]:
    """Start the process that forks, and end it with the block."""
    environ = {**os.environ, "PYTHONPATH": python_path()}
    words = [sys.executable, "-m", "tests.warm_commands"]
    with (
        tempfile.TemporaryDirectory() as scratch,
        subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
        ) as process,
    ):
        yield Commands(process, Path(scratch))


def write(folder: Path) -> None:
    """Write a dbt project of one model."""
    for name, text in _PROJECT.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def _take_place(asked: dict[str, Any], parent: int) -> None:
    """Take the streams, folder and variables that a line asks for."""
    end_with(parent)
    os.environ.clear()
    os.environ.update(asked["environ"])
    os.chdir(asked["folder"])
    for stream, place, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, asked["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, asked["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(place, flags, 0o600)
        os.dup2(opened, stream)
        os.close(opened)


def _child(asked: dict[str, Any], parent: int) -> NoReturn:
    """Do what a line asks, and end with its exit code."""
    _take_place(asked, parent)
    try:
        code = _done(asked["program"], asked["words"])
    except BaseException:
        traceback.print_exc()
        code = 1
    let_go()  # what a process of its own closes as it ends
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a fork cannot end the threads of C++ libraries that only its parent has


def _done(program: str, words: list[str]) -> int:
    """Do a command, and return its exit code."""
    if program == "sluice":
        from prefect_sluice.cli import main

        return main(words)
    from dbt.cli.main import cli

    sys.argv = ["dbt", *words]
    try:
        cli()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _serve() -> None:
    """Answer each line with its number, and the exit code of the command that it asks for."""
    end_with(os.getppid())
    warm(write)
    itself = os.getpid()
    for line in sys.stdin:
        asked = json.loads(line)
        answer = _lasting(asked, itself) if asked["program"] == "flow runs" else _ended(asked, itself)
        print(asked["number"], answer, flush=True)


def _ended(asked: dict[str, Any], itself: int) -> int:
    """Have a child do it to its end, and return its exit code."""
    pid = os.fork()
    if pid == 0:
        _child(asked, itself)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _lasting(asked: dict[str, Any], itself: int) -> int:
    """Have a child run flows, and return its pid. Who asks it before it has imported everything waits."""
    with socket.socket(socket.AF_UNIX) as listens:
        listens.bind(asked["words"][0])
        listens.listen()
        pid = os.fork()
        if pid == 0:
            _take_place(asked, itself)
            serve(listens)
    return pid


if __name__ == "__main__":
    _serve()
