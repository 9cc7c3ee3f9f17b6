"""The results file of a pytest run: which tests there were, and what became of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree


@dataclass(frozen=True, slots=True)
class ReportedTest:
    """One test of the results file. `outcome` is passed, failure, error, skipped or expected (an xfail)."""

    id: str
    outcome: str
    message: str = ""
    text: str = ""
    location: str = ""


def read(results: bytes) -> list[ReportedTest]:
    """Return the tests of a junit file, in its order. Raises ElementTree.ParseError if it is none."""
    return [_test(case) for case in ElementTree.fromstring(results).iter("testcase")]


def _test(case: ElementTree.Element) -> ReportedTest:
    name = _name(case)
    for kind in ("failure", "error", "skipped"):
        found = case.find(kind)
        if found is not None:
            outcome = "expected" if found.get("type") == "pytest.xfail" else kind
            text = found.text or ""
            return ReportedTest(name, outcome, found.get("message", ""), text, _location(case, text))
    return ReportedTest(name, "passed")


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
