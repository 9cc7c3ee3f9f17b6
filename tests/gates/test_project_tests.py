"""`project_tests` on small pytest suites: each way in which a suite can end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from prefect_sluice.config import GateSettings
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import Gate, ReleaseView, Subject, ToolsView, ask_gate, views
from prefect_sluice.gates.catalog import checked, make_gates
from prefect_sluice.gates.project_tests.gate import ProjectTests, Settings
from prefect_sluice.isolation import run_command
from prefect_sluice.runtime.running import start_of

# Plugins that happen to be installed here would only cost each suite a second.
BARE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
PASSES = "def test_passes():\n    pass\n"
FAILS = """\
class TestOrders:
    def test_fails(self):
        value = 2
        assert value == 3, 'no\\nyes'
"""
SKIPS = "import pytest\n\n\n@pytest.mark.skip(reason='no network')\ndef test_skips():\n    pass\n"
XFAILS = "import pytest\n\n\n@pytest.mark.xfail\ndef test_xfails():\n    assert 0\n"


def ask(project: Path, files: Mapping[str, str], gate: Gate | None = None, **variables: str) -> GateReport:
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    return ask_gate(
        gate or ProjectTests(),
        Subject(ReleaseView(project, {}, ()), tools=ToolsView(variables={**BARE, **variables})),
    )


def only(report: GateReport) -> Finding:
    (finding,) = report.findings
    return finding


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"tests/a_dbt_test.sql": "select 1"},
        {"pyproject.toml": "[project]\nname = 'x'\n", "setup.cfg": "[metadata]\n", "tox.ini": "[tox]\n"},
        {"models/test_orders.py": "def model(dbt, session): ..."},
    ],
)
def test_a_project_without_pytest_tests_is_left_alone(tmp_path: Path, files: Mapping[str, str]) -> None:
    assert ask(tmp_path, files).not_applicable == "the project has no pytest tests"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pytest.ini", "[pytest]\ntestpaths = checks\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\ntestpaths = ['checks']\n"),
        ("setup.cfg", "[tool:pytest]\ntestpaths = checks\n"),
        ("tox.ini", "[pytest]\ntestpaths = checks\n"),
        ("tests/test_y.py", PASSES),
        ("tests/deep/y_test.py", PASSES),
    ],
)
def test_a_suite_is_found_by_its_settings_or_its_files(tmp_path: Path, file: str, text: str) -> None:
    report = ask(tmp_path, {file: text, "checks/test_x.py": PASSES})
    assert (report.not_applicable, report.verdict) == ("", Verdict.PASSED)


def test_what_passed_is_one_finding(tmp_path: Path) -> None:
    finding = only(ask(tmp_path, {"tests/test_x.py": PASSES, "tests/test_y.py": PASSES}))
    assert (finding.verdict, finding.summary, finding.observed) == (Verdict.PASSED, "2 tests passed", 2)


def test_a_suite_that_uses_pytests_cache_runs_and_leaves_none(tmp_path: Path) -> None:
    asks = "def test_asks(cache):\n    assert cache.get('x/y', None) is None\n"
    report = ask(tmp_path, {"pytest.ini": "[pytest]\naddopts = --ff -q\n", "tests/test_x.py": asks})
    assert only(report).summary == "1 test passed"
    assert not (tmp_path / ".pytest_cache").exists()


def test_a_failure_is_told_with_place_and_output(tmp_path: Path) -> None:
    report = ask(tmp_path, {"tests/test_x.py": FAILS, "tests/test_y.py": PASSES})
    failed, passed = report.findings
    assert (failed.verdict, failed.check) == (Verdict.FAILED, "tests/test_x.py::TestOrders::test_fails")
    assert (failed.subject, failed.location) == ("tests/test_x.py", "tests/test_x.py:4")
    assert failed.summary == "AssertionError: no"
    assert failed.evidence is not None
    assert failed.evidence.columns == ("output",)
    assert failed.evidence.rows[-1] == ("tests/test_x.py:4: AssertionError",)
    assert (passed.verdict, passed.summary) == (Verdict.PASSED, "1 test passed")
    assert report.verdict is Verdict.FAILED


def test_only_the_end_of_a_long_failure_is_kept(tmp_path: Path) -> None:
    lines = "".join(f"    x = {number}\n" for number in range(60))
    finding = only(ask(tmp_path, {"tests/test_x.py": f"def test_long():\n{lines}    assert not x\n"}))
    assert finding.evidence is not None
    assert len(finding.evidence.rows) == 20
    assert finding.evidence.total > 60
    assert finding.evidence.rows[-1] == ("tests/test_x.py:62: AssertionError",)


BROKEN_FIXTURE = """\
import pytest

