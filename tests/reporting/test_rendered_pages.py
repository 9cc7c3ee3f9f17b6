"""Every page as a golden file; SLUICE_TEST_UPDATE_GOLDEN=1 writes them anew, and git shows what changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prefect_sluice.domain import ledger
from prefect_sluice.domain.controls import EVERYWHERE, Control
from prefect_sluice.domain.controls import ControlKind as ControlKind
from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.domain.promotion import Approval, Decision, Lease, Promotion, Run, StageTime, State
from prefect_sluice.domain.release import Change, Release
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport, Likeness, Verdict
from prefect_sluice.domain.worded import read
from prefect_sluice.planning.impact import Effect, EffectKind, ReachedConsumer
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Note, Noted
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.reporting import json_documents
from prefect_sluice.reporting.forges.comment import comment
from prefect_sluice.reporting.report.make_report import report
from prefect_sluice.reporting.report.markdown import markdown
from prefect_sluice.reporting.report.model import ReleaseRecord
from prefect_sluice.reporting.styled_text import Line, plain
from prefect_sluice.reporting.terminal.controls import (
    despite_lines,
    lifted_lines,
    own_hold_line,
    placed_lines,
)
from prefect_sluice.reporting.terminal.findings import changes_lines, findings_lines, gates_table, notable
from prefect_sluice.reporting.terminal.generations import differences, differences_lines
from prefect_sluice.reporting.terminal.history import events, history_lines, ledger_line
from prefect_sluice.reporting.terminal.outcome import outcome_lines, rollback_line, trouble_line
from prefect_sluice.reporting.terminal.plan import plan_lines
from prefect_sluice.reporting.terminal.promotion import approvals_lines, promotion_lines
from prefect_sluice.reporting.terminal.show import dossier_lines
from prefect_sluice.reporting.terminal.stages import stage_lines
from prefect_sluice.reporting.terminal.status import (
    EnvironmentStanding,
    OpenPromotion,
    blocks_lines,
    status_lines,
)
from tests.reporting.reported import NOWHERE, REACH
from tests.reporting.test_artifacts import ARTIFACTS

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)

CHANGE = Change(
    commit="a1b2c3d4e5f60718293a4b5c6d7e8f9012345678",
    tree="t" * 40,
    project="dbt",
    author="Ada Lovelace <ada@example.com>",
    at=NOW - timedelta(hours=5),
    subject="Count a cancelled flight once",
    files=("dbt/models/marts/fct_flights.sql", "dbt/models/marts/_marts.yml"),
)
RELEASE = Release(CHANGE, {"dbt/a": "644:0"}, {"dbt-core": "1.11.16", "duckdb": "1.5.5"})
HOLD = Control("h", ControlKind.HOLD, "prod", "Grace", "close of books", NOW - timedelta(hours=3))
FREEZE = Control(
    "f", ControlKind.FREEZE, EVERYWHERE, "Ada", "peak", NOW - timedelta(hours=2), NOW + timedelta(hours=9)
)
FORMER = Release(replace(CHANGE, commit="0f" * 20, subject="First", files=()), {}, {})

BLOCK = Control("b", ControlKind.BLOCK, FORMER.id, "Bo", "counts twice", NOW - timedelta(hours=1))


def step(
    action: Action, name: str, reason: str, note: Note | None = None, kind: NodeKind = NodeKind.TABLE
) -> Step:
    return Step(action, f"model.flights.{name}", Name("marts", name), kind, read(Because, reason), note=note)


PLAN = Plan(
    environment="prod",
    cause=Cause.RELEASE,
    release=RELEASE.id,
    base=3,
    base_release=FORMER.id,
    steps=(
        step(Action.REUSE, "stg_flights", "unchanged", kind=NodeKind.VIEW),
        step(Action.BUILD, "fct_flights", "its own code changed"),
        step(Action.BUILD, "daily", "reads fct_flights", Note(Noted.AS_TABLE), NodeKind.VIEW),
        step(Action.CARRY, "history", "new data in raw.flights", kind=NodeKind.INCREMENTAL),
        step(Action.REUSE, "carriers", "built before, and kept"),
        step(Action.REMOVE, "old_report", "no longer in the project"),
    ),
    edited=("model.flights.fct_flights",),
    tests=(),
    notes=NotesBefore({}, {}),
)
FLIGHTS = "model.flights.fct_flights"
REACHED = [
    ReachedConsumer(
        Consumer("exposure.flights.board", "board", label="Morning board", owner="Ops"),
        (Effect(FLIGHTS, EffectKind.DATA),),
    ),
    ReachedConsumer(
        Consumer("exposure.flights.card", "card"),
        (
            Effect(FLIGHTS, EffectKind.DROPPED, "late", note="renamed to tardy?"),
            *(Effect(FLIGHTS, EffectKind.VALUES, name) for name in ("share", "delay", "größe", "a b", "day")),
            Effect("model.flights.daily", EffectKind.NARROWED, "flights", "BIGINT", "INTEGER"),
        ),
    ),
    *(
        ReachedConsumer(Consumer(f"exposure.flights.e{n}", f"e{n}"), (Effect(FLIGHTS, EffectKind.ROWS),))
        for n in range(9)
    ),
]
EMPTY = replace(PLAN, base=0, base_release="", steps=())

ROWS = tuple((str(n), f"note {n} \x1b[31m", None) for n in range(12))
REPORTS = (
    GateReport("lint", not_applicable="the project has no .sqlfluff"),
    GateReport(
        "build",
        (Finding("build", "built", Verdict.PASSED, "3 built in 1.2 s, 16 reused", observed=3, limit=3),),
        seconds=0.001,
    ),
    GateReport(
        "data_tests",
        (
            Finding("data_tests", "not_null_daily_day", Verdict.PASSED, "holds"),
            Finding(
                "data_tests", "unique_fct_flights_id", Verdict.FAILED, "4321 rows break it",
                ("model.flights.fct_flights",), observed=4321, limit=0, location="models/marts/_marts.yml",
                evidence=Evidence(("id", "remark", "tail"), ROWS, 4321),
            ),
            Finding("data_tests", "recent", Verdict.WARNED, "1 row breaks it", ("model.flights.daily",)),
        ),
        seconds=75.3,
    ),
    GateReport(
        "diff",
        (
            Finding("diff", "daily", Verdict.PASSED, "daily: identical, 365 rows", ("model.flights.daily",),
                    likeness=Likeness.SAME),
            Finding(
                "diff", "fct_flights", Verdict.PASSED,
                "fct_flights: 2 of 336776 rows changed (< 0.1 %), 1 column", ("model.flights.fct_flights",),
                evidence=Evidence(
                    ("id", "column", "before", "after"), (("17", "delay", "3", "4"), ("18", "delay", None, "0")), 2,
                    numbers=("delay",),
                ),
            ),
            Finding(
                "diff", "history", Verdict.PASSED, "history: 5 rows compared without a key; +1 -0 rows",
                ("model.flights.history",),
                evidence=Evidence(("id", "航班"), (("1", "東京 → 大阪"),), 1),
                more=(Evidence(("rows", "count"), (("added", "1"), ("removed", "0"), ("changed", None)), 3, "rows"),),
            ),
        ),
        seconds=0.25,
    ),
)  # fmt: skip
PROMOTION = Promotion(
    "5e9c1d2f3a", "prod", RELEASE.id, Cause.RELEASE, 3, FORMER.id, State.STAGED, "Ada", NOW - timedelta(hours=1),
    NOW, plan="ab" * 32, evidence="cd" * 32,
)  # fmt: skip
APPROVAL = Approval(
    "a" * 10,
    PROMOTION.id,
    PROMOTION.binding,
    Decision.APPROVE,
    "Bo",
    "as *agreed*",
    NOW,
    NOW + timedelta(hours=72),
)


def pointer(name: str, address: str) -> Pointer:
    return Pointer(
        Name("marts", name), Name("sluice_store", address), f"model.flights.{name}", NodeKind.TABLE, "f", "i"
    )


def generation(number: int, release: Release, *pointers: Pointer, **changes: object) -> Generation:
    made = Generation(
        "prod", number, release.id, f"promotion{number}", number, Cause.RELEASE, number,
        NOW - timedelta(days=7 - number, minutes=5), pointers,
    )  # fmt: skip
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]  # each test names what it changes


G1 = generation(1, FORMER, pointer("fct_flights", "a"), pointer("gone", "b"), pointer("same", "c"))
G2 = generation(2, RELEASE, pointer("fct_flights", "d"), pointer("fresh", "e"), pointer("same", "c"))
G3 = replace(generation(3, FORMER), cause=Cause.ROLLBACK, origin=1, pointers=G1.pointers)
LEASE = Lease("prod", 9, "ada@host pid 42 start 7", NOW - timedelta(minutes=2), NOW + timedelta(minutes=1))


def working(status: Status, message: str, next: str = "") -> Work:
    request = ReleaseRequest(Path(), "prod")
    work = Work(
        request, LEASE, CHANGE, RELEASE, PLAN, PROMOTION, REPORTS, replace(G2, number=4), workspace=NOWHERE
    )
    return work.ends(status, message, next)


def _stages() -> list[Line]:
    start = Work(ReleaseRequest(Path(), "prod"), LEASE, workspace=NOWHERE)
    sourced = replace(start, change=CHANGE)
    built = replace(sourced, plan=PLAN, release=RELEASE, promotion=PROMOTION)
    failed = replace(built, reports=REPORTS).ends(Status.REFUSED, "1 finding")
    fine = replace(built, reports=REPORTS[:2])
    waits = fine.ends(Status.WAITING, "waits")
    approved = replace(fine, approved_by="Bo")
    return [
        *stage_lines("source", 0.04, start, sourced),
        *stage_lines("build", 12.3, sourced, built),
        *stage_lines("test", 0.0, built, built),
        *stage_lines("stage", 4000, built, failed),
        *stage_lines("stage", 200, built, fine),
        *stage_lines("approve", 0.02, fine, waits),
        *stage_lines("approve", 0.02, fine, approved),
        *stage_lines("approve", 0.02, fine, fine),
        *stage_lines("deploy", 1.25, fine, replace(fine, generation=G2)),
    ]


def _status() -> list[Line]:
    waiting = OpenPromotion(PROMOTION, CHANGE.commit)
    said_yes = OpenPromotion(replace(PROMOTION, id="0" * 10), CHANGE.commit, APPROVAL)
    unwatched = OpenPromotion(
        replace(PROMOTION, id="1" * 10, cause=Cause.REFRESH, state=State.DEPLOYED), CHANGE.commit
    )
    none = generation(0, FORMER)
    return status_lines(
        [
            EnvironmentStanding("dev", none, None, "dev.duckdb", 0),
            EnvironmentStanding(
                "staging",
                None,
                None,
                "staging.duckdb",
                3 << 20,
                problem="the warehouse is held by process 7",
                recorded=5,
            ),
            EnvironmentStanding(
                "prod",
                G3,
                FORMER,
                "/data/prod.duckdb",
                5 << 30,
                (waiting, said_yes, unwatched),
                LEASE,
                controls=(HOLD, FREEZE, BLOCK),
            ),
        ],
        NOW,
    )


def _history() -> list[Line]:
    refused = replace(
        PROMOTION,
        id="refused",
        state=State.REFUSED,
        message="3 findings of lint stopped it in test",
        updated_at=G1.at,
    )
    rejected = replace(PROMOTION, id="rejected", state=State.REJECTED, message="rejected by Bo: not today")
    known = (replace(PROMOTION, id="promotion2", state=State.STABLE), refused, rejected)
    lifted = replace(HOLD, at=G1.at, lifted_at=G2.at, lifted_by="Ada", lifted_reason="books closed")
    known_releases = {RELEASE.id: RELEASE, FORMER.id: FORMER}
    found = events([G3, G2, G1], known, known_releases, {"promotion2": "Bo"}, (lifted, FREEZE, BLOCK))
    return [
        *history_lines(found, limit=8),
        ledger_line(37),
        ledger_line(1),
        ledger_line(2, "ledger entry 2 is broken"),
        *history_lines((), limit=4),
    ]


PACKED = ledger.chain(None, event="release.packed", actor="Ada", at=NOW, facts={"release": RELEASE.id})
REFUSAL = ledger.chain(PACKED, event="promotion.refused", actor="Ada", at=NOW, environment="prod", facts={})
BOARD = Consumer(
    "exposure.flights.board", "board", "dashboard", "Morning board", "Ops", "https://example.com/b", "Read at six.",
    parents=("model.flights.daily", "model.flights.fct_flights"),
)  # fmt: skip
DOSSIER = ReleaseRecord(
    RELEASE,
    replace(PROMOTION, state=State.REFUSED, message="1 finding of data_tests stopped it in stage"),
    PLAN,
    REPORTS,
    (APPROVAL,),
    (G2,),
    (replace(PROMOTION, id="other", environment="dev", state=State.STABLE, generation=7),),
    (PACKED, REFUSAL),
    former=FORMER,
    stages=("test", "stage", "stage", "stage"),
    serves=3,
    approvals_needed=1,
    reach=REACH,
    consumers=(BOARD,),
    runs=(
        Run(
            NOW,
            (
                StageTime("source", 0.02),
                StageTime("build", 3.5),
                StageTime("test", 8),
                StageTime("stage", 75.6),
            ),
        ),
    ),
    at=NOW,
)


def _show() -> list[Line]:
    return [
        *dossier_lines(report(DOSSIER)),
        (),
        *dossier_lines(report(ReleaseRecord(FORMER, blocks=(BLOCK,)))),
    ]


PAGES: dict[str, Callable[[], list[Line]]] = {
    "plan": lambda: plan_lines(PLAN, RELEASE),
    "plan_reached": lambda: plan_lines(PLAN, RELEASE, reached=REACHED),
    "plan_first": lambda: plan_lines(EMPTY),
    "plan_narrow": lambda: plan_lines(PLAN, RELEASE, width=60),
    "gates": lambda: gates_table(REPORTS, warns={"data_tests"}),
    "findings": lambda: findings_lines(notable(REPORTS)),
    "findings_narrow": lambda: findings_lines(notable(REPORTS), rows=2, width=40),
    "changes": lambda: changes_lines(REPORTS, rows=1),
    "stages": _stages,
    "refused": lambda: outcome_lines(
        working(Status.REFUSED, "1 finding of data_tests stopped it", "sluice show 5e9c1d2f3a")
    ),
    "checked": lambda: outcome_lines(
        replace(working(Status.CHECKED, "a1b2c3d passes in prod"), reports=()), reach=REACH
    ),
    "done": lambda: outcome_lines(replace(working(Status.DONE, "prod serves generation 4"), reports=())),
    "rollback": lambda: [
        rollback_line(G3, FORMER, G1, 0.051, NOW),
        rollback_line(G3, None, None, 1.0, NOW),
        *despite_lines([FREEZE]),
        own_hold_line(HOLD),
        trouble_line("not caught up: dev is frozen", "sluice rollback --catch-up"),
    ],
    "controls": lambda: [
        *placed_lines(HOLD, fresh=True),
        *placed_lines(BLOCK, fresh=False, served=("prod", "dev")),
        *lifted_lines([HOLD], [FREEZE]),
        *blocks_lines([BLOCK]),
    ],
    "status": _status,
    "history": _history,
    "promotion": lambda: [*promotion_lines(PROMOTION, RELEASE, FORMER), *approvals_lines([APPROVAL])],
    "diff": lambda: differences_lines(G1, G2, differences(G1, G2)),
    "diff_same": lambda: differences_lines(G2, G2, differences(G2, G2)),
    "show": _show,
}
MARKDOWN = {
    "report": lambda: markdown(report(DOSSIER)),
    "comment": lambda: comment(report(DOSSIER), "sluice/prod", "https://ci.example/42"),
    "report_short": lambda: markdown(report(DOSSIER), limit=2_500),
    "report_unpromoted": lambda: markdown(report(ReleaseRecord(FORMER, blocks=(BLOCK,)))),
}


def golden(name: str, text: str) -> None:
    """Compare a text with its file, or write the file."""
    file = GOLDEN / name
    if os.environ.get("SLUICE_TEST_UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str) -> None:
    text = plain(PAGES[name]())
    assert "\x1b" not in text
    golden(f"{name}.txt", text)


@pytest.mark.parametrize("name", MARKDOWN)
def test_markdown(name: str) -> None:
    golden(f"{name}.md.txt", MARKDOWN[name]())


def test_the_document_of_a_run() -> None:
    text = json.dumps(
        json_documents.work(working(Status.REFUSED, "no", "sluice show x"), 1), indent=1, ensure_ascii=False
    )
    golden("work.json.txt", text + "\n")


def test_no_golden_file_is_left_over() -> None:
    names = {f"{name}.txt" for name in PAGES} | {f"{name}.md.txt" for name in MARKDOWN} | {"work.json.txt"}
    names |= {f"artifact_{name}.md.txt" for name in ARTIFACTS}
    assert {path.name for path in GOLDEN.iterdir()} == names


def test_rows_that_come_stand_below_rows_that_go() -> None:
    go = Evidence(("id", "price"), (("1", "10"),), 1)
    come = Evidence(("id", "price"), (("2", "11"), ("3", "12")), 2, title="rows that come")
    finding = Finding("diff", "orders", Verdict.PASSED, "orders: +2 -1 rows", evidence=go, more=(come,))
    text = plain(changes_lines([GateReport("diff", (finding,))], rows=1))
    assert [line.split() for line in text.splitlines()] == [
        ["orders:", "+2", "-1", "rows"],
        ["rows", "that", "go:"],
        ["id", "price"],
        ["1", "10"],
        ["rows", "that", "come:"],
        ["id", "price"],
        ["2", "11"],
        ["1", "of", "2", "rows"],
    ]
