"""What became of nodes and data tests, as those who watch a run are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.runtime.events import GateJudged, NodeFate
from prefect_sluice.stages.candidate.outcomes import answered_tests, called, nodes_done, rows
from prefect_sluice.warehouse.duckdb.reader import DuckReader

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
BUILT = NodeResult(
    unique_id="model.p.orders",
    kind="model",
    status="success",
    message="OK",
    failures=None,
    seconds=0.21,
    relation="",
    parents=("source.p.raw.orders",),
    path="models/orders.sql",
    compiled="",
    severity="",
    started=AT - timedelta(seconds=2),
    ended=AT - timedelta(seconds=1),
)


@pytest.mark.parametrize(
    ("uid", "told"),
    [
        ("model.p.orders", "model orders"),
        ("model.p.orders.v2", "model orders.v2"),
        ("test.p.unique_orders_id.abc123", "test unique_orders_id"),
        ("odd", "odd"),
    ],
)
def test_a_node_is_called_as_people_call_it(uid: str, told: str) -> None:
    assert called(uid) == told


@pytest.mark.parametrize(
    ("result", "count", "fate", "message"),
    [
        (BUILT, 1234, NodeFate.BUILT, "1,234 rows in 0.21 s"),
        (BUILT, 1, NodeFate.BUILT, "1 row in 0.21 s"),
        (BUILT, None, NodeFate.BUILT, "0.21 s"),
        (replace(BUILT, status="error", message="Binder Error"), None, NodeFate.FAILED, "Binder Error"),
        (replace(BUILT, status="error", message=""), None, NodeFate.FAILED, "dbt gave no message"),
        (
            replace(BUILT, status="skipped", started=None, ended=None),
            None,
            NodeFate.SKIPPED,
            "not built, because something it reads failed",
        ),
        (replace(BUILT, kind="test", status="pass", message=""), None, NodeFate.PASSED, "holds"),
        (replace(BUILT, kind="test", status="warn", message="Got 2"), None, NodeFate.WARNED, "Got 2"),
        (
            replace(BUILT, started=None, ended=None, message="built for promotion a1, and taken from there"),
            None,
            NodeFate.BUILT,
            "built for promotion a1, and taken from there",
        ),
        (replace(BUILT, status="a word of tomorrow"), None, NodeFate.SKIPPED, "not built, because something it reads failed"),
    ],
)  # fmt: skip
def test_a_result_of_dbt_is_told(result: NodeResult, count: int | None, fate: NodeFate, message: str) -> None:
    counts = {} if count is None else {result.unique_id: count}
    (done,) = nodes_done([result], counts, AT)
    assert (done.fate, done.message, done.rows, done.name) == (fate, message, count, "orders")
    assert (done.started, done.ended) == (result.started or AT, result.ended or AT)


def test_rows_are_counted_for_tables_only() -> None:
    nodes = {
        f"model.p.{name}": Node(f"model.p.{name}", kind, Name("main", name), "", "sql", (), "")
        for name, kind in (
            ("a", NodeKind.TABLE),
            ("b", NodeKind.TABLE),
            ("gone", NodeKind.INCREMENTAL),
            ("v", NodeKind.VIEW),
        )
    }
    results = [replace(BUILT, unique_id=uid) for uid in nodes]
    with duckdb.connect() as connection:
        connection.execute("create table a as select 1; create table b as select range from range(7)")
        connection.execute("create view v as select 1; begin transaction")
        reader = DuckReader(connection, writes=False)
        assert rows(reader, nodes, results) == {"model.p.a": 1, "model.p.b": 7}


def test_tests_that_the_gate_asked_took_its_time() -> None:
    asked = tuple(
        DataTest(f"test.p.{name}.1", "", ("model.p.orders",), "models/s.yml")
        for name in ("one", "two", "lost")
    )
    findings = (
        Finding("data_tests", "one", Verdict.PASSED, "holds", ("model.p.orders",), location="models/s.yml"),
        Finding(
            "data_tests",
            "two",
            Verdict.FAILED,
            "1 row breaks it",
            ("model.p.orders",),
            location="models/s.yml",
        ),
    )
    judged = GateJudged(GateReport("data_tests", findings), AT, AT + timedelta(seconds=3), blocks=True)
    done = answered_tests(judged, asked)
    assert [(item.name, item.fate, item.message) for item in done] == [
        ("one", NodeFate.PASSED, "holds"),
        ("two", NodeFate.FAILED, "1 row breaks it"),
    ]
    assert {(item.started, item.ended) for item in done} == {(AT, AT + timedelta(seconds=3))}