@pytest.fixture
def broken():
    raise OSError('no disk')

def test_x(broken):
    pass
"""


def test_a_test_that_cannot_run_is_an_error(tmp_path: Path) -> None:
    finding = only(ask(tmp_path, {"tests/test_x.py": BROKEN_FIXTURE}))
    assert (finding.verdict, finding.check) == (Verdict.ERRORED, "tests/test_x.py::test_x")
    assert "no disk" in finding.summary
    assert finding.location == "tests/test_x.py:5"


def test_a_module_that_cannot_be_imported_is_an_error_that_says_why(tmp_path: Path) -> None:
    report = ask(tmp_path, {"tests/test_x.py": "import not_there\n", "tests/test_y.py": PASSES})
    finding = only(report)
    assert finding.verdict is Verdict.ERRORED
    assert finding.summary == "collection failure: ModuleNotFoundError: No module named 'not_there'"


def test_what_was_skipped_is_named_and_warns(tmp_path: Path) -> None:
    skipped, passed = ask(tmp_path, {"tests/test_x.py": SKIPS, "tests/test_y.py": PASSES}).findings
    assert (skipped.verdict, skipped.observed) == (Verdict.WARNED, 1)
    assert skipped.summary == "1 test skipped: tests/test_x.py::test_skips"
    assert skipped.evidence is not None
    assert skipped.evidence.rows == (("tests/test_x.py::test_skips", "no network"),)
    assert passed.verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "files",
    [
        {"tests/test_x.py": SKIPS},
        {"tests/test_x.py": SKIPS, "tests/test_y.py": XFAILS},
        {"tests/test_x.py": "import pytest\n\npytest.skip('all of it', allow_module_level=True)\n"},
        {"tests/test_x.py": XFAILS},
        {"tests/test_x.py": "def helper(): ...\n"},
        {"tests/test_x.py": PASSES, "pytest.ini": "[pytest]\naddopts = --collect-only\n"},
    ],
    ids=["skipped", "skipped and xfailed", "module skipped", "xfailed", "none found", "none run"],
)
def test_a_suite_in_which_nothing_passed_is_inconclusive(tmp_path: Path, files: Mapping[str, str]) -> None:
    assert only(ask(tmp_path, files)).verdict is Verdict.INCONCLUSIVE


def test_an_expected_failure_is_counted_and_an_unexpected_pass_fails(tmp_path: Path) -> None:
    report = ask(tmp_path, {"tests/test_x.py": XFAILS, "tests/test_y.py": PASSES})
    assert only(report).summary == "1 test passed, 1 failed as expected"
    strict = XFAILS.replace("xfail", "xfail(strict=True)", 1).replace("assert 0", "pass")
    assert ask(tmp_path, {"tests/test_x.py": strict}).findings[0].verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("conftest", "verdict", "told"),
    [
        (
            "def pytest_sessionfinish(session):\n    session.exitstatus = 1\n",
            Verdict.FAILED,
            "no test failed",
        ),
        (
            "import pytest\ndef pytest_runtest_setup(item):\n    pytest.exit('enough')\n",
            Verdict.ERRORED,
            "broke off with 2",
        ),
        ("def pytest_collection():\n    raise OSError('inside')\n", Verdict.ERRORED, "internal error"),
        (
            "def pytest_configure():\n    import os\n    os._exit(7)\n",
            Verdict.ERRORED,
            "7 and wrote no results",
        ),
        ("import nothing_here\n", Verdict.ERRORED, "4 and wrote no results"),
    ],
    ids=["a plugin says no", "stopped", "internal error", "crash", "no conftest"],
)
def test_an_ending_that_no_test_explains_is_never_a_pass(
    tmp_path: Path, conftest: str, verdict: Verdict, told: str
) -> None:
    report = ask(tmp_path, {"tests/test_x.py": PASSES, "conftest.py": conftest})
    assert report.verdict is verdict
    finding = report.findings[0]
    assert told in finding.summary


def test_without_pytest_it_says_what_to_install(tmp_path: Path) -> None:
    # A module of this name that cannot be imported stands in for an environment without pytest.
    hidden = 'raise ModuleNotFoundError("No module named pytest")\n'
    finding = only(ask(tmp_path, {"pytest.py": hidden, "tests/test_x.py": PASSES}))
    assert finding.verdict is Verdict.ERRORED
    assert finding.summary == "pytest is not installed; install prefect-sluice[pytest]"


HANGS = """\
import os, pathlib, subprocess, sys, time

