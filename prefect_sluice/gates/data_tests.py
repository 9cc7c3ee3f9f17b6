"""Gate `data_tests`: dbt's own data tests, as dbt judged them, with the failing rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from prefect_sluice import config
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


class Settings(config.Gate):
    """What sluice.yml may say of it."""


@dataclass(frozen=True, slots=True)
class DataTests:
    """Reads the answers of the data tests that ran with the build, and fetches the rows that failed."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "data_tests"
    needs: ClassVar[Needs] = Needs.CANDIDATE
    Settings: ClassVar[type[config.Gate]] = Settings

    def check(self, subject: Subject) -> GateReport:
        """Return a finding per data test."""
        results = [result for result in subject.built.results if result.kind == "test"]
        if not results:
            return GateReport(self.id, not_applicable="no data test looks at what changed")
        return GateReport(self.id, tuple(_data(self.id, result, subject.candidate) for result in results))


def verdict_of(result: NodeResult) -> Verdict:
    """Return what dbt's word for a result means."""
    # Anything dbt may say that is not listed (skipped, partial success) has not been shown to hold.
    return _VERDICTS.get(result.status, Verdict.INCONCLUSIVE)


def _data(gate: str, result: NodeResult, reader: Reader | None) -> Finding:
    verdict = verdict_of(result)
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
