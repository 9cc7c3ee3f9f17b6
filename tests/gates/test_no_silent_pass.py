"""No gate says yes where it could not look: no rows, no answer, a broken memory, a skipped node, a file that is not there.

One healthy world is built, in which every gate says yes; each test then takes something of it away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_sluice import gates
from prefect_sluice.domain.build_conditions import Conditions, ConditionsBefore
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.declarations import CodeText, Consumer, Declarations, DeclaredTest, NodeDescription
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.generation import Cause, Pointer
from prefect_sluice.domain.node import FingerprintParts, Name, Node, NodeKind
from prefect_sluice.domain.release import Change
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import GateReport, Verdict
from prefect_sluice.gates.base import (
    BuildOutcome,
    CandidateView,
    DeclarationsView,
    Gate,
    PastMeasure,
    ReleaseView,
    Subject,
    ToolsView,
    UnitResults,
)
from prefect_sluice.gates.catalog import GATES, gate_classes
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason
from prefect_sluice.warehouse.base import Column, Rows
from tests.gates.duck import DuckReader
from tests.gates.keeping import Kept
from tests.gates.views import but

UID = "model.shop.t"
UNIT, TEST = "unit_test.shop.t.adds", "test.shop.not_null_t_id.1"
FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\n",
    ".sqlfluff": "[sqlfluff]\ndialect = duckdb\nrules = LT01\n",
    "models/t.sql": "select 1 as id\n",
    "contracts/marts.py": "import pandera.ibis as pa\n\n\nclass T(pa.DataFrameModel):\n    id: int = pa.Field(ge=0)\n",
    "tests/test_x.py": "def test_x():\n    assert True\n",
}
MAKEUP = FingerprintParts("w1", rows="r", columns={"id": "i"})
NODE = Node(
    UID, NodeKind.INCREMENTAL, Name("main", "t"), "models/t.sql", "sql", ("shop", "t"), "f",
    unique_key=("id",), contract="contracts.marts:T", makeup=MAKEUP,
)  # fmt: skip
BOARD = Consumer("exposure.shop.board", "board", parents=(UID,))
READ_ROWS = ("data_tests", "contracts", "diff", "impact", "budget", "anomalies")


class Always:
    """A history in which everything was as it is now."""

    def of(self, subject: str, metric: str) -> Sequence[PastMeasure]:
        """See History."""
        usual = {"rows": 100.0, "seconds": 1.0, "bytes": 262144.0}.get(metric)
        last = datetime(2026, 3, 1, tzinfo=UTC)
        return (
            [PastMeasure(usual, last - timedelta(days=day), f"p{day}") for day in range(30)] if usual else []
        )


def result(uid: str, kind: str, status: str = "success") -> NodeResult:
    return NodeResult(uid, kind, status, "why", None, 1.0, "", (UID,), "models/t.sql", "", "")


def world(folder: Path) -> Subject:
    """Return a subject that every gate has something to look at in."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    connection = duckdb.connect()
    connection.execute("create table t as select range::bigint as id from range(100)")
    connection.execute("create table live as from t where id < 99")
    step = Step(Action.BUILD, UID, NODE.name, NodeKind.TABLE, Reason(Because.NEW), "f", "x")
    described = {UID: NodeDescription("what it is", {"id": "the key"}, contract=NODE.contract)}
    unique = DeclaredTest(
        "test.shop.unique_t_id.1", "unique_t_id", "unique", node=UID, column="id", parents=(UID,)
    )
    hook = CodeText(f"{UID}.post-hook", "post-hook", "analyze", node=UID, path="models/t.sql", runs="beside")
    declared = Declarations({BOARD.unique_id: BOARD}, {unique.unique_id: unique}, described, (hook,))
    now = replace(MAKEUP, whole="w2", columns={"id": "j"})
    conditions = Conditions({"tools": {"duckdb": "1.5.5"}, "settings": {"timezone": "UTC"}})
    return Subject(
        ReleaseView(
            folder,
            {UID: NODE},
            (UID,),
            edited=(UID,),
            touched=tuple(FILES),
            rewritten=(UID,),
            environment="dev",
            plan=Plan(
                "dev", Cause.RELEASE, "r2", 1, "r1", (step,), (), (), NotesBefore({}, {}, makeup={UID: now})
            ),
            change=Change("c", "t", ".", "Ada", datetime(2026, 1, 1, tzinfo=UTC), "s"),
        ),
        candidate=CandidateView(
            reader=DuckReader(connection),
            relations={UID: "t"},
            live={UID: "live"},
            served={UID: Pointer(NODE.name, Name("s", "t1"), UID, NodeKind.TABLE, "f", "x")},
            noted=NotesBefore({}, {}, makeup={UID: MAKEUP}),
            built=BuildOutcome(
                (result(UID, "model"),), tests=(DataTest(TEST, "select * from t where id is null", (UID,)),)
            ),
        ),
        declarations=DeclarationsView(now=declared, before=declared),
        tools=ToolsView(
            earlier=lambda: folder,
            unit_tests=lambda: UnitResults((result(UNIT, "unit_test", "pass"),), 1, {UNIT: UID}, {}),
            conditions=lambda: ConditionsBefore("staging", conditions, conditions),
            variables={},
            memory=Kept(),
            history=Always(),
        ),
    )


