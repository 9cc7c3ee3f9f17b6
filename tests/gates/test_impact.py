"""The gate `impact`: whom a change reaches, on relations as they are in DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.domain.declarations import Consumer, Declarations
from prefect_sluice.domain.generation import Cause, Pointer
from prefect_sluice.domain.node import FingerprintParts, Name, Node, NodeKind
from prefect_sluice.domain.verdict import Evidence, GateReport, Verdict
from prefect_sluice.gates import run
from prefect_sluice.gates.base import (
    CandidateView,
    DeclarationsView,
    Gate,
    ReleaseView,
    Subject,
    ask_gate,
    views,
)
from prefect_sluice.gates.impact.gate import Impact, Settings
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason
from tests.gates.duck import DuckReader
from tests.gates.views import but

UID = "model.shop.totals"
BOARD = Consumer(
    "exposure.shop.board", "board", label="Board", owner="Ops", path="models/x.yml", parents=(UID,)
)
ROWS = FingerprintParts("w1", rows="r", columns={"id": "i", "total": "t", "late": "l"})
BEFORE = "SELECT 1 AS id, 2::BIGINT AS total, 3 AS late"
NODE = Node(UID, NodeKind.TABLE, Name("main", "totals"), "models/totals.sql", "sql", (), "f")


def subject(after: str | None, *, now: FingerprintParts = ROWS, action: Action = Action.BUILD) -> Subject:
    """Return what the gate is asked with: `after` is the query of the new relation, None where it was not built."""
    duck = DuckReader(duckdb.connect())
    duck.connection.execute(f"CREATE TABLE live AS {BEFORE}")
    if after:
        duck.connection.execute(f"CREATE TABLE totals AS {after}")
    changed = action is Action.BUILD
    step = Step(
        action,
        UID,
        NODE.name,
        NodeKind.TABLE,
        Reason(Because.OWN_CODE if changed else Because.UNCHANGED),
        "f",
        "x",
    )
    plan = Plan("dev", Cause.RELEASE, "r2", 1, "r1", (step,), (), (), NotesBefore({}, {}, makeup={UID: now}))
    return Subject(
        ReleaseView(Path(), {UID: NODE}, (UID,) if changed else (), plan=plan),
        candidate=CandidateView(
            reader=duck,
            relations={UID: "totals"} if after and changed else {},
            live={UID: "live"} if changed else {},
            served={UID: Pointer(NODE.name, Name("s", "t1"), UID, NodeKind.TABLE, "f", "x")},
            noted=NotesBefore({}, {}, makeup={UID: ROWS}),
        ),
        declarations=DeclarationsView(now=Declarations({BOARD.unique_id: BOARD}), before=Declarations()),
    )


def declaring(given: Subject, now: Consumer | None, before: Consumer | None = None) -> Subject:
    sides = [Declarations({one.unique_id: one} if one else {}) for one in (now, before)]
    return but(given, now=sides[0], before=sides[1])


def reading(*columns: str) -> Consumer:
    return replace(BOARD, columns={UID: columns})


def findings(report: GateReport) -> Mapping[Verdict, str]:
    return {finding.verdict: finding.summary for finding in report.findings}


def test_is_a_gate() -> None:
    gate: Gate = Impact()
    assert (gate.id, views(gate)) == ("impact", ("release", "candidate", "declarations"))


CHANGED = replace(ROWS, whole="w2", columns={**ROWS.columns, "total": "other"})


def test_yes_and_who_is_reached() -> None:
    report = ask_gate(Impact(), subject(BEFORE.replace("2::", "5::"), now=CHANGED))
    [finding] = report.findings
    assert (finding.verdict, finding.summary) == (Verdict.PASSED, "Board (Ops): totals: total changes")
    assert (finding.subject, finding.location) == (BOARD.unique_id, "models/x.yml")
    assert finding.evidence == Evidence(
        ("relation", "column", "change"), (("totals", "total", "computed otherwise"),), 1
    )


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ("SELECT 1 AS id, 2::BIGINT AS total", "late is dropped"),
        ("SELECT 1 AS id, 2::BIGINT AS total, 3 AS tardy", "late is dropped (renamed to tardy?)"),
        (BEFORE.replace("BIGINT", "INTEGER"), "total is INTEGER, was BIGINT: narrowed"),
        (BEFORE.replace("3 AS", "'3' AS"), "late is VARCHAR, was INTEGER"),
    ],
)
def test_no_to_what_breaks_a_consumer(after: str, said: str) -> None:
    [finding] = ask_gate(Impact(), subject(after)).findings
    assert finding.verdict is Verdict.FAILED
    assert finding.summary == f"Board (Ops) would break: totals: {said}"
    assert (finding.subject, finding.check) == (UID, "board")
    assert "meta.sluice.columns" in finding.fix


def test_what_is_meant_is_let_pass_by_relation_and_consumer() -> None:
    own = Settings.model_validate(
        {"except": [{"node": "totals", "check": "board", "reason": "agreed with Ops", "until": "2026-12-24"}]}
    )
    given = subject("SELECT 1 AS id, 2::BIGINT AS total")
    assert run(Impact(), given, {"impact": own}, today=date(2026, 12, 24)).verdict is Verdict.WARNED
    assert run(Impact(), given, {"impact": own}, today=date(2026, 12, 25)).verdict is Verdict.FAILED


def test_what_is_wider_only_passes() -> None:
    report = ask_gate(Impact(), subject(BEFORE.replace("BIGINT", "HUGEINT")))
    assert findings(report) == {
        Verdict.PASSED: "Board (Ops): totals: total is HUGEINT, was BIGINT: every value fits"
    }


def test_a_dropped_column_that_nobody_reads_is_no_matter() -> None:
    after = "SELECT 1 AS id, 2::BIGINT AS total"
    report = ask_gate(Impact(), declaring(subject(after), reading("id", "total")))
    assert findings(report) == {Verdict.PASSED: "nothing changes for the one consumer declared"}


@pytest.mark.parametrize(
    ("now", "said"), [(reading("id"), "no longer declared to read it"), (None, "no longer declared at all")]
)
def test_to_take_it_off_what_a_consumer_reads_is_to_declare_it(now: Consumer | None, said: str) -> None:
    report = ask_gate(Impact(), declaring(subject("SELECT 1 AS id, 2::BIGINT AS total"), now, BOARD))
    assert report.verdict is Verdict.WARNED
    assert f"Board (Ops) is {said}: totals: late is dropped" in findings(report)[Verdict.WARNED]


def test_what_was_not_built_cannot_be_told() -> None:
    [finding] = ask_gate(Impact(), subject(None, now=replace(ROWS, whole="w2", rows="others"))).findings
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.summary == "what changes for Board (Ops) is not known: totals was not built"


def test_a_column_that_is_nowhere_is_a_mistake() -> None:
    report = ask_gate(Impact(), declaring(subject(BEFORE), reading("id", "lates")))
    told = "Board (Ops) says that it reads lates of totals, which has no such column"
    assert findings(report)[Verdict.WARNED] == told
    unchanged = subject(BEFORE, action=Action.REUSE)
    assert findings(ask_gate(Impact(), declaring(unchanged, reading("lates"))))[Verdict.WARNED] == told


def test_a_relation_that_is_nowhere_is_a_mistake() -> None:
    lost = replace(BOARD, columns={"totes": ("id",)})
    [finding] = ask_gate(Impact(), declaring(subject(BEFORE), lost)).findings
    assert finding.summary == (
        "Board (Ops) says that it reads totes, and no relation of the project bears that name"
    )


def test_columns_of_a_source_are_not_ours_to_know() -> None:
    source = replace(BOARD, parents=("source.shop.raw.x",), columns={"source.shop.raw.x": ("id",)})
    assert ask_gate(Impact(), declaring(subject(BEFORE), source)).verdict is Verdict.PASSED


def test_with_nobody_or_nothing_it_does_not_apply() -> None:
    assert "no consumers" in ask_gate(Impact(), declaring(subject(BEFORE), None)).not_applicable
    first = but(subject(BEFORE), served={})
    assert "nothing is served" in ask_gate(Impact(), first).not_applicable


@pytest.mark.parametrize("now", [BOARD, None])
def test_what_serves_and_is_not_known_may_have_had_consumers(now: Consumer | None) -> None:
    """A first release stays what it is: nobody reads anything yet."""
    unknown = but(declaring(subject(BEFORE), now), before=None)
    report = ask_gate(Impact(), unknown)
    told = (
        "nothing is known of what release r1, which serves, declared: "
        "a consumer that this change takes off what it reads, or no longer declares, would not be seen"
    )
    assert report.verdict is Verdict.INCONCLUSIVE
    assert (report.findings[0].check, report.findings[0].summary) == ("before", told)
    assert unknown.release.plan is not None
    first = but(unknown, served={}, plan=replace(unknown.release.plan, base_release=""))
    assert ask_gate(Impact(), first).not_applicable


def test_what_somebody_dropped_is_built_anew_and_no_riddle() -> None:
    dropped = but(subject(BEFORE, now=CHANGED), live={})
    assert ask_gate(Impact(), dropped).verdict is Verdict.PASSED