def test_hangs():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pathlib.Path(os.environ["PIDS"]).write_text(f"{os.getpid()} {child.pid}")
    WAIT
"""


def is_running(process: int) -> bool:
    """Say whether the process runs; a zombie, which only waits for its new parent to take note, does not."""
    return start_of(process) is not None


def ends(process: int) -> bool:
    """Say whether the process is gone soon: one that was killed may need a moment to die."""
    until = time.monotonic() + 5
    while is_running(process) and time.monotonic() < until:
        os.sched_yield()
    return not is_running(process)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wait", "seconds"), [("time.sleep(600)", 8), ("pass", 60)], ids=["time-out", "left behind"]
)
def test_nothing_that_the_suite_started_lives_on(tmp_path: Path, wait: str, seconds: int) -> None:
    pids = tmp_path / "project" / "pids"
    gate = ProjectTests(Settings(timeout=timedelta(seconds=seconds)))
    try:
        report = ask(
            tmp_path / "project", {"tests/test_x.py": HANGS.replace("WAIT", wait)}, gate, PIDS=str(pids)
        )
        assert all(ends(pid) for pid in map(int, pids.read_text().split()))
    finally:
        for pid in map(int, pids.read_text().split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    finding = only(report)
    if wait == "pass":
        assert finding.verdict is Verdict.PASSED
        assert finding.summary == "1 test passed; 1 process that it left behind ended"
    else:
        assert (finding.verdict, finding.limit) == (Verdict.ERRORED, 8)
        assert finding.summary == "the tests were stopped after 8 s"
        assert finding.observed is not None
        assert finding.observed >= 8


SEES_REGION_ONLY = """\
import os

def test_x():
    assert os.environ['REGION'] == 'eu'
    assert 'PASSWORD_OF_THE_CALLER' not in os.environ
"""


def test_the_tests_see_the_given_variables_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD_OF_THE_CALLER", "x")
    report = ask(tmp_path, {"tests/test_x.py": SEES_REGION_ONLY}, REGION="eu")
    assert report.verdict is Verdict.PASSED


def test_it_runs_in_the_projects_folder_with_this_python_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {
        "rules.py": "LIMIT = 3\n",
        "tests/test_x.py": (
            "import pathlib, sys\nfrom rules import LIMIT\n\n"
            "def test_x():\n"
            "    assert pathlib.Path('rules.py').exists() and LIMIT == 3\n"
            f"    assert sys.executable == {sys.executable!r}\n"
        ),
    }
    project = tmp_path / "project"
    assert ask(project, files).verdict is Verdict.PASSED
    assert {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()} == set(
        files
    )


def test_the_projects_own_results_file_and_colours_do_not_get_in_the_way(tmp_path: Path) -> None:
    ini = "[pytest]\naddopts = --junitxml=own.xml --color=yes -o junit_family=xunit2 -x\n"
    report = ask(tmp_path, {"pytest.ini": ini, "tests/test_x.py": FAILS})
    finding = report.findings[0]
    assert (finding.verdict, finding.location) == (Verdict.FAILED, "tests/test_x.py:4")
    assert not (tmp_path / "own.xml").exists()


def test_places_are_relative_to_the_project_when_the_settings_are_above_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-q'\n")
    assert ask(tmp_path / "analytics", {"tests/test_x.py": FAILS}).findings[0].location == "tests/test_x.py:4"


# ---- what is chosen, and what is recalled --------------------------------------------------------------

BROKEN_CONFTEST = {"tests/conftest.py": "def (:\n", "tests/test_x.py": PASSES}


def test_a_conftest_that_is_no_python_is_an_error_that_shows_it(tmp_path: Path) -> None:
    finding = only(ask(tmp_path, BROKEN_CONFTEST))
    assert finding.verdict is Verdict.ERRORED
    assert finding.evidence is not None
    assert any("conftest" in (row[0] or "") for row in finding.evidence.rows)


def test_settings_choose_the_tests(tmp_path: Path) -> None:
    files = {"tests/test_x.py": FAILS, "more/test_y.py": PASSES, "more/test_z.py": FAILS}
    chosen = ProjectTests(Settings(paths=("more",), args=("-k", "passes")))
    finding = only(ask(tmp_path, files, chosen))
    assert (finding.verdict, finding.summary) == (Verdict.PASSED, "1 test passed")
    nothing = ProjectTests(Settings(args=("-k", "nothing_of_that_name")))
    assert only(ask(tmp_path, files, nothing)).verdict is Verdict.INCONCLUSIVE


TOUCHES = """\
import os, pathlib, socket

OUTSIDE = pathlib.Path(os.environ["OUTSIDE"])