def asked(name: str) -> Gate:
    return gate_classes()[name](gate_classes()[name].Settings())  # pyright: ignore[reportCallIssue]  # a Protocol has no constructor


def of(name: str, subject: Subject) -> Subject:
    """Return the subject as the gate meets it: anomalies are looked for in what a refresh brings."""
    return but(subject, cause=Cause.REFRESH) if name == "anomalies" else subject


def says_yes(report: GateReport) -> bool:
    return not report.not_applicable and report.verdict is Verdict.PASSED


@dataclass
class Faulty:
    """A reader that goes wrong at one query, counted from 0, or at every query from there on."""

    reader: DuckReader
    wrong: Callable[[str], Rows]
    at: int
    ever_after: bool = False
    dialect: str = "duckdb"
    asked: list[str] = field(default_factory=list[str])

    def query(self, sql: str) -> Rows:
        """See Reader."""
        self.asked.append(sql)
        return self.wrong(sql) if self._now() else self.reader.query(sql)

    def columns(self, relation: str) -> Sequence[Column]:
        """See Reader."""
        self.asked.append(relation)
        if self._now():
            self.wrong(relation)
            return ()
        return self.reader.columns(relation)

    def stop(self) -> None:
        """See Reader."""

    def _now(self) -> bool:
        last = len(self.asked) - 1
        return last >= self.at if self.ever_after else last == self.at


class Silent(Faulty):
    """A reader that knows the columns of a relation, and gives no row of any query."""

    def columns(self, relation: str) -> Sequence[Column]:
        """See Reader."""
        return self.reader.columns(relation)


def refuses(sql: str) -> Rows:
    raise QueryFailed("no", sql)


def breaks(sql: str) -> Rows:
    raise RuntimeError("broken pipe")


