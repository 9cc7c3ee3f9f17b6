"""The gate `project_tests`: the data project's own pytest suite, run as its developers run it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.gates.base import Needs, Subject
from prefect_sluice.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict

_ID = "project_tests"
_TAIL = 20
_FOREVER = timedelta(days=7)
# Files that configure pytest, and the text that says that a shared one does.
_SECTIONS = {
    "pytest.ini": "",
    ".pytest.ini": "",
    "pyproject.toml": "[tool.pytest",
    "setup.cfg": "[tool:pytest]",
    "tox.ini": "[pytest]",
}
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


@dataclass(frozen=True, slots=True)
class _Test:
    """One test of the results file. `outcome` is passed, failure, error, skipped or expected (an xfail)."""

    id: str
    outcome: str
    message: str = ""
    text: str = ""
    location: str = ""


class Settings(config.Gate):
    """What sluice.yml may say of it."""

    keeps_time: ClassVar[bool] = True
    timeout: config.Duration | None = Field(
        default=timedelta(minutes=10),
        description="After this the suite is stopped, and the gate could not tell.",
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
    Settings: ClassVar[type[config.Gate]] = Settings

    def check(self, subject: Subject) -> GateReport:
        """Return one finding per test that failed or broke, one for all skipped, one for all passed."""
        if not _has_tests(subject.project.resolve()):
            return GateReport(_ID, not_applicable="the project has no pytest tests")
        project = (subject.apart() or subject.project).resolve()
        with tempfile.TemporaryDirectory(prefix="sluice-tests-") as folder:
            run = self._run(project, Path(folder), subject.variables)
        return GateReport(_ID, tuple(self._findings(run)))

    def _run(self, project: Path, folder: Path, variables: Mapping[str, str]) -> _Run:
        output, results = folder / "output.txt", folder / "results.xml"
        began = time.monotonic()
        # To a file, not to a pipe: a process that the tests leave behind would keep a pipe open.
        with output.open("wb") as stream:
            seen = _variables(folder, variables)
            code = _run_group(_command(project, results), project, seen, stream.fileno(), self._timeout)
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
            tests = _read(run.results)
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
    files = ((project / name, section) for name, section in _SECTIONS.items())
    if any(
        file.is_file() and section in file.read_text("utf-8", errors="replace") for file, section in files
    ):
        return True
    return any(next((project / "tests").rglob(name), None) for name in ("test_*.py", "*_test.py"))


def _command(project: Path, results: Path) -> list[str]:
    # xunit1 is the one format that says where a test is. The last option wins over the project's addopts.
    options = ["-p", "no:cacheprovider", "--color=no", "-o", "junit_family=xunit1"]
    return [sys.executable, "-m", "pytest", *options, f"--rootdir={project}", f"--junitxml={results}"]


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


def _read(results: bytes) -> list[_Test]:
    """Return the tests of a junit file, in its order. Raises ElementTree.ParseError if it is none."""
    return [_test(case) for case in ElementTree.fromstring(results).iter("testcase")]


def _test(case: ElementTree.Element) -> _Test:
    name = _name(case)
    for kind in ("failure", "error", "skipped"):
        found = case.find(kind)
        if found is not None:
            outcome = "expected" if found.get("type") == "pytest.xfail" else kind
            text = found.text or ""
            return _Test(name, outcome, found.get("message", ""), text, _location(case, text))
    return _Test(name, "passed")


def _name(case: ElementTree.Element) -> str:
    """Return the id that pytest knows the test by: `tests/test_x.py::TestClass::test_y`."""
    file, owner, name = case.get("file", ""), case.get("classname", ""), case.get("name", "")
    if not file:
        return f"{owner}.{name}".strip(".")
    module = file.removesuffix(".py").replace("/", ".").replace("\\", ".")
    classes = owner.removeprefix(module).strip(".")
    return "::".join([file, *filter(None, classes.split(".")), name])


def _location(case: ElementTree.Element, text: str) -> str:
    """Return `file:line` of what failed, else of the test; the results count a test's lines from 0."""
    file, line = case.get("file", ""), case.get("line", "")
    if not file:
        return ""
    failed = re.findall(rf"^{re.escape(file)}:(\d+): ", text, re.MULTILINE)
    if failed:
        return f"{file}:{failed[-1]}"
    return f"{file}:{int(line) + 1}" if line.isdecimal() else file


def _broken(tests: Sequence[_Test]) -> list[_Test]:
    return [test for test in tests if test.outcome in {"failure", "error"}]


def _of_test(test: _Test) -> Finding:
    lines = test.text.splitlines()
    # For a module that cannot be imported the message names the phase, and only the text says why.
    cause = [line[1:].strip() for line in lines if line.startswith("E ")] if test.outcome == "error" else []
    summary = ": ".join([*test.message.splitlines()[:1], *cause[-1:]]) or "no message"
    return Finding(
        _ID,
        test.id,
        Verdict.FAILED if test.outcome == "failure" else Verdict.ERRORED,
        summary,
        subject=test.id.partition("::")[0],
        location=test.location,
        evidence=_lines(lines[-_TAIL:], len(lines)),
    )


def _of_ending(run: _Run, tests: Sequence[_Test]) -> list[Finding]:
    """Return what pytest's exit code says beyond its tests: a plugin's no (coverage), a stop, a breakdown."""
    if run.code == _PASSED or (run.code in {_FAILED, _INTERRUPTED} and _broken(tests)):
        return []
    if run.code == _FAILED:
        return [
            _of_run(run, Verdict.FAILED, "pytest ended with 1 although no test failed (a plugin's limit?)")
        ]
    return [_of_run(run, Verdict.ERRORED, f"pytest broke off with {run.code}")]


def _of_skipped(tests: Sequence[_Test]) -> list[Finding]:
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
            f"{_count(len(skipped))} skipped: {named}",
            observed=len(skipped),
            evidence=Evidence(("test", "reason"), rows, len(skipped)),
        )
    ]


def _of_passed(tests: Sequence[_Test]) -> list[Finding]:
    passed, expected = (sum(test.outcome == kind for test in tests) for kind in ("passed", "expected"))
    if passed:
        more = f", {expected} failed as expected" if expected else ""
        return [Finding(_ID, "passed", Verdict.PASSED, f"{_count(passed)} passed{more}", observed=passed)]
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


def _count(tests: int) -> str:
    return "1 test" if tests == 1 else f"{tests} tests"
