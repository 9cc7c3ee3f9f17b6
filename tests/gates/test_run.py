"""What a gate of another package may answer, and what is made of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, cast

import pytest

from prefect_sluice import config, gates
from prefect_sluice.config import GateSettings as Settings
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import ReleaseView, Subject

YES = (Finding("lint", "x", Verdict.PASSED, "fine"),)


@dataclass
class Odd:
    """A gate that answers what it is told to."""

    answer: Callable[[], object]
    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "odd"
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView) -> GateReport:
        return cast(GateReport, self.answer())


@pytest.mark.parametrize(
    ("answer", "verdict", "told"),
    [
        (lambda: None, Verdict.ERRORED, "it answered NoneType, not its own report"),
        (lambda: GateReport("lint", YES), Verdict.ERRORED, "it answered the report of 'lint', not its own report"),
        (lambda: sys.exit(3), Verdict.ERRORED, "SystemExit: 3"),
        (lambda: GateReport("odd"), Verdict.INCONCLUSIVE, "it found nothing, neither good nor bad"),
    ],
    ids=["nothing", "another's", "an exit", "no finding"],
)  # fmt: skip
def test_a_gate_that_does_not_answer_holds(answer: Callable[[], object], verdict: Verdict, told: str) -> None:
    report = gates.run(Odd(answer), Subject(ReleaseView(Path(), {}, ())), {})
    (finding,) = report.findings
    assert (report.gate, finding.verdict, finding.summary) == ("odd", verdict, told)