def is_silent(sql: str) -> Rows:
    return Rows((), ())


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return world(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("name", [name for name in GATES if name != "anomalies"])
def test_in_the_healthy_world_every_gate_says_yes(healthy: Subject, name: str) -> None:
    report = gates.run(asked(name), of(name, healthy), {})
    assert says_yes(report), (report.not_applicable, report.findings)


@pytest.mark.parametrize("name", READ_ROWS)
@pytest.mark.parametrize("wrong", [refuses, breaks])
@pytest.mark.parametrize("ever_after", [False, True])
def test_what_cannot_be_read_is_no_yes(
    healthy: Subject, name: str, wrong: Callable[[str], Rows], ever_after: bool
) -> None:
    """At whichever query it goes wrong. What is asked again in another way, and then answered, was read."""
    assert isinstance(healthy.candidate.reader, DuckReader)
    counted = Faulty(healthy.candidate.reader, refuses, -1)
    gates.run(asked(name), of(name, but(healthy, reader=counted, memory=Kept())), {})
    assert counted.asked, "it reads rows at all"
    for at, sql in enumerate(counted.asked):
        reader = Faulty(healthy.candidate.reader, wrong, at, ever_after)
        report = gates.run(asked(name), of(name, but(healthy, reader=reader, memory=Kept())), {})
        asked_again = not ever_after and len(reader.asked) > len(counted.asked)
        # What takes no room (a view) has no size, and is not asked twice.
        has_no_size = "pragma_storage_info" in sql and wrong is refuses
        assert not says_yes(report) or asked_again or has_no_size, (at, sql, report.findings)


@pytest.mark.parametrize("name", [name for name in READ_ROWS if name != "impact"])
def test_a_warehouse_that_answers_nothing_is_no_yes(healthy: Subject, name: str) -> None:
    assert isinstance(healthy.candidate.reader, DuckReader)
    reader = Silent(healthy.candidate.reader, is_silent, 0, ever_after=True)
    report = gates.run(asked(name), of(name, but(healthy, reader=reader, memory=Kept())), {})
    assert not says_yes(report), report.findings


@pytest.mark.parametrize("name", [name for name in READ_ROWS if name != "impact"])
def test_no_rows_is_no_yes(healthy: Subject, name: str) -> None:
    connection = duckdb.connect()
    connection.execute("create table t (id bigint)")
    connection.execute("create table live as select range::bigint as id from range(99)")
    report = gates.run(asked(name), of(name, but(healthy, reader=DuckReader(connection), memory=Kept())), {})
    assert not says_yes(report), report.findings


@pytest.mark.parametrize("name", READ_ROWS)
def test_a_relation_that_is_not_there_is_no_yes(healthy: Subject, name: str) -> None:
    gone = but(healthy, relations={}, built=BuildOutcome(tests=healthy.candidate.built.tests), memory=Kept())
    if name == "data_tests":
        gone = but(gone, reader=DuckReader(duckdb.connect()))
    report = gates.run(asked(name), of(name, gone), {})
    assert not says_yes(report), report.findings


@pytest.mark.parametrize("name", ["lint", "project_tests", "promises"])
def test_files_that_are_not_there_are_no_yes(healthy: Subject, name: str, tmp_path: Path) -> None:
    report = gates.run(asked(name), but(healthy, project=tmp_path / "nowhere", memory=Kept()), {})
    assert not says_yes(report), report.findings


@pytest.mark.parametrize("name", ["coverage", "impact", "promises"])
def test_declarations_of_what_serves_that_are_not_known_are_no_yes(healthy: Subject, name: str) -> None:
    """Nor is it told as what there is nothing to look at."""
    report = gates.run(asked(name), but(healthy, before=None, memory=Kept()), {})
    assert not report.not_applicable
    assert "before" in {one.check for one in report.findings if one.verdict is Verdict.INCONCLUSIVE}
    assert not says_yes(report)


@given(
    status=st.text(max_size=12)
    | st.sampled_from(["skipped", "error", "runtime error", "fail", "partial success"])
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_dbt_says_but_success_is_no_yes(healthy: Subject, status: str) -> None:
    if status in {"success", "pass"}:
        return
    units = UnitResults((result(UNIT, "unit_test", status),), 1, {UNIT: UID}, {})
    built = BuildOutcome((result(UID, "model", status), result(TEST, "test", status)))
    told = but(healthy, built=built, unit_tests=lambda: units)
    for name in ("build", "unit_tests", "data_tests"):
        if name != "build" or status != "warn":
            assert not says_yes(gates.run(asked(name), told, {})), name


def test_what_did_not_run_is_no_yes(healthy: Subject) -> None:
    none = but(healthy, built=BuildOutcome(), unit_tests=lambda: UnitResults((), 1, {UNIT: UID}, {}))
    for name in ("build", "unit_tests"):
        assert not says_yes(gates.run(asked(name), none, {})), name


class Breaks:
    """A memory, and a history, that cannot be asked."""

    def recall(self, key: str) -> Json | None:
        """See Memory."""
        raise OSError("the disk is gone")

    def keep(self, key: str, value: Json) -> None:
        """See Memory."""
        raise OSError("the disk is gone")

    def of(self, subject: str, metric: str) -> Sequence[PastMeasure]:
        """See History."""
        raise OSError("the disk is gone")


def test_a_gate_whose_memory_or_history_breaks_does_not_say_yes(healthy: Subject) -> None:
    users = {"lint", "safety", "secrets", "diff", "promises", "contracts", "budget"}
    for name in sorted(users):
        told = but(healthy, memory=Breaks(), history=Breaks())
        assert gates.run(asked(name), told, {}).verdict is Verdict.ERRORED, name


class Garbled(Kept):
    """A memory that answers everything with one and the same document."""

    def __init__(self, answer: Json) -> None:
        super().__init__()
        self.answer = answer

    def recall(self, key: str) -> Json | None:
        """See Memory."""
        return self.answer


@pytest.mark.parametrize("answer", [[], {}, "PASSED", 1, {"verdict": "PASSED"}, {"findings": []}])
@pytest.mark.parametrize("name", GATES)
def test_a_garbled_memory_makes_no_yes_of_a_no(healthy: Subject, name: str, answer: Json) -> None:
    assert isinstance(healthy.candidate.reader, DuckReader)
    (healthy.release.project / "models/t.sql").write_text("select  1 as id\n")
    bad = but(
        healthy,
        reader=Faulty(healthy.candidate.reader, refuses, 0, ever_after=True),
        built=BuildOutcome(),
        memory=Garbled(answer),
    )
    report = gates.run(asked(name), of(name, bad), {})
    (healthy.release.project / "models/t.sql").write_text(FILES["models/t.sql"])
    if name in (*READ_ROWS, "lint", "build"):
        assert not says_yes(report), report.findings


def test_time_that_is_over_is_no_yes(healthy: Subject) -> None:
    """Whatever a gate found by then: the report says that it did not get to its end."""
    from prefect_sluice.gates.time_limit import too_long

    for name in GATES:
        report = gates.run(asked(name), of(name, healthy), {})
        assert not too_long(report, timedelta(seconds=1)).verdict.lets_through, name


@pytest.mark.parametrize("name", GATES)
def test_a_gate_that_is_off_is_no_yes(healthy: Subject, name: str) -> None:
    off = gates.run(asked(name), healthy, {name: gate_classes()[name].Settings(on="off")})
    assert off.not_applicable
    assert not says_yes(off)
