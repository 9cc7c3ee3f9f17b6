"""What .ci/run says of a test run: its closing line, and the tests that were skipped without a reason that is listed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "test_totals.py"

REPORT = """<testsuites><testsuite tests="3" failures="0" errors="0" skipped="1" time="1.6">
<testcase classname="a" name="one"/><testcase classname="a" name="two"/>
<testcase classname="a" name="three"><skipped message="{reason}"/></testcase>
</testsuite></testsuites>"""


def closing(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, TOOL, file], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("reason", "code"), [("root may write everywhere", 0), ("PostgreSQL is not installed", 1)]
)
def test_a_skip_whose_reason_is_not_listed_fails_the_run(tmp_path: Path, reason: str, code: int) -> None:
    report = tmp_path / "tests.xml"
    report.write_text(REPORT.format(reason=reason), encoding="utf-8")
    done = closing(report)
    assert (done.stdout, done.returncode) == ("2 passed, 0 failed, 1 skipped in 2 s\n", code)
    assert (f"a::three: {reason}" in done.stderr) == bool(code)


def test_no_report_fails_the_run(tmp_path: Path) -> None:
    done = closing(tmp_path / "none.xml")
    assert (done.stdout, done.returncode) == ("the tests did not get as far as a report\n", 1)
