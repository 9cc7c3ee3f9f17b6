"""The gate `anomalies` on real rows: quiet nights pass, faults are stopped, and what cannot be told never passes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.anomalies.gate import Anomalies, Settings
from prefect_sluice.gates.anomalies.measure import RelationNumbers, profile, time_column
from prefect_sluice.gates.base import (
    CandidateView,
    Gate,
    PastMeasure,
    ReleaseView,
    Subject,
    ToolsView,
    ask_gate,
    views,
)
from prefect_sluice.warehouse.base import Column
from prefect_sluice.warehouse.duckdb.functions import DUCKDB
from tests.gates.duck import DuckReader

PASSED, WARNED, FAILED = Verdict.PASSED, Verdict.WARNED, Verdict.FAILED
UID = "model.flights.t"
NODE = Node(UID, NodeKind.INCREMENTAL, Name("main", "t"), "models/t.sql", "sql", (), "f1", unique_key=("id",))
START = datetime(2026, 3, 2, 4, tzinfo=UTC)
NIGHT = """
    select row_number() over () + {before} as id, timestamp '{day}' + interval (range % 20) hour as event_time,
        (50 + 20 * (hash(range + {night}) % 1000) / 1000.0)::double as amount,
        case when hash(range * 7 + {night}) % 100 < 2 then null else 'c' || (hash(range * 3 + {night}) % 6) end as "the kind",
        hash(range + 5 * {night}) % 2 = 0 as flag, range % 50 as place
    from range({rows})
