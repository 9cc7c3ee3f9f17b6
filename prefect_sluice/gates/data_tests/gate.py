"""Gate `data_tests`: dbt's data tests on the candidate, with dbt's verdicts and the failing rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import ClassVar

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.data_test import DataTest, counts_rows
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.node import NodeKind, short_name
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport, Verdict, WayPast
from prefect_sluice.gates.base import CandidateView, ReleaseView
from prefect_sluice.gates.build.gate import first_line
from prefect_sluice.gates.data_tests.counts import TestCount, counts, first_rows, rows
from prefect_sluice.warehouse.base import Reader

_VERDICTS = {
    "pass": Verdict.PASSED,
    "success": Verdict.PASSED,
    "warn": Verdict.WARNED,
    "fail": Verdict.FAILED,
    "error": Verdict.ERRORED,
    "runtime error": Verdict.ERRORED,
}
_ABOVE = re.compile(r"\s*(?:(?:!=|<>)\s*(?P<any>0)|>\s*(?P<more>\d+)|>=\s*(?P<least>\d+))\s*")


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""

    allow_empty: tuple[str, ...] = Field(
        default=(),
        description="Relations that may have no rows: unique ids or names, with * and ?. Their tests pass on nothing.",
    )


@dataclass(frozen=True, slots=True)
class DataTests:
    """Asks the candidate what the data tests count, and fetches the rows that failed; reads the answers of those that dbt ran."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "data_tests"
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView, candidate: CandidateView) -> GateReport:
        """Return a finding per data test, and one per relation that has no rows to be tested."""
        results = [result for result in candidate.built.results if result.kind == "test"]
        tests = candidate.built.tests
        if not results and not tests:
            return GateReport(self.id, not_applicable="no data test looks at what changed")
        if tests and candidate.reader is None:
            return GateReport(self.id, (Finding(self.id, "gate", Verdict.ERRORED, "there is no candidate"),))
        findings = [_answered(self.id, result, candidate.reader) for result in results]
        if candidate.reader is not None:
            views = [node.name for node in release.nodes.values() if node.kind is NodeKind.VIEW]
            found = counts(tests, candidate.reader, views)
            findings += [
                _test_finding(self.id, test, found[test.unique_id], candidate.reader) for test in tests
            ]
            findings += self._empty(candidate, candidate.reader)
        return GateReport(self.id, tuple(findings))

    def _empty(self, candidate: CandidateView, reader: Reader) -> Iterator[Finding]:
        """Yield a finding for each tested relation of the candidate that has no rows: every test holds on nothing."""
        built = candidate.built
        looked: dict[str, int] = {}
        for item in (*built.tests, *(result for result in built.results if result.kind == "test")):
            for uid in item.parents:
                looked[uid] = looked.get(uid, 0) + 1
        for uid, relation in candidate.relations.items():
            if uid not in looked:
                continue
            there = _has_rows(relation, reader)
            if there is None:
                told = "whether it has rows to be tested cannot be told"
                yield Finding(self.id, "rows", Verdict.INCONCLUSIVE, told, (uid,))
            elif not there:
                live = candidate.live.get(uid)
                yield self._without_rows(uid, looked[uid], _has_rows(live, reader) if live else False)

    def _without_rows(self, uid: str, tests: int, had: bool | None) -> Finding:
        proof = f"its {count(tests, 'test proves', 'tests prove')} nothing"
        if any(fnmatchcase(name, glob) for glob in self.settings.allow_empty for name in _names(uid)):
            return Finding(
                self.id, "rows", Verdict.PASSED, "no rows, as allow_empty says", (uid,), observed=0
            )
        if had is False:
            return Finding(self.id, "rows", Verdict.WARNED, f"no rows: {proof}", (uid,), observed=0)
        before = "what is served now has some" if had else "whether what is served has any, cannot be read"
        fix = "see where its rows went; if it may be empty, name it in gates.data_tests.allow_empty"
        return Finding(
            self.id, "rows", Verdict.INCONCLUSIVE, f"no rows: {proof}, and {before}", (uid,), 0, fix=fix,
            way_past=WayPast.NAMED,
        )  # fmt: skip


