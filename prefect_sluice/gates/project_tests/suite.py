"""A pytest suite, run in a process of its own inside of a sandbox."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from prefect_sluice.isolation.interpreter import DEVICES, readable
from prefect_sluice.isolation.run_command import Ended, run_command
from prefect_sluice.isolation.sandbox import Sandbox
from prefect_sluice.isolation.watch import limits_of_machine

TAIL = 20
"""How many of the last lines of what it prints are kept."""
_LARGEST_OUTPUT, _LARGEST_RESULTS = 10_000_000, 100_000_000
"""In bytes: what is read of the files that the suite wrote, of which this process is to hold no more."""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """What is left of the suite's process: how it ended, the last of its `lines` lines, its results file, seconds."""

    ended: Ended
    output: tuple[str, ...]
    lines: int
    results: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Suite:
    """What is run: the tests of `project`, a folder of the checkout `root`, with more of pytest's arguments. `read` are the
    files and folders elsewhere that it may read. `required`: without isolation it is not run."""

    root: Path
    project: Path
    arguments: Sequence[str]
    variables: Mapping[str, str]
    timeout: timedelta
    read: tuple[Path, ...] = ()
    network: bool = False
    required: bool = False

    def run(self) -> SuiteRun:
        """Run the suite, and end what it leaves behind."""
        with tempfile.TemporaryDirectory(prefix="sluice-tests-") as folder:
            return self._run(Path(folder).resolve())

    def _run(self, own: Path) -> SuiteRun:
        output, results = own / "output.txt", own / "results.xml"
        for name in ("home", "tmp"):
            (own / name).mkdir()
        began = time.monotonic()
        # To a file, not to a pipe: a process that the tests leave behind would keep a pipe open.
        with output.open("wb") as stream:
            ended = run_command(
                self._command(results),
                self._sandbox(own),
                folder=self.project,
                variables=self._variables(own),
                output=stream.fileno(),
                timeout=self.timeout,
            )
        with output.open("rb") as stream:
            stream.seek(max(output.stat().st_size - _LARGEST_OUTPUT, 0))
            lines = stream.read().decode(errors="replace").splitlines()
        is_whole = (
            results.is_file() and not results.is_symlink() and results.stat().st_size <= _LARGEST_RESULTS
        )
        written = results.read_bytes() if is_whole else b""
        return SuiteRun(ended, tuple(lines[-TAIL:]), len(lines), written, time.monotonic() - began)

    def _command(self, results: Path) -> list[str]:
        # xunit1 is the one format that says where a test is. The last option wins over the project's addopts. The cache
        # is moved, not switched off: that would take pytest's --ff and --lf, which addopts may hold, and its fixture `cache`.
        cache = f"cache_dir={results.parent / 'cache'}"
        options = ["-o", cache, "--color=no", "-o", "junit_family=xunit1"]
        last = [f"--rootdir={self.project}", f"--junitxml={results}"]
        return [sys.executable, "-m", "pytest", *self.arguments, *options, *last]

    def _variables(self, own: Path) -> dict[str, str]:
        """Return the variables that it sees. Its home and its temporary files are its own: the account's are not for a change."""
        keep_out = {"HYPOTHESIS_STORAGE_DIRECTORY": str(own), "COVERAGE_FILE": str(own / ".coverage")}
        homes = {"HOME": str(own / "home")} | dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(own / "tmp"))
        return keep_out | dict(self.variables) | homes | {"PYTHONDONTWRITEBYTECODE": "1"}

    def _sandbox(self, own: Path) -> Sandbox:
        search = self.variables.get("PYTHONPATH", "").split(os.pathsep)
        return Sandbox(
            (*readable(search), *self.read),
            (*DEVICES, self.root, own),
            network=self.network,
            required=self.required,
            limits=limits_of_machine(own, self.timeout),
        )