"""


class Nights:
    """A relation that gets some rows every night, and what the gate measured of the nights that were served."""

    def __init__(self, node: Node = NODE) -> None:
        self.node, self.count = node, 0
        self.kept: list[tuple[datetime, dict[tuple[str, str], float]]] = []
        self.duck = DuckReader(duckdb.connect())
        self.duck.connection.execute(f"create table live as {self._rows(0)} limit 0")
        self.duck.connection.execute("create table t as from live")
        self._rng = random.Random(7)

    def _rows(self, rows: int) -> str:
        day = START + timedelta(days=self.count - 1)
        return NIGHT.format(
            rows=rows, night=self.count * 1000, day=f"{day:%Y-%m-%d}", before=self.count * 10_000
        )

    @property
    def now(self) -> datetime:
        return START + timedelta(days=self.count)

    def of(self, subject: str, metric: str) -> Sequence[PastMeasure]:
        """See History."""
        return [
            PastMeasure(found[subject, metric], at, "p")
            for at, found in self.kept
            if (subject, metric) in found
        ]

    def night(self, *changes: str, rows: int | None = None, **settings: Any) -> GateReport:
        """Build the night, with `changes` made to its new rows, and ask the gate."""
        self.count += 1
        run = self.duck.connection.execute
        run(
            f"create or replace table new as {self._rows(self._rng.randint(940, 1060) if rows is None else rows)}"
        )
        for change in changes:
            run(change)
        run("create or replace table t as select * from live union all by name select * from new")
        self.duck.asked.clear()
        return self.ask(**settings)

    def ask(self, cause: Cause = Cause.REFRESH, **settings: Any) -> GateReport:
        subject = Subject(
            ReleaseView(Path(), {UID: self.node}, (UID,), cause=cause),
            candidate=CandidateView(reader=self.duck, relations={UID: "t"}, live={UID: "live"}),
            tools=ToolsView(history=self),
        )
        return ask_gate(Anomalies(Settings(**settings), now=lambda: self.now), subject)

    def serve(self, report: GateReport) -> None:
        self.kept.insert(0, (self.now, {(item.subject, item.metric): item.value for item in report.measures}))
        self.duck.connection.execute("create or replace table live as from t")


@pytest.fixture
def nights() -> Nights:
    """Ten quiet nights that were served."""
    found = Nights()
    for _ in range(10):
        found.serve(found.night())
    return found


def only(report: GateReport) -> Finding:
    [finding] = report.findings
    return finding


def checks(report: GateReport) -> set[str]:
    return {finding.check for finding in report.findings if finding.verdict is FAILED}


def test_is_a_gate() -> None:
    gate: Gate = Anomalies()
    assert (gate.id, views(gate)) == ("anomalies", ("release", "candidate", "tools"))


def test_only_a_refresh_is_looked_at() -> None:
    assert Nights().ask(Cause.RELEASE).not_applicable == "only what a refresh brings is looked at"
    assert Nights().ask(Cause.RELEASE).measures == ()


def test_the_first_nights_are_measured_and_not_judged() -> None:
    found = Nights()
    for _ in range(8):
        report = found.night()
        assert report.not_applicable == "no relation here has 8 earlier refreshes to compare with"
        assert report.measures
        found.serve(report)
    assert found.night().verdict is PASSED


def test_a_quiet_night_passes_in_one_aggregate_query(nights: Nights) -> None:
    finding = only(nights.night())
    assert (finding.check, finding.verdict) == ("usual", PASSED)
    assert "numbers, all as in 10 refreshes before" in finding.summary
    assert len(nights.duck.asked) == 1


HALF = "delete from new where id % 2 = 0"
FAULTS: dict[str, tuple[str, str, str]] = {
    "half of the rows": ("delete from new where hash(id) % 2 = 0", "rows", "new rows, usually"),
    "missing ten times as often": (
        'update new set "the kind" = null where hash(id) % 5 = 0',
        "missing",
        "of column the kind is missing, usually at most",
    ),
    "a stuck number": (
        "update new set place = 7",
        "distinct",
        "column place has about 1 different value, usually ",
    ),
    "a unit": ("update new set amount = amount * 100", "mean", "the mean of column amount is"),
    "a part of a unit": (
        "update new set amount = amount * 100 where hash(id) % 5 = 0",
        "mean",
        "mean of column amount",
    ),
    "NaN": ("update new set amount = 'nan' where hash(id) % 5 = 0", "missing", "of column amount is missing"),
    "infinite": ("update new set amount = '-inf'", "missing", "100.00 % of column amount is missing"),
    "all missing": ("update new set amount = null", "missing", "100.00 % of column amount is missing"),
    "other names": (
        'update new set "the kind" = upper("the kind")',
        "shape",
        "of column the kind is distributed in another way",
    ),
    "a value is gone": ("delete from new where \"the kind\" in ('c1', 'c2')", "shape", "of column the kind"),
    "always true": ("update new set flag = true", "shape", "of column flag is distributed in another way"),
    "the day is missing": ("delete from new", "rows", "0 new rows, usually"),
    "late": ("update new set event_time = event_time - interval 20 hour", "age", "its newest row is"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_stopped(nights: Nights, fault: str) -> None:
    change, check, told = FAULTS[fault]
    report = nights.night(change)
    assert report.verdict is FAILED
    assert check in checks(report)
    [summary] = [one.summary for one in report.findings if one.check == check and told in one.summary]
    assert summary.endswith("(10 refreshes)")
    assert all(one.fix and one.evidence and one.evidence.total == 11 for one in report.findings)


def test_a_new_distribution_is_shown_value_by_value(nights: Nights) -> None:
    report = nights.night(*(FAULTS["other names"][:1]))
    [finding] = [one for one in report.findings if one.check == "shape"]
    [values] = finding.more
    assert values.columns == ("the kind", "now", "served")
    assert values.bars == ("now", "served")
    now = {row[0]: row[1] for row in values.rows}
    assert now["c1"] == "0.0000"
    assert float(now["C1"] or 0) > 0.1


def test_what_was_let_pass_is_usual_from_then_on(nights: Nights) -> None:
    """A fault that people let pass does not stop the next twenty nights, too."""
    change = "update new set amount = amount * 100"
    nights.serve(nights.night(change))
    assert nights.night(change).verdict is PASSED


def test_what_was_refused_is_no_history(nights: Nights) -> None:
    assert nights.night(HALF).verdict is FAILED
    assert nights.ask().verdict is FAILED


def test_an_empty_relation_fails_and_never_passes(nights: Nights) -> None:
    run = nights.duck.connection.execute
    run("delete from t")
    finding = only(nights.ask())
    assert (finding.check, finding.verdict) == ("empty", FAILED)
    served = run("select count(*) from live").fetchall()[0][0]
    assert finding.summary == f"t: has no rows; {served:,} are served"


def test_no_new_rows_where_that_happens_warns() -> None:
    found = Nights()
    for night in range(10):
        found.serve(found.night(rows=night % 2))
    assert found.night(rows=0).verdict is WARNED


def test_a_table_is_looked_at_as_a_whole() -> None:
    found = Nights(replace(NODE, kind=NodeKind.TABLE))
    for _ in range(10):
        found.serve(found.night())
    assert found.night().verdict is PASSED
    report = found.night(HALF, "delete from live where hash(id) % 2 = 0")
    assert "rows" in checks(report)


def test_a_relation_that_was_not_built_or_cannot_be_read_never_passes(nights: Nights) -> None:
    nights.duck.connection.execute("drop table t")
    assert only(nights.ask()).verdict is Verdict.ERRORED
    subject = Subject(
        ReleaseView(Path(), {UID: NODE}, (UID,), cause=Cause.REFRESH),
        candidate=CandidateView(reader=nights.duck, live={UID: "live"}),
        tools=ToolsView(history=nights),
    )
    assert only(ask_gate(Anomalies(), subject)).verdict is Verdict.INCONCLUSIVE


def test_it_does_not_apply_where_an_engine_cannot_be_measured(nights: Nights) -> None:
    nights.duck.dialect = "oracle"
    report = nights.ask()
    assert report.not_applicable == "how rows are measured in the SQL of 'oracle' is not known"
    assert not report.findings
    assert not report.measures


def test_columns_are_ignored_and_times_are_named(nights: Nights) -> None:
    change = "update new set amount = amount * 100"
    assert nights.night(change, ignore={"t": ("AMOUNT",)}).verdict is PASSED
    wrong = only(nights.ask(time={"t": "amount"}))
    assert (wrong.verdict, "has no column 'amount' of a time type" in wrong.summary) == (
        Verdict.ERRORED,
        True,
    )


# ---- what is measured ----------------------------------------------------------------------------------


def measured(sql: str, node: Node = NODE, live: str = "", **more: Any) -> RelationNumbers:
    connection = duckdb.connect()
    connection.execute(f"create table new as {sql}")
    connection.execute(f"create table live as {live or f'select * from ({sql}) limit 0'}")
    return profile(DuckReader(connection), node, "new", "live", START, **more)


@pytest.mark.parametrize(
    "kind",
    ["UTINYINT", "HUGEINT", "UHUGEINT", "DECIMAL(18, 3)", "FLOAT", "VARCHAR", "BLOB", "INTERVAL", "UUID", "INTEGER[]", "TIME",
     "STRUCT(a INTEGER)", "MAP(INTEGER, INTEGER)", "ENUM('a')", "BIT", "JSON", "TIMESTAMP WITH TIME ZONE", "DATE", "BOOLEAN"],
)  # fmt: skip
def test_every_type_can_be_measured(kind: str) -> None:
    found = measured(f'select null::{kind} as "a ""b""" from range(3)')
    assert found.numbers['new missing a "b"' if found.part.column else 'missing a "b"'] == 1
    assert not any(name.startswith("mean") for name in found.numbers)


