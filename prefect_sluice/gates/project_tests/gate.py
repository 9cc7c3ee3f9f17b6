"""The gate `project_tests`: the data project's own pytest suite, run as its developers run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast
from xml.etree import ElementTree

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.config.base import Duration
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.memory import Memory
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict
from prefect_sluice.gates.base import Needs, Subject
from prefect_sluice.gates.project_tests.inputs import SECTIONS, inputs_digest
from prefect_sluice.gates.project_tests.junit import ReportedTest, read
from prefect_sluice.runtime import process as surroundings

_ID = "project_tests"
_TAIL = 20
_FOREVER = timedelta(days=7)
# pytest's exit codes: all passed, some failed, stopped early, none found. Any other is a breakdown.
_PASSED, _FAILED, _INTERRUPTED, _NONE_FOUND = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class _Run:
    """What is left of the suite's process: `code` is None if it ran out of time, `output` its last lines."""

    code: int | None
    output: tuple[str, ...]
    lines: int
    results: bytes
    seconds: float


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""

    keeps_time: ClassVar[bool] = True
    timeout: Duration | None = Field(
        default=timedelta(minutes=10),
        description="After this the suite is stopped, and the gate could not tell.",
    )
    paths: tuple[str, ...] = Field(
        default=(), description="Files and folders of tests, relative to the project. Default: pytest's own."
    )
    args: tuple[str, ...] = Field(default=(), description='More of pytest\'s arguments: ["-m", "not slow"].')
    env: tuple[str, ...] = Field(
        default=(),
        description=(
            "Environment variables that the suite sees beside those that programs need (PATH, HOME, locale, time zone, PYTHON…)"
            " and those that profile and project read with env_var. By these names even secrets are given to it."
        ),
    )
    recall: Duration | None = Field(
        default=None,
        description=(
            "For this long a suite that passed is not run again while all that it can see is the same: files,"
            " interpreter, installed packages, variables. Default: it always runs."
        ),
    )
    reads: tuple[str, ...] = Field(
        default=(),
        description=(
            "With `recall`: which paths of the project the suite reads, as patterns. Default: every file of the checkout."
        ),
    )


@dataclass(frozen=True, slots=True)
class ProjectTests:
    """Runs the tests with this interpreter, in a checkout apart and a process group of their own.

    The subject's variables are all that the tests see of the caller's. After the time-out, and when the suite is
    done, what it started and left running is killed. Neither bytecode nor caches go into the checkout.
    """

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "project_tests"
    needs: ClassVar[Needs] = Needs.SOURCES
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, subject: Subject) -> GateReport:
        """Return one finding per test that failed or broke, one for all skipped, one for all passed."""
        if not _has_tests(subject.project.resolve()):
            return GateReport(_ID, not_applicable="the project has no pytest tests")
        try:
            key = self._key(subject) if self.settings.recall and subject.memory is not None else ""
        except (OSError, ValueError) as error:
            what = f"what the suite reads cannot be told: {error}"
            return GateReport(
                _ID, (Finding(_ID, "reads", Verdict.ERRORED, what, fix="mend gates.project_tests.reads"),)
            )
        known = _recalled(subject.memory, key, self.settings.recall)
        if known is not None:
            return GateReport(_ID, (known,))
        project = (subject.apart() or subject.project).resolve()
        with tempfile.TemporaryDirectory(prefix="sluice-tests-") as folder:
            run = self._run(project, Path(folder), subject.variables)
        findings = tuple(self._findings(run))
        _keep(subject.memory, key, findings)
        return GateReport(_ID, findings)

    def _key(self, subject: Subject) -> str:
        return inputs_digest(
            subject.root.resolve(),
            subject.project.resolve(),
            self.settings.reads,
            subject.variables,
            self._wanted,
        )

    @property
    def _wanted(self) -> list[str]:
        return [*self.settings.args, *self.settings.paths]

    def _run(self, project: Path, folder: Path, variables: Mapping[str, str]) -> _Run:
        output, results = folder / "output.txt", folder / "results.xml"
        began = time.monotonic()
        # To a file, not to a pipe: a process that the tests leave behind would keep a pipe open.
        with output.open("wb") as stream:
            seen = _variables(folder, variables)
            code = _run_group(
                _command(project, results, self._wanted), project, seen, stream.fileno(), self._timeout
            )
        lines = output.read_text("utf-8", errors="replace").splitlines()
        written = results.read_bytes() if results.is_file() else b""
        return _Run(code, tuple(lines[-_TAIL:]), len(lines), written, time.monotonic() - began)

    @property
    def _timeout(self) -> timedelta:
        return self.settings.timeout or _FOREVER

    def _findings(self, run: _Run) -> list[Finding]:
        if run.code is None:
            limit = self._timeout.total_seconds()
            return [_of_run(run, Verdict.ERRORED, f"the tests were stopped after {limit:g} s", limit=limit)]
        if run.code == _NONE_FOUND:
            return [_of_run(run, Verdict.INCONCLUSIVE, "pytest found no tests")]
        try:
            tests = read(run.results)
        except ElementTree.ParseError:
            return [_of_run(run, Verdict.ERRORED, _why_no_results(run))]
        return [
            *map(_of_test, _broken(tests)),
            *_of_ending(run, tests),
            *_of_skipped(tests),
            *_of_passed(tests),
        ]


