"""The gates `unit_tests` and `data_tests`: dbt's own answers as findings, with the rows that broke them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Finding, GateReport, Verdict
from prefect_sluice.gates.base import (
    BuildOutcome,
    CandidateView,
    Gate,
    ReleaseView,
    Subject,
    ToolsView,
    UnitResults,
    ask_gate,
    views,
)
from prefect_sluice.gates.data_tests.gate import DataTests
from prefect_sluice.gates.unit_tests.gate import UnitTests
from tests.gates.duck import DuckReader

MODEL = "model.shop.orders"


def data_test(status: str, failures: int | None = 0, message: str = "", relation: str = "") -> NodeResult:
    return NodeResult(
        unique_id="test.shop.unique_orders_id.0123456789", kind="test", status=status, message=message, failures=failures,
        seconds=0.1, relation=relation, parents=(MODEL,), path="models/schema.yml", compiled="", severity="error",
    )  # fmt: skip


def unit_test(status: str, message: str = "") -> NodeResult:
    return NodeResult(
        unique_id="unit_test.shop.orders.adds_up", kind="unit_test", status=status, message=message, failures=None,
        seconds=0.1, relation="", parents=(MODEL, "seed.shop.x"), path="models/schema.yml", compiled="", severity="",
    )  # fmt: skip


def check(*results: NodeResult, rows: int = 0) -> GateReport:
    """Ask the gate of data tests; the failing rows stand in `audit.bad`."""
    with duckdb.connect() as connection:
        connection.execute("create schema audit")
        connection.execute(
            f"create table audit.bad as select v as id, null as gap, date '2026-03-01' as day from range({rows}) t(v)"
        )
        subject = Subject(
            ReleaseView(Path(), {}, (MODEL,)),
            candidate=CandidateView(reader=DuckReader(connection), built=BuildOutcome(results)),
        )
        return ask_gate(DataTests(), subject)


def check_units(*results: NodeResult, expected: int, unbuilt: Mapping[str, str] | None = None) -> GateReport:
    models = {result.unique_id: MODEL for result in results}
    asked = UnitResults(results, expected, models, unbuilt or {})
    return ask_gate(
        UnitTests(), Subject(ReleaseView(Path(), {}, (MODEL,)), tools=ToolsView(unit_tests=lambda: asked))
    )


def only(report: GateReport) -> Finding:
    assert len(report.findings) == 1
    return report.findings[0]


# ---- data tests ----------------------------------------------------------------------------------------


def test_when_they_look() -> None:
    data, unit = DataTests(), UnitTests()
    gates: tuple[Gate, ...] = (data, unit)
    assert [(gate.id, views(gate)) for gate in gates] == [
        ("data_tests", ("release", "candidate")),
        ("unit_tests", ("tools",)),
    ]


def test_a_data_test_that_holds() -> None:
    finding = only(check(data_test("pass")))
    assert (finding.verdict, finding.summary, finding.observed, finding.limit) == (
        Verdict.PASSED,
        "holds",
        0,
        0,
    )
    assert (finding.check, finding.subject, finding.location) == (
        "unique_orders_id",
        MODEL,
        "models/schema.yml",
    )
    assert finding.evidence is None


@pytest.mark.parametrize(("status", "verdict"), [("fail", Verdict.FAILED), ("warn", Verdict.WARNED)])
def test_a_data_test_that_is_broken_shows_the_rows(status: str, verdict: Verdict) -> None:
    finding = only(check(data_test(status, 2, relation='"audit"."bad"'), rows=2))
    assert (finding.verdict, finding.summary, finding.observed, finding.limit) == (
        verdict,
        "2 rows break it",
        2,
        0,
    )
    assert finding.evidence is not None
    assert finding.evidence.columns == ("id", "gap", "day")
    assert finding.evidence.rows == (("0", None, "2026-03-01"), ("1", None, "2026-03-01"))
    assert finding.evidence.total == 2


def test_one_row_is_one_row() -> None:
    assert only(check(data_test("fail", 1))).summary == "1 row breaks it"


def test_of_many_rows_some_are_kept_and_all_are_counted() -> None:
    finding = only(check(data_test("fail", 5000, relation='"audit"."bad"'), rows=5000))
    assert finding.evidence is not None
    assert (len(finding.evidence.rows), finding.evidence.total) == (EVIDENCE_ROWS, 5000)


@pytest.mark.parametrize("relation", ["", '"audit"."gone"'])
def test_rows_that_cannot_be_read_do_not_hide_the_no(relation: str) -> None:
    finding = only(check(data_test("fail", 3, relation=relation)))
    assert (finding.verdict, finding.observed, finding.evidence) == (Verdict.FAILED, 3, None)


@pytest.mark.parametrize(
    ("status", "verdict", "told"),
    [
        ("error", Verdict.ERRORED, "Binder Error: no column x"),
        ("runtime error", Verdict.ERRORED, "Binder Error: no column x"),
        ("skipped", Verdict.INCONCLUSIVE, "did not run, because something it reads failed"),
        ("something new", Verdict.INCONCLUSIVE, "Binder Error: no column x"),
    ],
)
def test_one_that_did_not_run_is_not_a_yes(status: str, verdict: Verdict, told: str) -> None:
    finding = only(check(data_test(status, None, "Runtime Error in test\n  Binder Error: no column x")))
    assert (finding.verdict, finding.summary) == (verdict, told)
    assert (finding.observed, finding.limit) == (None, None)


def test_without_data_tests_there_is_nothing_to_look_at() -> None:
    report = check(unit_test("pass"))
    assert (report.findings, report.not_applicable) == ((), "no data test looks at what changed")


# ---- unit tests ----------------------------------------------------------------------------------------


def test_a_unit_test_that_passes() -> None:
    finding = only(check_units(unit_test("pass"), expected=1))
    assert (finding.verdict, finding.summary, finding.subject) == (Verdict.PASSED, "as expected", MODEL)
    assert finding.evidence is None


COMPARED = '''\
actual differs from expected:

@@ ,id ,a b
...,...,...
   ,7  ,NULL
→  ,1  ,"x ""q""→x,""r"""
+++,9  ,"new
line"
---,8  ,Decimal('1.0')
'''


def test_a_unit_test_that_fails_shows_the_rows_side_by_side() -> None:
    finding = only(check_units(unit_test("fail", COMPARED), expected=1))
    assert finding.summary == "actual differs from expected in 2 rows"
    assert (finding.verdict, finding.observed, finding.limit) == (Verdict.FAILED, 2, 0)
    assert finding.evidence is not None
    assert finding.evidence.columns == ("row", "id", "a b")
    assert finding.evidence.rows == (
        ("both", "7", None),
        ("expected", "1", 'x "q"'),
        ("actual", "1", 'x,"r"'),
        ("actual", "9", "new\nline"),
        ("expected", "8", "1.0"),
    )


@pytest.mark.parametrize(
    "table",
    [
        "@@ ,id\n→  ,a→b→c",  # where does the old value end?
        "@@ ,id\n!  ,+++",
        "@@ ,id\n+++,1,2",
        '@@ ,id\n+++,"open',
        "@@ ,id",
    ],
)
def test_a_comparison_that_cannot_be_read_stays_text(table: str) -> None:
    finding = only(check_units(unit_test("fail", f"actual differs from expected:\n\n{table}"), expected=1))
    assert (finding.verdict, finding.evidence and finding.evidence.columns) == (Verdict.FAILED, ("output",))


LACKING = "Compilation Error\n  Not able to get columns for unit test 'x' from relation y"


def test_what_cannot_be_built_is_told_once_and_hides_no_other_break() -> None:
    other = replace(
        unit_test("error", "Compilation Error\n  no model x"), unique_id="unit_test.shop.orders.b"
    )
    results = (
        unit_test("error", LACKING),
        replace(unit_test("error", LACKING), unique_id="unit_test.shop.o.a"),
        other,
    )
    report = check_units(*results, expected=3, unbuilt={"model.shop.x": "Runtime Error\n  no table raw.x"})
    assert [(f.verdict, f.summary) for f in report.findings] == [
        (Verdict.ERRORED, "no model x"),
        (Verdict.INCONCLUSIVE, "2 unit tests cannot run, because x cannot be built: no table raw.x"),
    ]
    assert only(check_units(results[0], expected=1)).verdict is Verdict.ERRORED


@pytest.mark.parametrize(
    ("actual", "verdict"),
    [("0.30000000000000004", Verdict.PASSED), ("0.3000001", Verdict.FAILED), ("NULL", Verdict.FAILED)],
)
def test_the_last_digits_of_a_float_are_as_expected(actual: str, verdict: Verdict) -> None:
    rows = (
        f"@@ ,id,s                      ,d\n→  ,1 ,0.3→{actual},0.300\n   ,2 ,3.0                    ,3.000"
    )
    finding = only(check_units(unit_test("fail", rows), expected=1))
    assert finding.verdict is verdict
    assert ("as expected, but for the last digits of s" in finding.summary) == (verdict is Verdict.PASSED)


def test_whole_numbers_of_many_digits_are_ids_and_no_floats() -> None:
    rows = "@@ ,id\n→  ,9007199254740993→9007199254740992\n   ,1"
    assert only(check_units(unit_test("fail", rows), expected=1)).verdict is Verdict.FAILED


def test_a_unit_test_that_fails_shows_what_dbt_said() -> None:
    finding = only(
        check_units(unit_test("fail", "actual differs from expected:\n\n| id |\n| 1 → 2 |"), expected=1)
    )
    assert (finding.verdict, finding.summary) == (Verdict.FAILED, "actual differs from expected")
    assert finding.evidence is not None
    assert finding.evidence.rows == (("actual differs from expected:",), ("| id |",), ("| 1 → 2 |",))


def test_a_unit_test_that_broke() -> None:
    finding = only(check_units(unit_test("error", "Compilation Error\n  no model x"), expected=1))
    assert (finding.verdict, finding.summary) == (Verdict.ERRORED, "no model x")


def test_one_that_is_missing_is_noticed() -> None:
    report = check_units(unit_test("pass"), expected=3)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.findings[1].summary == "2 unit tests did not run"


def test_without_unit_tests_there_is_nothing_to_look_at() -> None:
    report = check_units(expected=0)
    assert (report.findings, report.not_applicable) == ((), "no unit test looks at what changed")
