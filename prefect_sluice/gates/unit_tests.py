"""Gate `unit_tests`: dbt's own unit tests, as dbt judged them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from prefect_sluice import config
from prefect_sluice.gates.base import Needs, Subject
from prefect_sluice.gates.build import first_line
from prefect_sluice.gates.data_tests import verdict_of
from prefect_sluice.results import NodeResult
from prefect_sluice.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict


class Settings(config.Gate):
    """What sluice.yml may say of it."""


@dataclass(frozen=True, slots=True)
class UnitTests:
    """Has dbt run the unit tests of what changed, and reads the answers."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "unit_tests"
    needs: ClassVar[Needs] = Needs.SOURCES
    Settings: ClassVar[type[config.Gate]] = Settings

    def check(self, subject: Subject) -> GateReport:
        """Return a finding per unit test."""
        asked = subject.unit_tests()
        if not asked.expected:
            return GateReport(self.id, not_applicable="no unit test looks at what changed")
        findings = [_unit(self.id, result) for result in asked.results if result.kind == "unit_test"]
        if len(findings) < asked.expected:
            missing = asked.expected - len(findings)
            findings.append(
                Finding(self.id, "all ran", Verdict.INCONCLUSIVE, f"{missing} unit tests did not run")
            )
        return GateReport(self.id, tuple(findings))


def _unit(gate: str, result: NodeResult) -> Finding:
    verdict = verdict_of(result)
    lines = tuple((line,) for line in result.message.splitlines() if line.strip())
    evidence = None if verdict is Verdict.PASSED else Evidence(("output",), lines[:EVIDENCE_ROWS], len(lines))
    summary = "as expected" if verdict is Verdict.PASSED else "actual differs from expected"
    if verdict is Verdict.ERRORED:
        summary = first_line(result.message)
    return Finding(
        gate, result.short, verdict, summary, _model(result), location=result.path, evidence=evidence
    )


def _model(result: NodeResult) -> str:
    # dbt's unit tests are named `model.test`, and list what they mock beside the model.
    name = result.unique_id.split(".")[2]
    return next((parent for parent in result.parents if parent.split(".")[2:] == [name]), result.unique_id)