def test_own_files():
    pathlib.Path("written.txt").write_text("x")
    assert os.listdir(pathlib.Path.home()) == []

def test_writes():
    OUTSIDE.write_text("changed")

def test_empties():
    os.truncate(OUTSIDE, 0)

def test_reads():
    OUTSIDE.read_text()

def test_link():
    os.symlink(OUTSIDE, "link")
    pathlib.Path("link").write_text("changed")

def test_hard_link():
    os.link(OUTSIDE, "hard")

def test_reaches():
    socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), 5)

def test_signals():
    os.kill(int(os.environ["PID"]), 0)
"""
"""A suite whose tests pass where they can do what they must not."""


STARTS = "from prefect_sluice.isolation.launch import main; sys.exit(main(sys.argv[1:]))"


@dataclass
class Outside:
    """A file beside the project, and a server of this process."""

    folder: Path

    def ask(self, *, read: bool = False, **settings: Any) -> dict[str, GateReport | str]:
        secret = self.folder / "secret.txt"
        secret.write_text("as it was", encoding="utf-8")
        if read:
            settings["may_read"] = [str(secret)]
        with socket.create_server(("127.0.0.1", 0)) as server:
            variables = {
                "OUTSIDE": str(secret),
                "PORT": str(server.getsockname()[1]),
                "PID": str(os.getpid()),
            }
            gate = ProjectTests(Settings.model_validate(settings))
            report = ask(self.folder / "project", {"tests/test_x.py": TOUCHES}, gate, **variables)
        assert secret.read_text(encoding="utf-8") == "as it was"
        failed = {finding.check.partition("::test_")[2]: finding.summary for finding in report.findings}
        return {name: told for name, told in failed.items() if name}


MISSING = run_command.reached().why


@pytest.mark.skipif(bool(MISSING), reason=f"this machine does not isolate: {MISSING}")
def test_what_is_outside_cannot_be_read_written_reached_or_signalled(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    refused = outside.ask()
    assert set(refused) == {"writes", "empties", "reads", "link", "hard_link", "reaches", "signals"}
    denied = ("PermissionError", "Read-only file system", "FileNotFoundError", "ConnectionRefusedError")
    assert all(any(word in str(told) for word in denied) for told in refused.values()), refused
    assert set(outside.ask(read=True, network=True)) == {"writes", "empties", "link", "hard_link", "signals"}


def test_where_nothing_isolates_it_is_said_or_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Landlock is what a machine may lack; the launcher is another process, so it is taken from it by a variable's path."""
    no_landlock = "import prefect_sluice.isolation.landlock as landlock\nlandlock.abi = lambda: 0\n"
    monkeypatch.setattr(
        run_command, "LAUNCH", f"{run_command.LAUNCH.partition('from')[0]}\n{no_landlock}{STARTS}"
    )
    files = {"tests/test_x.py": PASSES}
    told = only(ask(tmp_path, files)).summary
    assert told == "1 test passed; not isolated: Landlock 3 is needed, and this kernel has none"
    refused = only(ask(tmp_path, files, ProjectTests(Settings(isolation="required"))))
    assert refused.verdict is Verdict.ERRORED
    assert refused.summary.startswith(
        "the suite was not run: isolation is required, and this machine has none"
    )


FILLS = """\
import os, signal

def test_it_forks():
    for _ in range(400):
        if os.fork() == 0:
            signal.pause()
    signal.pause()
"""


@pytest.mark.skipif(bool(MISSING), reason=f"this machine does not isolate: {MISSING}")
def test_a_suite_that_fills_the_machine_is_ended_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prefect_sluice.isolation.watch._PROCESSES", 50)
    finding = only(ask(tmp_path, {"tests/test_x.py": FILLS}))
    assert finding.verdict is Verdict.ERRORED
    # An account that is not root may start no more: then its test breaks.
    told = "the tests were stopped: more processes and threads ran at one time than 50"
    assert finding.summary == told or "BlockingIOError" in str(finding)


def test_a_setting_that_is_gone_says_so(tmp_path: Path) -> None:
    settings = {"project_tests": GateSettings.model_validate({"recall": "1d"})}
    with pytest.raises(
        ConfigInvalid, match=r"gates\.project_tests\.recall: is no setting any more; take the line out"
    ):
        checked(settings, "sluice.yml")
    assert make_gates(settings, of_candidate=False), "a policy that serves may still have it"


def test_it_is_a_gate_for_sources() -> None:
    gate: Gate = ProjectTests()
    assert (gate.id, views(gate)) == ("project_tests", ("release", "tools"))
