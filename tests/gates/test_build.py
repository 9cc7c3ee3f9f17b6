"""The gate `build`: every relation of the plan was built, and whoever was left out is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prefect_sluice.domain.release import Change
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import BuildOutcome, CandidateView, Gate, ReleaseView, Subject, ask_gate, views
from prefect_sluice.gates.build.gate import Build, first_line
from tests.gates.views import but


def result(
    name: str, status: str = "success", message: str = "", kind: str = "model", seconds: float = 0.5
) -> NodeResult:
    return NodeResult(
        unique_id=f"{kind}.shop.{name}", kind=kind, status=status, message=message, failures=None, seconds=seconds,
        relation="", parents=(), path=f"models/{name}.sql", compiled="", severity="",
    )  # fmt: skip


def check(
    *results: NodeResult, changed: tuple[str, ...], notes: Mapping[str, str] | None = None
) -> GateReport:
    made = tuple(f"model.shop.{name}" for name in changed)
    gate: Gate = Build()
    assert (gate.id, views(gate)) == ("build", ("release", "candidate"))
    return ask_gate(
        gate,
        Subject(
            ReleaseView(Path(), {}, made),
            candidate=CandidateView(built=BuildOutcome(results, notes or {}, reused=7)),
        ),
    )


def only(report: GateReport) -> Finding:
    assert len(report.findings) == 1
    return report.findings[0]


def test_all_built() -> None:
    finding = only(check(result("a"), result("b", seconds=1.0), changed=("a", "b")))
    assert (finding.verdict, finding.summary) == (Verdict.PASSED, "2 built in 1.5 s, 7 reused")
    assert (finding.observed, finding.limit) == (2, 2)


def test_nothing_to_build() -> None:
    finding = only(check(changed=()))
    assert (finding.verdict, finding.summary) == (Verdict.PASSED, "nothing to build, 7 reused")


def test_one_that_failed_is_named_with_its_error() -> None:
    message = "Runtime Error in model a (models/a.sql)\n  Binder Error: no column x\n  LINE 1: select x\n"
    report = check(result("a", "error", message), result("b"), changed=("a", "b"))
    assert report.verdict is Verdict.FAILED
    bad, good = report.findings
    assert (bad.verdict, bad.subject, bad.location) == (Verdict.FAILED, "model.shop.a", "models/a.sql")
    assert bad.summary == "Binder Error: no column x LINE 1: select x"
    assert (good.verdict, good.observed, good.limit) == (Verdict.PASSED, 1, 2)


def test_a_model_that_does_not_fit_dbts_contract_is_told_by_its_columns() -> None:
    message = (
        "Compilation Error in model a (models/a.sql)\n  This model has an enforced contract that failed.\n\n"
        "  | column_name | definition_type | contract_type | mismatch_reason    |\n"
        "  | ----------- | --------------- | ------------- | ------------------ |\n"
        "  | id          | BIGINT          | VARCHAR       | data type mismatch |\n"
    )
    finding = only(check(result("a", "error", message), changed=("a",)))
    assert finding.summary == "dbt's contract: id is BIGINT, the contract says VARCHAR"
    assert finding.evidence is not None
    assert finding.evidence.rows == (("id", "BIGINT", "VARCHAR"),)


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ((result("a", "skipped"),), "dbt skipped it, and says no reason"),
        ((result("a", "skipped", "Skipping\n  it was stopped"),), "dbt says: it was stopped"),
        ((), "dbt did not select it, and says no reason"),
        (
            (result("start-0", "error", "no table", kind="operation"),),
            "a hook that runs before all failed: start-0",
        ),
    ],
)
def test_one_that_was_left_out_is_not_a_yes(results: tuple[NodeResult, ...], reason: str) -> None:
    report = check(*results, changed=("a",))
    finding = report.findings[0]
    assert (finding.verdict, finding.subject) == (Verdict.INCONCLUSIVE, "model.shop.a")
    assert finding.summary == f"left out, because {reason}"


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ((result("p", "error", "x"), result("a", "skipped")), "p was not built"),
        ((result("a", "skipped"),), "p was not built"),
        (
            (
                result("p"),
                replace(result("t", "fail", kind="test"), parents=("model.shop.p",)),
                result("a", "skipped"),
            ),
            "a data test on what it reads did not hold: t",
        ),
    ],
)
def test_the_reason_is_what_it_reads(results: tuple[NodeResult, ...], reason: str) -> None:
    results = tuple(
        replace(item, parents=("model.shop.p",)) if item.short == "a" else item for item in results
    )
    found = [item for item in check(*results, changed=("p", "a")).findings if item.subject == "model.shop.a"]
    assert [item.summary for item in found] == [f"left out, because {reason}"]


@pytest.mark.parametrize("status", ["error", "fail", "partial success", "runtime error", "something new"])
def test_whatever_is_no_success_fails(status: str) -> None:
    assert check(result("a", status), changed=("a",)).verdict is Verdict.FAILED


def test_a_hook_that_failed_fails_the_release() -> None:
    report = check(result("a"), result("start-0", "error", "no such table", kind="operation"), changed=("a",))
    assert report.verdict is Verdict.FAILED
    assert [finding.check for finding in report.findings] == ["hook", "built"]
    assert report.findings[0].summary == "no such table"
    assert check(result("a"), result("start-0", kind="operation"), changed=("a",)).verdict is Verdict.PASSED


def test_a_file_that_is_missed_and_lies_where_dbt_was_called_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "dbt" / "seeds").mkdir(parents=True)
    (tmp_path / "dbt" / "seeds" / "x.csv").touch()
    change = Change("c", "t", "dbt", "Ada", datetime(2026, 1, 1, tzinfo=UTC), "s")
    missed = 'IO Error: No files found that match the pattern "./dbt/seeds/x.csv"'
    results = (
        result("start", "error", missed, kind="operation"),
        result("a", "error", missed.replace("x.", "y.")),
    )
    asked = Subject(
        ReleaseView(tmp_path / "dbt", {}, ("model.shop.a",), change=change),
        candidate=CandidateView(built=BuildOutcome(results, {}, reused=0)),
    )
    fixes = {item.subject: item.fix for item in ask_gate(Build(), asked).findings}
    assert fixes == {
        "operation.shop.start": "./dbt/seeds/x.csv is there from .. on: name the folder in which dbt is called in sluice.yml,"
        " working_directory",
        "model.shop.a": "",
    }
    moved = but(asked, working_directory=tmp_path)
    assert {item.fix for item in ask_gate(Build(), moved).findings} == {""}


def test_the_results_of_tests_are_not_looked_at() -> None:
    assert check(result("a"), result("t", "fail", kind="test"), changed=("a",)).verdict is Verdict.PASSED


def test_what_is_done_in_another_way_than_asked_warns() -> None:
    report = check(result("a"), changed=("a",), notes={"model.shop.a": "a view, served as a table"})
    assert report.verdict is Verdict.WARNED
    warned = report.findings[0]
    assert (warned.check, warned.subject, warned.summary) == (
        "as asked",
        "model.shop.a",
        "a view, served as a table",
    )


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("", "no message"),
        ("  \n\n", "no message"),
        ("only one", "only one"),
        ("head\n\n  what\n  more\n  less", "what more"),
    ],
)
def test_the_line_that_says_what_is_wrong(message: str, line: str) -> None:
    assert first_line(message) == line