def test_new_rows_are_those_beyond_what_is_served() -> None:
    sql = "select range as id, range::double as x from range(10)"
    found = measured(sql, live="select range as id, range::double as x from range(6)")
    assert (found.part.column, found.rows, found.numbers["rows new"], found.numbers["rows added"]) == (
        "id",
        4,
        4,
        4,
    )
    assert found.numbers["new mean x"] == 7.5
    whole = measured(sql, replace(NODE, kind=NodeKind.TABLE), "select 1 as id, 1.0::double as x")
    assert (whole.rows, whole.numbers["rows"], whole.numbers["rows added"]) == (10, 10, 9)


def test_a_time_with_a_zone_is_a_moment() -> None:
    sql = "select 1 as id, timestamptz '2026-03-02 05:00:00+02' as loaded_at"
    assert measured(sql).numbers["age"] == 1
    assert measured(sql.replace("timestamptz", "timestamp").replace("+02", "")).numbers["age"] == -1
    assert "age" not in measured(sql, time="").numbers


def test_huge_values_do_not_break_the_query() -> None:
    found = measured("select unnest([1.7e308, 1.7e308, 'nan'::double, 'inf'::double]) as x, 1 as id")
    assert found.numbers["new missing x" if found.part.column else "missing x"] == 0.5


def test_the_surest_time_is_taken() -> None:
    columns = [Column(name, "TIMESTAMP") for name in ("created_at", "Event_Time", "born", "dbt_valid_from")]
    assert time_column(DUCKDB, NODE, columns, None) == "Event_Time"
    assert time_column(DUCKDB, replace(NODE, kind=NodeKind.SNAPSHOT), columns, None) == "dbt_valid_from"
    assert time_column(DUCKDB, NODE, columns, "BORN") == "born"
    assert time_column(DUCKDB, NODE, columns[2:3], None) == ""