def _names(uid: str) -> tuple[str, str]:
    return uid, short_name(uid) or uid


def _has_rows(relation: str, reader: Reader) -> bool | None:
    try:
        return bool(reader.query(f"select 1 from {relation} limit 1").rows)
    except QueryFailed:
        return None


def verdict_of(result: NodeResult) -> Verdict:
    """Return what dbt's word for a result means."""
    # Anything dbt may say that is not listed (skipped, partial success) has not been shown to hold.
    return _VERDICTS.get(result.status, Verdict.INCONCLUSIVE)


def _test_finding(gate: str, test: DataTest, count: TestCount, reader: Reader) -> Finding:
    verdict, limit = _verdict_and_limit(test, count)
    bad = verdict in {Verdict.WARNED, Verdict.FAILED}
    number = _number_of(test.fail_calc, count.failures)
    if verdict is Verdict.ERRORED:
        told = count.error
    elif bad:
        told = number if counts_rows(test.fail_calc) else f"{number}, which is {limit}"
    else:
        told = f"holds: {number}, and that counts if {limit}" if count.failures else "holds"
    return Finding(
        gate, test.short, verdict, told, test.parents, location=test.path,
        observed=None if count.error else count.failures, limit=_number(limit) if not count.error else None,
        evidence=rows(test, count.failures, reader) if bad else None,
    )  # fmt: skip


def _verdict_and_limit(test: DataTest, count: TestCount) -> tuple[Verdict, str]:
    """Return dbt's verdict, and the limit that it is about."""
    if count.error:
        return Verdict.ERRORED, ""
    if test.severity == "error" and count.errs:
        return Verdict.FAILED, test.error_if
    if count.warns:
        return Verdict.FAILED if test.strict else Verdict.WARNED, test.warn_if
    return Verdict.PASSED, test.warn_if


def _number_of(fail_calc: str, failures: int | None) -> str:
    """Return a test's number as what it is: rows, or what its own `fail_calc` makes of them."""
    if counts_rows(fail_calc):
        return count(failures or 0, "row breaks it", "rows break it")
    return f"{fail_calc} gives {failures}"


def _number(limit: str) -> float | None:
    """Return up to how many failures a limit lets pass, where it says so in the usual way."""
    found = _ABOVE.fullmatch(limit)
    if found is None:
        return None
    return int(found["more"] or 0) if found["least"] is None else max(0, int(found["least"]) - 1)


def _answered(gate: str, result: NodeResult, reader: Reader | None) -> Finding:
    verdict = verdict_of(result)
    bad = verdict in {Verdict.WARNED, Verdict.FAILED}
    evidence = _rows(result, reader) if bad and reader else None
    return Finding(
        gate, result.short, verdict, _result_text(result, verdict), result.parents, location=result.path,
        observed=result.failures, limit=0 if bad or verdict is Verdict.PASSED else None, evidence=evidence,
    )  # fmt: skip


def _result_text(result: NodeResult, verdict: Verdict) -> str:
    if verdict is Verdict.PASSED:
        return "holds"
    if verdict in {Verdict.WARNED, Verdict.FAILED}:
        return _number_of(result.fail_calc, result.failures)
    return (
        "did not run, because something it reads failed"
        if result.status == "skipped"
        else first_line(result.message)
    )


def _rows(result: NodeResult, reader: Reader) -> Evidence | None:
    """Return the rows that dbt stored, else those that the test's query gives here."""
    stored = first_rows(result.relation, reader) if result.relation else None
    if stored is None and result.compiled:
        stored = first_rows(f"(\n{result.compiled}\n) dbt_internal_test", reader)
    return stored
