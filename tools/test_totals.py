"""Prints one line, `412 passed, 0 failed, 3 skipped in 188 s`, from the JUnit file that pytest wrote.

Ends with 1 if a test was skipped for a reason that is not listed here: a test that never runs proves nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

ACCEPTED_SKIPS = (
    "root may write everywhere",
    "docker compose is not installed",
    "this machine does not isolate",
    "systemd-analyze is not installed",
)
"""How the reasons begin for which a test may be skipped in CI: a machine without Docker, systemd or Landlock, a run as root."""


def totals(report: ElementTree.ElementTree) -> str:
    """Return the closing line; errors in fixtures count as failed."""
    suites = list(report.getroot().iter("testsuite"))

    def count(name: str) -> int:
        return sum(int(suite.get(name, "0")) for suite in suites)

    failed, skipped = count("failures") + count("errors"), count("skipped")
    seconds = sum(float(suite.get("time", "0")) for suite in suites)
    passed = count("tests") - failed - skipped
    return f"{passed} passed, {failed} failed, {skipped} skipped in {seconds:.0f} s"


def unexpected_skips(report: ElementTree.ElementTree) -> Iterator[str]:
    """Yield the tests that were skipped for a reason that is not listed, each with its reason."""
    for case in report.getroot().iter("testcase"):
        for skip in case.iter("skipped"):
            reason = skip.get("message", "")
            if not reason.startswith(ACCEPTED_SKIPS):
                yield f"{case.get('classname')}::{case.get('name')}: {reason}"


def main(file: Path) -> int:
    """Print the closing line on standard output, unexpected skips on standard error; return the exit code."""
    if not file.exists():
        print("the tests did not get as far as a report")
        return 1
    report = ElementTree.parse(file)
    skips = tuple(unexpected_skips(report))
    for line in skips:
        print(f"skipped, and the reason is not listed in tools/test_totals.py: {line}", file=sys.stderr)
    print(totals(report))
    return 1 if skips else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
