"""Gates `unit_tests` and `data_tests`: dbt's own tests, as dbt judged them, with the failing rows."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.errors import QueryFailed
from prefect_sluice.gates.base import Needs, Subject
from prefect_sluice.gates.build import first_line
from prefect_sluice.results import NodeResult
from prefect_sluice.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict
from prefect_sluice.warehouse.base import Reader

_VERDICTS = {
    "pass": Verdict.PASSED,
    "success": Verdict.PASSED,
    "warn": Verdict.WARNED,
    "fail": Verdict.FAILED,
    "error": Verdict.ERRORED,
    "runtime error": Verdict.ERRORED,
}


class UnitTests:
    """Reads the answers of `dbt test --resource-type unit_test`."""

    id = "unit_tests"
    needs = Needs.SOURCES

    def __init__(self, results: Sequence[NodeResult], *, expected: int) -> None:
        """Judge these results; `expected` is how many unit tests look at what changed."""
        self._results = [result for result in results if result.kind == "unit_test"]
        self._expected = expected

    def check(self, subject: Subject) -> GateReport:
        """Return a finding per unit test."""
        if not self._expected:
            return GateReport(self.id, not_applicable="no unit test looks at what changed")
        findings = [_unit(self.id, result) for result in self._results]
        if len(findings) < self._expected:
            missing = self._expected - len(findings)
            findings.append(
                Finding(self.id, "all ran", Verdict.INCONCLUSIVE, f"{missing} unit tests did not run")
            )
        return GateReport(self.id, tuple(findings))


class DataTests:
    """Reads the answers of the data tests that ran with the build, and fetches the rows that failed."""

    id = "data_tests"
    needs = Needs.CANDIDATE

    def __init__(self, results: Sequence[NodeResult]) -> None:
        """Judge these results."""
        self._results = [result for result in results if result.kind == "test"]

    def check(self, subject: Subject) -> GateReport:
        """Return a finding per data test."""
        if not self._results:
            return GateReport(self.id, not_applicable="no data test looks at what changed")
        return GateReport(
            self.id, tuple(_data(self.id, result, subject.candidate) for result in self._results)
        )


def _verdict(result: NodeResult) -> Verdict:
    # Anything dbt may say that is not listed (skipped, partial success) has not been shown to hold.
    return _VERDICTS.get(result.status, Verdict.INCONCLUSIVE)


def _unit(gate: str, result: NodeResult) -> Finding:
    verdict = _verdict(result)
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


def _data(gate: str, result: NodeResult, reader: Reader | None) -> Finding:
    verdict = _verdict(result)
    bad = verdict in {Verdict.WARNED, Verdict.FAILED}
    evidence = _rows(result, reader) if bad and reader else None
    return Finding(
        gate, result.short, verdict, _told(result, verdict), ", ".join(result.parents), location=result.path,
        observed=result.failures, limit=0 if bad or verdict is Verdict.PASSED else None, evidence=evidence,
    )  # fmt: skip


def _told(result: NodeResult, verdict: Verdict) -> str:
    if verdict is Verdict.PASSED:
        return "holds"
    if verdict in {Verdict.WARNED, Verdict.FAILED}:
        return "1 row breaks it" if result.failures == 1 else f"{result.failures} rows break it"
    return (
        "did not run, because something it reads failed"
        if result.status == "skipped"
        else first_line(result.message)
    )


def _rows(result: NodeResult, reader: Reader) -> Evidence | None:
    if not result.relation:
        return None
    try:
        found = reader.query(f"select columns(*)::varchar from {result.relation} limit {EVIDENCE_ROWS}")
        total = reader.query(f"select count(*) from {result.relation}").rows[0][0]
    except QueryFailed:
        return None
    rows = tuple(tuple(None if value is None else str(value) for value in row) for row in found.rows)
    return Evidence(found.columns, rows, int(str(total)))
