"""Reports to look at and to break: one with everything in it, one that attacks its reader, one that is far too big."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect_sluice.config import Config
from prefect_sluice.domain import ledger
from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.node import FingerprintParts, Name, NodeKind
from prefect_sluice.domain.promotion import Approval, Decision, Promotion, Run, StageTime, State
from prefect_sluice.domain.release import Change, Release
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport, Likeness, Verdict
from prefect_sluice.domain.worded import read
from prefect_sluice.planning.column_reach import ChangeReach, ColumnReach, ReachedPlace, ReachingConsumer
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Held, HeldBy, Note, Noted, Reason
from prefect_sluice.reporting.report.model import ReleaseRecord, WebLinks
from prefect_sluice.reporting.status_page import ControlInForce, EnvironmentCard, WaitingPromotion
from prefect_sluice.workspace.workspace import Workspace

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
REACH = ChangeReach(
    (
        ColumnReach(
            "daily",
            "on_time",
            "values change in 87.5 % of the rows",
            (
                ReachedPlace("carriers", "share", "= SUM(daily.on_time) / COUNT(*)", "values change"),
                ReachedPlace("late", "*", "decides which rows"),
                ReachedPlace("forecast", "?", "not known: python model"),
            ),
            (ReachingConsumer("exposure.flights.board", "Morning board"),),
        ),
        ColumnReach("daily", "share", "retyped: DOUBLE, was DECIMAL"),
    )
)
NOWHERE = Workspace(Path("sluice.yml"), Config())
"""The workspace of work that is only looked at: nothing there is opened."""
CHANGE = Change(
    "a1b2c3d4" * 5, "t" * 40, ".", "Ada <ada@example.com>", NOW, "Count a flight once", (), ("models/a.sql",)
)
RELEASE = Release(CHANGE, {"a": "644:0"}, {"dbt-core": "1.11.16", "duckdb": "1.5.5"})
FORMER = Release(replace(CHANGE, commit="0f" * 20, subject="First"), {}, {})


def uid(name: str) -> str:
    return f"model.flights.{name}"


def step(name: str, action: Action, reason: str) -> Step:
    return Step(action, uid(name), Name("marts", name), NodeKind.TABLE, read(Because, reason))


def plan(steps: tuple[Step, ...], reads: dict[str, tuple[str, ...]], edited: tuple[str, ...] = ()) -> Plan:
    """Return a plan whose nodes read so: by name."""
    makeup = {
        uid(name): FingerprintParts(reads={uid(parent): None for parent in parents})
        for name, parents in reads.items()
    }
    notes = NotesBefore({}, {}, makeup=makeup)
    return Plan("prod", Cause.RELEASE, RELEASE.id, 3, FORMER.id, steps, tuple(map(uid, edited)), (), notes)


PROMOTION = Promotion(
    "5e9c1d2f3a",
    "prod",
    RELEASE.id,
    Cause.RELEASE,
    3,
    FORMER.id,
    State.STAGED,
    "Ada",
    NOW,
    NOW,
    "ab" * 32,
    "cd" * 32,
)
SAMPLE = Evidence(
    ("carrier", "column", "before", "after"),
    (("9E", "on_time", "1104", "1042"), ("9E", "share", "0.70", None), ("AA", "on_time", "2189", "2053")),
    28,
    title="rows",
    numbers=("on_time", "share"),
)
COLUMNS = Evidence(
    ("column", "changed", "share", "mean before", "mean after"),
    (("on_time", "14", "0.875", "1200.5", "1100"), ("share", "3", "0.1875", None, "NaN")),
    2,
    title="columns",
    bars=("share",),
)
REPORTS = (
    GateReport("lint", (Finding("lint", "LT01", Verdict.WARNED, "1 line too long", location="models/a.sql:7"),), seconds=0.4),
    GateReport("unit_tests", not_applicable="no unit test looks at what changed"),
    GateReport(
        "data_tests",
        (
            Finding("data_tests", "not_null_id", Verdict.PASSED, "holds", (uid("daily"),), 0, 0),
            Finding("data_tests", "fresh", Verdict.INCONCLUSIVE, "no rows to look at", (uid("daily"),)),
            Finding(
                "data_tests", "unique_id", Verdict.FAILED, "86 rows break it", (uid("daily"),), 86, 0, "models/_m.yml",
                Evidence(("id", "n"), tuple((f"LGA-{n}", str(n)) for n in range(30)), 86),
                fix="Group by one column less, or make the key wider.",
            ),
        ),
        seconds=1.5,
    ),
    GateReport(
        "impact",
        (Finding("impact", "board", Verdict.PASSED, "reads 2 changed columns", ("exposure.flights.board",),
                 more=(Evidence(("relation", "column", "change"), (("daily", "on_time", "other values"),), 1, "columns"),)),),
    ),
    GateReport(
        "diff",
        (
            Finding("diff", "daily", Verdict.PASSED, "daily: 14 of 16 rows changed (87.5 %)", (uid("daily"),),
                    0.875, None, evidence=SAMPLE, more=(COLUMNS,)),
            Finding("diff", "same", Verdict.PASSED, "same: identical, 5 rows", (uid("same"),),
                    likeness=Likeness.SAME),
        ),
    ),
)  # fmt: skip
BOARD = Consumer(
    "exposure.flights.board", "board", "dashboard", "Morning board", "Operations", "https://example.com/board",
    "Read at six in the morning.", parents=(uid("daily"),),
)  # fmt: skip
PLAN = plan(
    (
        step("flights", Action.REUSE, "unchanged"),
        step("apart", Action.REUSE, "unchanged"),
        step("daily", Action.BUILD, "its own code changed"),
        step("same", Action.BUILD, "reads daily"),
        step("fresh", Action.BUILD, "new"),
        step("gone", Action.REMOVE, "no longer in the project"),
    ),
    {"daily": ("flights",), "same": ("daily",), "fresh": ("flights",)},
    edited=("daily",),
)
PACKED = ledger.chain(None, event="release.packed", actor="Ada", at=NOW, facts={"release": RELEASE.id})
STAGED = ledger.chain(PACKED, event="promotion.staged", actor="Ada", at=NOW, environment="prod")
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
FULL = ReleaseRecord(
    RELEASE,
    replace(PROMOTION, state=State.REFUSED, message="2 findings of data_tests stopped it in stage"),
    PLAN,
    REPORTS,
    (APPROVAL,),
    entries=(PACKED, STAGED),
    former=FORMER,
    stages=("test", "test", "stage", "stage", "stage"),
    serves=3,
    approvals_needed=1,
    consumers=(BOARD,),
    described={uid("daily"): "Flights per day,\nas the board shows them."},
    runs=(
        Run(
            NOW,
            (
                StageTime("source", 0.02),
                StageTime("build", 3.5),
                StageTime("test", 8),
                StageTime("stage", 2.2),
            ),
        ),
    ),
    reach=REACH,
    at=NOW,
)
WAITING = replace(
    FULL,
    promotion=PROMOTION,
    reports=(REPORTS[0], REPORTS[1], *REPORTS[3:]),
    stages=("test", "test", "stage", "stage"),
    approvals=(),
)

_FORM = "http://127.0.0.1:4200/v2/deployments"
_WAITS = WaitingPromotion(
    PROMOTION.id,
    "Group punctuality by the carrier and the month",
    "Ada Lovelace, Grace Hopper or Katherine Johnson",
    NOW,
    WebLinks(yes=_FORM, no=_FORM, run=_FORM),
    _FORM,
)
_HELD = ControlInForce(
    "0f", "hold on marts.carrier_punctuality_by_month_and_airport_of_departure: its source is late", _FORM
)
_FORMS = tuple((name, _FORM) for name in ("release", "roll back", "refresh", "hold"))
_DASHBOARDS = tuple((name, _FORM) for name in ("Morning board", "revenue_by_region_and_month_for_the_board"))
STANDS = (
    EnvironmentCard(
        "prod",
        3,
        "Count a flight once",
        NOW,
        _FORM,
        (_WAITS, replace(_WAITS, approvers="")),
        (_HELD,),
        _FORMS,
        _DASHBOARDS,
    ),
    EnvironmentCard("dev"),
    EnvironmentCard("", stops=(replace(_HELD, told="release 21422f2 is blocked by Grace: it counts twice"),)),
)
"""How environments stand, with all that the status page can say of one."""

ATTACKS = (
    "<script>window.stolen=1</script>",
    "\"><img src=x onerror='window.stolen=1'>",
    "</style></title></script><svg onload=window.stolen=1>",
    "' onmouseover='window.stolen=1",
    "javascript:window.stolen=1",
    "&lt;script&gt;",
    "\x00\x1b[31m\u202eevil",
    "```\n# heading\n[link](javascript:window.stolen=1)<br>",
)


def attacked(attack: str) -> ReleaseRecord:
    """Return a dossier in which each text that comes from a project, its data or its people is the attack."""
    release = replace(
        RELEASE, change=replace(CHANGE, subject=attack, author=attack, files=(attack,)), tools={"dbt": attack}
    )
    rows = Evidence(
        (attack, "share", "column", "before", "after"),
        ((attack, attack, attack, attack, attack),),
        9,
        attack,
        (attack,),
    )
    bad = Finding(
        "data_tests", attack, Verdict.FAILED, attack, (attack,), 1, 0, attack, rows, (rows,), attack
    )
    good = Finding("contracts", attack, Verdict.PASSED, attack, (attack,))
    diff = Finding(
        "diff", attack, Verdict.WARNED, attack, (f"model.flights.{attack}",), 0.5, 0.1, attack, rows, (rows,)
    )
    node = Step(
        Action.BUILD,
        f"model.flights.{attack}",
        Name("marts", attack),
        NodeKind.TABLE,
        Reason(Because.OTHER, attack),
        note=Note(Noted.OTHER, attack),
    )
    consumer = Consumer("exposure.x", attack, attack, attack, attack, attack, attack, attack, (node.node,))
    known = replace(
        plan((), {}),
        steps=(node, replace(node, node="model.x.gone", action=Action.REMOVE)),
        held={attack: Held(HeldBy.OTHER, attack)},
    )
    return replace(
        FULL,
        release=release,
        former=release,
        promotion=replace(PROMOTION, actor=attack, state=State.REFUSED, message=attack),
        plan=known,
        reports=(
            GateReport("data_tests", (bad, good)),
            GateReport("diff", (diff,)),
            GateReport("lint", not_applicable=attack),
        ),
        approvals=(replace(APPROVAL, by=attack, comment=attack),),
        consumers=(consumer,),
        described={node.node: attack},
        reach=ChangeReach(
            (
                ColumnReach(
                    attack,
                    attack,
                    attack,
                    (ReachedPlace(attack, attack, f"= {attack}", attack),),
                    (ReachingConsumer(attack, attack),),
                ),
                ColumnReach(attack, attack, attack),
            ),
            attack,
        ),
        entries=(
            ledger.chain(
                None, event="release.packed", actor=attack.encode(errors="replace").decode(), at=NOW
            ),
        ),
    )


def huge(findings: int, rows: int = 100) -> ReleaseRecord:
    """Return a dossier with so many findings, one of them the worst, and as many relations in a chain."""
    table = Evidence(
        tuple(f"column {n}" for n in range(20)),
        tuple(tuple(f"value {n} " * 9 for n in range(20)) for _ in range(rows)),
        10**7,
    )
    many = [
        Finding("contracts", f"check {n}", Verdict.WARNED, f"warning {n}", (uid(f"m{n}"),), evidence=table)
        for n in range(findings)
    ]
    worst = Finding(
        "contracts", "the worst", Verdict.FAILED, "this must be seen", (uid("m0"),), evidence=table
    )
    diffs = [
        Finding(
            "diff",
            f"m{n}",
            Verdict.PASSED,
            f"m{n}: 1 of 9 rows changed",
            (uid(f"m{n}"),),
            evidence=table,
        )
        for n in range(findings)
    ]
    steps = tuple(step(f"m{n}", Action.BUILD, "its own code changed") for n in range(findings))
    reads = {f"m{n}": (f"m{n - 1}",) for n in range(1, findings)}
    reports = (GateReport("contracts", (*many, worst)), GateReport("diff", tuple(diffs)))
    return replace(FULL, plan=plan(steps, reads), reports=reports, stages=("stage", "stage"))
