"""The gate `project_tests`: the data project's own pytest suite, run as its developers run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal
from xml.etree import ElementTree

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.config.base import Duration
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict
from prefect_sluice.gates.base import ReleaseView, ToolsView
from prefect_sluice.gates.project_tests.junit import ReportedTest, read
from prefect_sluice.gates.project_tests.suite import TAIL, Suite, SuiteRun
from prefect_sluice.isolation.run_command import Ended

_ID = "project_tests"
_FOREVER = timedelta(days=7)
SECTIONS = {
    "pytest.ini": "",
    ".pytest.ini": "",
    "pyproject.toml": "[tool.pytest",
    "setup.cfg": "[tool:pytest]",
    "tox.ini": "[pytest]",
}
"""Files that configure pytest, and the text that says that a shared one does."""
# pytest's exit codes: all passed, some failed, stopped early, none found. Any other is a breakdown.
_PASSED, _FAILED, _INTERRUPTED, _NONE_FOUND = 0, 1, 2, 5


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""

    keeps_time: ClassVar[bool] = True
    gone: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("recall", "reads"), "take the line out: a suite always runs, since nobody can tell what it sees"
    )
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
    network: bool = Field(
        default=False,
        description="Whether the suite may reach other processes, of this machine and of others. It always has a loopback "
        "network of its own.",
    )
    may_read: tuple[str, ...] = Field(
        default=(),
        description="Absolute paths of files and folders outside of the checkout that the suite reads, beside those that "
        "`source.include` names.",
    )
    isolation: Literal["preferred", "required"] = Field(
        default="preferred",
        description="What is done where this machine cannot isolate the suite: it runs with the rights of the deployer, and "
        "the report says so; or it does not run.",
    )


@dataclass(frozen=True, slots=True)
class ProjectTests:
    """Runs the tests with this interpreter, in a checkout apart and inside of a sandbox.

    They write to that checkout and to temporary files of their own, and read these, the interpreter and what the settings
    name; the subject's variables are all that they see of the caller's. After the time-out, and when the suite is done,
    what it started and left running is killed. Neither bytecode nor caches go into the checkout.
    """

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "project_tests"
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView, tools: ToolsView) -> GateReport:
        """Return one finding per test that failed or broke, one for all skipped, one for all passed."""
        if not _has_tests(release.project.resolve()):
            return GateReport(_ID, not_applicable="the project has no pytest tests")
        project = (tools.apart() or release.project).resolve()
        suite = Suite(
            root=release.change.root(project) if release.change else project,
            project=project,
            arguments=(*self.settings.args, *self.settings.paths),
            variables=tools.variables,
            timeout=self._timeout,
            read=(*tools.readable, *(Path(path) for path in self.settings.may_read)),
            network=self.settings.network,
            required=tools.must_isolate or self.settings.isolation == "required",
        )
        return GateReport(_ID, tuple(self._findings(suite.run())))

    @property
    def _timeout(self) -> timedelta:
        return self.settings.timeout or _FOREVER

    def _findings(self, run: SuiteRun) -> list[Finding]:
        if run.ended.error:
            return [_of_run(run, Verdict.ERRORED, f"the suite was not run: {run.ended.error}")]
        if run.ended.stopped:
            return [_of_run(run, Verdict.ERRORED, f"the tests were stopped: {run.ended.stopped}")]
        if run.ended.code is None:
            limit = self._timeout.total_seconds()
            return [_of_run(run, Verdict.ERRORED, f"the tests were stopped after {limit:g} s", limit=limit)]
        if run.ended.code == _NONE_FOUND:
            return [_of_run(run, Verdict.INCONCLUSIVE, "pytest found no tests")]
        try:
            tests = read(run.results)
        except ElementTree.ParseError:
            return [_of_run(run, Verdict.ERRORED, _why_no_results(run))]
        return [
            *map(_of_test, _broken(tests)),
            *_of_ending(run, tests),
            *_of_skipped(tests),
            *_of_passed(tests, run),
        ]


def _has_tests(project: Path) -> bool:
    files = ((project / name, section) for name, section in SECTIONS.items())
    if any(
        file.is_file() and section in file.read_text("utf-8", errors="replace") for file, section in files
    ):
        return True
    return any(next((project / "tests").rglob(name), None) for name in ("test_*.py", "*_test.py"))


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
        evidence=_lines(lines[-TAIL:], len(lines)),
    )


def _of_ending(run: SuiteRun, tests: Sequence[ReportedTest]) -> list[Finding]:
    """Return what pytest's exit code says beyond its tests: a plugin's no (coverage), a stop, a breakdown."""
    if run.ended.code == _PASSED or (run.ended.code in {_FAILED, _INTERRUPTED} and _broken(tests)):
        return []
    if run.ended.code == _FAILED:
        return [
            _of_run(run, Verdict.FAILED, "pytest ended with 1 although no test failed (a plugin's limit?)")
        ]
    return [_of_run(run, Verdict.ERRORED, f"pytest broke off with {run.ended.code}")]


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


def _of_passed(tests: Sequence[ReportedTest], run: SuiteRun) -> list[Finding]:
    passed, expected = (sum(test.outcome == kind for test in tests) for kind in ("passed", "expected"))
    if passed:
        more = f", {expected} failed as expected" if expected else ""
        told = f"{count(passed, 'test')} passed{more}{_how_it_ran(run.ended)}"
        return [Finding(_ID, "passed", Verdict.PASSED, told, observed=passed)]
    if any(test.outcome != "expected" for test in tests):
        return []
    why = f"no test passed, {expected} failed as expected" if expected else "pytest ran no test"
    return [Finding(_ID, "passed", Verdict.INCONCLUSIVE, why, observed=0)]


def _how_it_ran(ended: Ended) -> str:
    """Return what is to be known of the suite's process, "" where it was isolated and left nothing behind."""
    protection = ended.protection
    open_to = "" if protection.is_isolated else f"; not isolated: {protection.why}"
    left = f"; {count(ended.left, 'process', 'processes')} that it left behind ended" if ended.left else ""
    return left + open_to


def _of_run(run: SuiteRun, verdict: Verdict, summary: str, limit: float | None = None) -> Finding:
    observed = run.seconds if limit is not None else None
    evidence = _lines(run.output, run.lines)
    return Finding(_ID, "pytest", verdict, summary, observed=observed, limit=limit, evidence=evidence)


def _why_no_results(run: SuiteRun) -> str:
    if any("No module named pytest" in line for line in run.output):
        return "pytest is not installed; install prefect-sluice[pytest]"
    return f"pytest ended with {run.ended.code} and wrote no results"


def _lines(lines: Sequence[str], total: int) -> Evidence | None:
    return Evidence(("output",), tuple((line,) for line in lines), total) if lines else None
