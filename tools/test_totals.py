"""Prints one line, `412 passed, 0 failed, 3 skipped in 188 s`, from the JUnit file that pytest wrote."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def totals(report: Path) -> str:
    """Return the closing line for `report`; errors in fixtures count as failed."""
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))

    def count(name: str) -> int:
        return sum(int(suite.get(name, "0")) for suite in suites)

    failed, skipped = count("failures") + count("errors"), count("skipped")
    seconds = sum(float(suite.get("time", "0")) for suite in suites)
    passed = count("tests") - failed - skipped
    return f"{passed} passed, {failed} failed, {skipped} skipped in {seconds:.0f} s"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    if not file.exists():
        print("the tests did not get as far as a report")
        raise SystemExit(1)
    print(totals(file))
