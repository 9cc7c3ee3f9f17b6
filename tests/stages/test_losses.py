"""Rows that go from what keeps history: Stage stops them, whatever the gate `diff` is set to, unless a commit says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.domain.declarations import CodeText, Declarations
from prefect_sluice.domain.generation import Cause, Pointer
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.gates.base import CandidateView, DeclarationsView, ReleaseView, Subject
from prefect_sluice.gates.diff.comparison import ComparisonSettings
from prefect_sluice.planning.expectations import from_message
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Note, Noted, Reason
from prefect_sluice.stages.candidate import losses
from tests.gates.duck import DuckReader

UID, T = "model.shop.t", Name("main", "t")
BEFORE = "SELECT range AS id, 0 AS n, range AS dbt_valid_from FROM range(100)"
GONE = f"{BEFORE} WHERE range < 98"
HOOK = Declarations(code=(CodeText("operation.shop.end", "on-run-end", "delete from main.t where id > 97"),))


def judged(
    action: Action,
    kind: NodeKind = NodeKind.SNAPSHOT,
    *lines: str,
    before: str = BEFORE,
    after: str = GONE,
    was: str = "old",
    note: Note | None = None,
    hooks: tuple[Declarations, Declarations] = (Declarations(), Declarations()),
    key: tuple[str, ...] = ("id",),
    dialect: str = "duckdb",
    live: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """Return what is said of a relation that was built by the code `was` (of now: "new"), and is made anew or carried over."""
    duck = DuckReader(duckdb.connect())
    duck.connection.execute(f"CREATE TABLE before AS {before}")
    duck.connection.execute(f"CREATE TABLE after AS {after}")
    duck.dialect = dialect
    past = Pointer(T, Name("store", "t__1"), UID, kind, was, "")
    step = Step(action, UID, T, kind, Reason(Because.OWN_CODE), "new", pointer=past, note=note)
    plan = Plan("dev", Cause.RELEASE, "r", 1, "b", (step,), (), (), NotesBefore({}, {}))
    subject = Subject(
        ReleaseView(
            Path(),
            {UID: Node(UID, kind, T, "models/t.sql", "sql", (), "new", unique_key=key)},
            (UID,),
            plan=plan,
        ),
        candidate=CandidateView(
            reader=duck,
            relations={UID: "after"},
            live={UID: "before"} if live is None else live,
            served={UID: past},
        ),
        declarations=DeclarationsView(
            now=hooks[0],
            before=hooks[1],
            expected=lambda: from_message("1a2b3c4", "\n".join(["Change it", "", *lines])),
        ),
    )
    return tuple(
        finding for report in losses.report(subject, ComparisonSettings()) for finding in report.findings
    )


@pytest.mark.parametrize(
    ("action", "kind", "note"),
    [
        (Action.BUILD, NodeKind.INCREMENTAL, None),
        (Action.CARRY, NodeKind.INCREMENTAL, Note(Noted.FORWARD_ONLY)),
        (Action.CARRY, NodeKind.SNAPSHOT, None),
    ],
)
def test_rows_that_other_code_takes_from_a_history_stop_it_until_a_commit_says_so(
    action: Action, kind: NodeKind, note: Note | None
) -> None:
    [finding] = judged(action, kind, note=note)
    assert (finding.verdict, finding.subject) == (Verdict.FAILED, UID)
    assert finding.summary == "t: 2 of 100 rows go from what keeps history, and no commit says so"
    assert finding.fix.endswith("Expect: t rows up to 2%")
    assert finding.evidence is not None
    assert [row[0] for row in finding.evidence.rows] == ["98", "99"]
    [finding] = judged(action, kind, "Expect: t rows up to 1%", note=note)
    assert finding.verdict is Verdict.FAILED
    [finding] = judged(action, kind, "Expect: t rows up to 2%", note=note)
    assert finding.verdict is Verdict.WARNED
    assert finding.summary.endswith("as commit 1a2b3c4:3 declares")
    assert not judged(action, kind, note=note, after=f"{BEFORE} UNION ALL SELECT 100, 0, 100"), (
        "rows may come"
    )


def test_what_the_same_code_takes_from_its_own_history_is_no_loss() -> None:
    """As with dbt alone: `delete+insert`, microbatch, a hook that deletes what is old."""
    assert not judged(Action.CARRY, was="new")
    assert not judged(Action.CARRY, NodeKind.INCREMENTAL, was="renamed, by its text")
    assert not judged(Action.CARRY, was="new", hooks=(HOOK, HOOK))
    assert not judged(Action.CARRY, was="adopted:1"), "nobody knows which code built it"


def test_a_hook_that_is_new_may_delete_from_any_history() -> None:
    [finding] = judged(Action.CARRY, was="new", hooks=(HOOK, Declarations()))
    assert finding.verdict is Verdict.FAILED


def test_a_snapshot_that_gets_another_key_loses_nothing_by_it() -> None:
    """Its versions are told apart by dbt's own column, or each one that ends would be a row that went."""
    versions = "SELECT range AS id, 'v' || range AS dbt_scd_id, {} AS dbt_valid_to FROM range(100)"
    ended = versions.format("CASE WHEN range > 97 THEN 1 END")
    again = {"before": versions.format("NULL::INTEGER"), "key": ("a || b",)}
    assert not judged(Action.CARRY, after=ended, **again)  # pyright: ignore[reportArgumentType]
    [finding] = judged(Action.CARRY, after=f"{ended} WHERE range <> 5", **again)  # pyright: ignore[reportArgumentType]
    assert finding.summary.startswith("t: 1 of 100 rows goes")


def test_a_history_that_somebody_dropped_does_not_begin_anew_without_a_word() -> None:
    [finding] = judged(Action.BUILD, live={})
    assert finding.verdict is Verdict.FAILED
    assert (
        finding.summary
        == "t: store.t__1, which keeps its history, was dropped: all of its rows go, and no commit says so"
    )
    [finding] = judged(Action.BUILD, NodeKind.SNAPSHOT, "Expect: t rows", live={})
    assert finding.verdict is Verdict.WARNED


def test_what_cannot_be_compared_holds() -> None:
    [finding] = judged(Action.CARRY, dialect="oracle")
    assert finding.verdict is Verdict.ERRORED
    assert "whether rows go from its history cannot be told" in finding.summary
