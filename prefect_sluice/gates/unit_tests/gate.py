"""Gate `unit_tests`: dbt's own unit tests, as dbt judged them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.diff.float_tolerance import RELATIVE
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.node import short_name
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict
from prefect_sluice.gates.base import ToolsView, UnitResults
from prefect_sluice.gates.build.gate import first_line
from prefect_sluice.gates.data_tests.gate import verdict_of
from prefect_sluice.gates.unit_tests.comparison import compared, last_digits

_MISSING = "Not able to get columns for unit test"
_FIX = "mend the model, or what the test expects: dbt test --select test_type:unit"


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""

    tolerance: float = Field(
        default=RELATIVE,
        ge=0,
        lt=1,
        description="How far two floats may be apart, as a share of the larger, and still be the same; 0 is exact.",
    )


@dataclass(frozen=True, slots=True)
class UnitTests:
    """Has dbt run the unit tests of what changed, and reads the answers."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "unit_tests"
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, tools: ToolsView) -> GateReport:
        """Return a finding per unit test."""
        asked = tools.unit_tests()
        if not asked.expected:
            return GateReport(self.id, not_applicable="no unit test looks at what changed")
        results = [item for item in asked.results if item.kind == "unit_test"]
        hidden = {item.unique_id for item in results if _lacks_its_inputs(item, asked)}
        findings = [_unit(self, item, asked) for item in results if item.unique_id not in hidden]
        if hidden:
            findings.append(_unbuilt(self.id, len(hidden), asked))
        if len(results) < asked.expected:
            missing = asked.expected - len(results)
            findings.append(
                Finding(
                    self.id, "all ran", Verdict.INCONCLUSIVE, f"{count(missing, 'unit test')} did not run"
                )
            )
        return GateReport(self.id, tuple(findings))


def _lacks_its_inputs(result: NodeResult, asked: UnitResults) -> bool:
    """Say whether a unit test could only break: dbt looks for the columns of a relation that could not be built."""
    return bool(asked.unbuilt) and verdict_of(result) is Verdict.ERRORED and _MISSING in result.message


def _unbuilt(gate: str, tests: int, asked: UnitResults) -> Finding:
    why = {uid: first_line(message) for uid, message in asked.unbuilt.items()}
    first, reason = next(iter(why.items()))
    more = f" (and {len(why) - 1} more)" if len(why) > 1 else ""
    return Finding(
        gate,
        "inputs",
        Verdict.INCONCLUSIVE,
        f"{count(tests, 'unit test')} cannot run, because {short_name(first)}{more} cannot be built: {reason}",
        subjects=tuple(why),
        observed=tests,
        evidence=Evidence(("relation", "why"), tuple(why.items())[:EVIDENCE_ROWS], len(why)),
        fix="load what it reads into this environment's warehouse, or mend it",
    )


def _unit(gate: UnitTests, result: NodeResult, asked: UnitResults) -> Finding:
    verdict = verdict_of(result)
    model = asked.models.get(result.unique_id, result.unique_id)
    told = Finding(gate.id, result.short, verdict, "as expected", (model,), location=result.path)
    if verdict is Verdict.PASSED:
        return told
    rows = compared(result.message) if verdict is Verdict.FAILED else None
    if rows is None:
        lines = tuple((line,) for line in result.message.splitlines() if line.strip())
        text = Evidence(("output",), lines[:EVIDENCE_ROWS], len(lines))
        said = "actual differs from expected" if verdict is Verdict.FAILED else first_line(result.message)
        return replace(told, summary=said, evidence=text, fix=_FIX)
    close = last_digits(rows, gate.settings.tolerance)
    if close:
        said = f"as expected, but for the last digits of {', '.join(close)}"
        return replace(told, verdict=Verdict.PASSED, summary=said, evidence=rows)
    which = [row[0] for row in rows.rows]
    differ = max(which.count("expected"), which.count("actual"))
    said = f"actual differs from expected in {count(differ, 'row')}"
    return replace(told, summary=said, observed=differ, limit=0, evidence=rows, fix=_FIX)