def _variables(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    keep_out = {"HYPOTHESIS_STORAGE_DIRECTORY": str(folder), "COVERAGE_FILE": str(folder / ".coverage")}
    return keep_out | dict(variables) | {"PYTHONDONTWRITEBYTECODE": "1"}


def _has_tests(project: Path) -> bool:
    files = ((project / name, section) for name, section in SECTIONS.items())
    if any(
        file.is_file() and section in file.read_text("utf-8", errors="replace") for file, section in files
    ):
        return True
    return any(next((project / "tests").rglob(name), None) for name in ("test_*.py", "*_test.py"))


def _recalled(memory: Memory | None, key: str, longest: timedelta | None) -> Finding | None:
    """Return the finding of an earlier run of the same, if it is young enough; one that cannot be read is none."""
    kept = cast(Any, memory.recall(key) if memory is not None and key and longest else None)
    if memory is None or kept is None or longest is None:
        return None
    try:
        at, told, passed = datetime.fromisoformat(kept["at"]), str(kept["told"]), float(kept["passed"])
        if not timedelta(0) <= surroundings.now() - at <= longest:
            return None
    except (TypeError, KeyError, ValueError):
        return None
    said = f"{told} at {at:%Y-%m-%d %H:%M} UTC, and nothing that they see has changed"
    return Finding(_ID, "passed", Verdict.PASSED, said, observed=passed)


def _keep(memory: Memory | None, key: str, findings: Sequence[Finding]) -> None:
    """Keep what passed, and nothing else: one skipped test, and the suite runs again."""
    if memory is None or not key or len(findings) != 1 or findings[0].verdict is not Verdict.PASSED:
        return
    (one,) = findings
    memory.keep(key, {"at": surroundings.now().isoformat(), "told": one.summary, "passed": one.observed or 0})


def _command(project: Path, results: Path, wanted: Sequence[str]) -> list[str]:
    # xunit1 is the one format that says where a test is. The last option wins over the project's addopts. The cache is
    # moved, not switched off: that would take pytest's --ff and --lf, which addopts may hold, and its fixture `cache`.
    cache = f"cache_dir={results.parent / 'cache'}"
    options = ["-o", cache, "--color=no", "-o", "junit_family=xunit1"]
    return [
        sys.executable,
        "-m",
        "pytest",
        *wanted,
        *options,
        f"--rootdir={project}",
        f"--junitxml={results}",
    ]


def _run_group(
    command: Sequence[str], folder: Path, variables: Mapping[str, str], output: int, timeout: timedelta
) -> int | None:
    """Return the exit code of `command`, None for a time-out; nothing of its process group lives on."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return process.wait(timeout.total_seconds())
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _broken(tests: Sequence[ReportedTest]) -> list[ReportedTest]:
    return [test for test in tests if test.outcome in {"failure", "error"}]


def _of_test(test: ReportedTest) -> Finding:
    lines = test.text.splitlines()
    # For a module that cannot be imported the message names the phase, and only the text says why.
    cause = [line[1:].strip() for line in lines if line.startswith("E ")] if test.outcome == "error" else []
    summary = ": ".join([*test.message.splitlines()[:1], *cause[-1:]]) or "no message"
    return Finding(
        _ID,
        test.id,
        Verdict.FAILED if test.outcome == "failure" else Verdict.ERRORED,
        summary,
        subjects=(test.id.partition("::")[0],),
        location=test.location,
        evidence=_lines(lines[-_TAIL:], len(lines)),
    )


def _of_ending(run: _Run, tests: Sequence[ReportedTest]) -> list[Finding]:
    """Return what pytest's exit code says beyond its tests: a plugin's no (coverage), a stop, a breakdown."""
    if run.code == _PASSED or (run.code in {_FAILED, _INTERRUPTED} and _broken(tests)):
        return []
    if run.code == _FAILED:
        return [
            _of_run(run, Verdict.FAILED, "pytest ended with 1 although no test failed (a plugin's limit?)")
        ]
    return [_of_run(run, Verdict.ERRORED, f"pytest broke off with {run.code}")]


def _of_skipped(tests: Sequence[ReportedTest]) -> list[Finding]:
    skipped = [test for test in tests if test.outcome == "skipped"]
    if not skipped:
        return []
    named = ", ".join(test.id for test in skipped[:3]) + (", ..." if len(skipped) > 3 else "")
    rows = tuple((test.id, test.message) for test in skipped[:EVIDENCE_ROWS])
    return [
        Finding(
            _ID,
            "skipped",
            Verdict.INCONCLUSIVE
            if all(t.outcome in {"skipped", "expected"} for t in tests)
            else Verdict.WARNED,
            f"{count(len(skipped), 'test')} skipped: {named}",
            observed=len(skipped),
            evidence=Evidence(("test", "reason"), rows, len(skipped)),
        )
    ]


def _of_passed(tests: Sequence[ReportedTest]) -> list[Finding]:
    passed, expected = (sum(test.outcome == kind for test in tests) for kind in ("passed", "expected"))
    if passed:
        more = f", {expected} failed as expected" if expected else ""
        return [
            Finding(_ID, "passed", Verdict.PASSED, f"{count(passed, 'test')} passed{more}", observed=passed)
        ]
    if any(test.outcome != "expected" for test in tests):
        return []
    why = f"no test passed, {expected} failed as expected" if expected else "pytest ran no test"
    return [Finding(_ID, "passed", Verdict.INCONCLUSIVE, why, observed=0)]


def _of_run(run: _Run, verdict: Verdict, summary: str, limit: float | None = None) -> Finding:
    observed = run.seconds if limit is not None else None
    evidence = _lines(run.output, run.lines)
    return Finding(_ID, "pytest", verdict, summary, observed=observed, limit=limit, evidence=evidence)


def _why_no_results(run: _Run) -> str:
    if any("No module named pytest" in line for line in run.output):
        return "pytest is not installed; install prefect-sluice[pytest]"
    return f"pytest ended with {run.code} and wrote no results"


def _lines(lines: Sequence[str], total: int) -> Evidence | None:
    return Evidence(("output",), tuple((line,) for line in lines), total) if lines else None
