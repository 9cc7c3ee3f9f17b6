"""The gate `data_tests` where it asks the candidate itself: what it asks, shows, and says of relations without rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import BuildOutcome, CandidateView, ReleaseView, Subject, ask_gate
from prefect_sluice.gates.data_tests.gate import DataTests, Settings
from tests.gates.duck import DuckReader

MODEL = "model.shop.orders"


def data_test(name: str, sql: str, parents: tuple[str, ...] = (MODEL,)) -> DataTest:
    return DataTest(f"test.shop.{name}.0123456789", sql, parents, "models/schema.yml")


def check(
    *tests: DataTest,
    orders: str,
    live: str | None = None,
    settings: Settings | None = None,
    kind: NodeKind = NodeKind.TABLE,
) -> tuple[GateReport, list[str]]:
    """Ask the gate of a candidate that holds `orders`; return what it says, and what it asked."""
    with duckdb.connect() as connection:
        connection.execute(f"create table orders as {orders}")
        if live:
            connection.execute(f"create table live as {live}")
        reader = DuckReader(connection)
        node = Node(MODEL, kind, Name("main", "orders"), "", "sql", (), "f")
        subject = Subject(
            ReleaseView(Path(), {MODEL: node}, (MODEL,)),
            candidate=CandidateView(
                reader=reader,
                relations={MODEL: "orders"},
                live={} if live is None else {MODEL: "live"},
                built=BuildOutcome(tests=tests),
            ),
        )
        return ask_gate(DataTests(settings or Settings()), subject), reader.asked


NOT_NULL = data_test("not_null_id", 'select * from "main"."orders" where id is null')
IN_RANGE = data_test("in_range", 'select id from "main"."orders" where id not between 0 and 9')
TOTAL = data_test("total", "select sum(id) from orders having sum(id) > 100")
FULL = "select range as id from range(20)"
VOID = f"{FULL} where false"


def rows_of(report: GateReport) -> Finding:
    [finding] = [finding for finding in report.findings if finding.check == "rows"]
    return finding


@pytest.mark.parametrize("kind", [NodeKind.TABLE, NodeKind.VIEW])
def test_tests_of_one_relation_are_one_query(kind: NodeKind) -> None:
    """And of a view one scan: it is computed once."""
    report, asked = check(NOT_NULL, IN_RANGE, TOTAL, orders=FULL, kind=kind)
    [query] = [sql for sql in asked if sql.startswith("with counted")]
    assert query.count('"main"."orders"') == (1 if kind is NodeKind.VIEW else 2)
    assert [(item.check, item.verdict, item.observed) for item in report.findings] == [
        ("not_null_id", Verdict.PASSED, 0),
        ("in_range", Verdict.FAILED, 10),
        ("total", Verdict.FAILED, 1),
    ]


def test_rows_are_fetched_of_what_failed_only() -> None:
    _, asked = check(NOT_NULL, IN_RANGE, orders=FULL)
    fetched = [sql for sql in asked if "limit 100" in sql]
    assert len(fetched) == 1
    assert "not between" in fetched[0]


def test_numbers_are_those_that_decided() -> None:
    lenient = replace(IN_RANGE, error_if="> 15", warn_if=">= 11")
    [finding] = check(lenient, orders=FULL)[0].findings
    assert (finding.verdict, finding.observed, finding.limit) == (Verdict.PASSED, 10, 10)
    assert finding.summary == "holds: 10 rows break it, and that counts if >= 11"
    [finding] = check(replace(lenient, error_if="> 9"), orders=FULL)[0].findings
    assert (finding.verdict, finding.observed, finding.limit) == (Verdict.FAILED, 10, 9)
    [finding] = check(replace(lenient, warn_if="between 2 and 12"), orders=FULL)[0].findings
    assert (finding.verdict, finding.observed, finding.limit) == (Verdict.WARNED, 10, None)
    assert finding.evidence
    assert finding.evidence.total == 10


def test_one_broken_test_does_not_take_the_others_along() -> None:
    broken = data_test("broken", "select gone from orders where id = 1")
    report, _ = check(NOT_NULL, broken, IN_RANGE, orders=FULL)
    findings = {item.check: item for item in report.findings}
    assert {name: item.verdict for name, item in findings.items()} == {
        "not_null_id": Verdict.PASSED,
        "broken": Verdict.ERRORED,
        "in_range": Verdict.FAILED,
    }
    assert "gone" in findings["broken"].summary
    assert (findings["broken"].observed, findings["broken"].evidence) == (None, None)


@pytest.mark.parametrize(
    ("live", "verdict", "told"),
    [
        (None, Verdict.WARNED, "no rows: its 2 tests prove nothing"),
        (VOID, Verdict.WARNED, "no rows: its 2 tests prove nothing"),
        (FULL, Verdict.INCONCLUSIVE, "no rows: its 2 tests prove nothing, and what is served now has some"),
        ("", Verdict.INCONCLUSIVE, "whether what is served has any, cannot be read"),
    ],
    ids=["new", "was empty", "had rows", "unreadable"],
)
def test_tests_of_no_rows_hold_and_prove_nothing(live: str | None, verdict: Verdict, told: str) -> None:
    report, _ = check(NOT_NULL, IN_RANGE, orders=VOID, live=live)
    assert [item.verdict for item in report.findings[:2]] == [Verdict.PASSED, Verdict.PASSED]
    finding = rows_of(report)
    assert (finding.verdict, finding.subject, finding.observed) == (verdict, MODEL, 0)
    assert told in finding.summary
    assert report.verdict is verdict


@pytest.mark.parametrize(
    ("glob", "verdict"),
    [("ord*", Verdict.PASSED), ("model.shop.*", Verdict.PASSED), ("o", Verdict.INCONCLUSIVE)],
)
def test_a_relation_that_may_be_empty_is_named(glob: str, verdict: Verdict) -> None:
    report, _ = check(NOT_NULL, orders=VOID, live=FULL, settings=Settings(allow_empty=(glob,)))
    assert rows_of(report).verdict is verdict


def test_tests_without_a_candidate_are_no_yes() -> None:
    report = ask_gate(
        DataTests(),
        Subject(ReleaseView(Path(), {}, ()), candidate=CandidateView(built=BuildOutcome(tests=(NOT_NULL,)))),
    )
    assert report.verdict is Verdict.ERRORED
