"""The gate `budget`: seconds, rows and bytes of a model beside what it took before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.config import GateSettings as Own
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import GateReport, Measure, Verdict
from prefect_sluice.gates.base import (
    BuildOutcome,
    CandidateView,
    Gate,
    ReleaseView,
    Subject,
    ToolsView,
    ask_gate,
    views,
)
from prefect_sluice.gates.budget.gate import Budget, Settings, parse_bytes
from prefect_sluice.gates.catalog import checked
from tests.gates.duck import DuckReader
from tests.gates.keeping import Told
from tests.gates.views import but

PASSED, WARNED, FAILED = Verdict.PASSED, Verdict.WARNED, Verdict.FAILED
UID = "model.flights.t"
NODE = Node(UID, NodeKind.TABLE, Name("main", "t"), "models/t.sql", "sql", (), "f1")


def built(seconds: float, uid: str = UID) -> NodeResult:
    return NodeResult(uid, "model", "success", "", None, seconds, "", (), "", "", "")


def subject(
    rows: int = 5000,
    *,
    seconds: float = 2.0,
    live: int | None = None,
    past: Mapping[str, Sequence[float]] | None = None,
) -> Subject:
    """Return one model, its rows and seconds, and what it had before."""
    connection = duckdb.connect()
    connection.execute(f"create table t as select * from range({rows})")
    if live is not None:
        connection.execute(f"create table was as select * from range({live})")
    return Subject(
        ReleaseView(Path(), {UID: NODE}, (UID,)),
        candidate=CandidateView(
            reader=DuckReader(connection),
            relations={UID: "t"},
            live={} if live is None else {UID: "was"},
            built=BuildOutcome((built(seconds),)),
        ),
        tools=ToolsView(history=Told({(UID, metric): values for metric, values in (past or {}).items()})),
    )


def check(asked: Subject, **settings: Any) -> GateReport:
    return ask_gate(Budget(Settings(**settings)), asked)


def said(report: GateReport) -> list[tuple[str, Verdict, str]]:
    return [(finding.check, finding.verdict, finding.summary) for finding in report.findings]


def test_is_a_gate() -> None:
    gate: Gate = Budget()
    assert (gate.id, views(gate)) == ("budget", ("release", "candidate", "tools"))


def test_without_history_it_measures_and_does_not_apply() -> None:
    report = check(subject(past={"rows": [1, 1], "seconds": [0.1]}))
    assert report.not_applicable == "no model here has 3 earlier builds to compare with"
    assert Measure(UID, "rows", 5000) in report.measures
    assert Measure(UID, "seconds", 2.0) in report.measures


CASES: dict[str, tuple[Subject, list[tuple[str, Verdict, str]]]] = {
    "as before": (
        subject(past={"rows": [4900, 5100, 5000], "seconds": [2, 3, 2]}),
        [("within", PASSED, "t: 5,000 rows, 2.00 s, within its budget")],  # bytes have no history here
    ),
    "slow": (
        subject(seconds=60, past={"seconds": [2, 3, 2]}),
        [("seconds", WARNED, "t: 60 s, usually 2.00 s (at most 10 s)")],
    ),
    "slow, and still quick": (
        subject(seconds=0.5, past={"seconds": [0.05] * 9}),
        [("within", PASSED, "t: 0.50 s, within its budget")],
    ),
    "ten times bigger": (
        subject(past={"rows": [500, 510, 490]}),
        [("rows", FAILED, "t: 5,000 rows, usually 500 rows (at most 2,500 rows)")],
    ),
    "ten times smaller": (
        subject(past={"rows": [50_000, 50_001, 50_000]}),
        [("rows", FAILED, "t: 5,000 rows, usually 50,000 rows (at least 10,000 rows)")],
    ),
    "small and bigger": (
        subject(900, past={"rows": [3] * 20}),
        [("within", PASSED, "t: 900 rows, within its budget")],
    ),
    "one that scatters": (
        subject(8000, past={"rows": [100, 3000, 900, 6000, 1200, 5000]}),
        [("within", PASSED, "t: 8,000 rows, within its budget")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_gate_says(case: str) -> None:
    asked, expected = CASES[case]
    assert said(check(asked)) == expected


def test_time_fails_where_that_is_asked_for() -> None:
    slow = subject(seconds=60, past={"seconds": [2, 3, 2]})
    assert check(slow, slow="fail").verdict is FAILED


def test_empty_fails_whatever_the_history() -> None:
    assert said(check(subject(0, live=7))) == [("empty", FAILED, "t has no rows; it had 7")]
    assert said(check(subject(0, past={"rows": [9]}))) == [("empty", FAILED, "t has no rows; it had 9")]


def test_empty_as_before_is_nothing_to_judge() -> None:
    assert check(subject(0, live=0, past={"rows": [5, 5, 5]})).not_applicable
    assert check(subject(0)).not_applicable


def test_limits_of_a_model_stand_in_place_of_the_ratio() -> None:
    asked = subject(seconds=60, past={"seconds": [2, 3, 2], "rows": [500] * 3})
    roomy = {"t": {"seconds": 90, "rows": 1e4}}
    assert check(asked, models=roomy).verdict is PASSED
    tight = check(asked, models={UID: {"rows": 10}}).findings
    assert [(one.check, one.verdict, one.observed, one.limit) for one in tight] == [
        ("rows", FAILED, 5000, 10),
        ("seconds", WARNED, 60, 10),
    ]
    assert "models: {t: {rows: …}}" in tight[0].fix


def test_a_limit_for_no_model_could_not_be_checked() -> None:
    report = check(subject(), models={"typo": {"rows": 1}})
    assert said(report) == [
        ("limits", Verdict.INCONCLUSIVE, "there is no model 'typo' to hold to its limits")
    ]


def test_what_was_taken_over_has_no_seconds_of_its_own() -> None:
    taken = but(subject(), built=BuildOutcome((built(0.0),), taken=1))
    assert {measure.metric for measure in check(taken).measures} == {"rows", "bytes"}


def test_what_cannot_be_read_is_an_error_and_the_rest_is_judged() -> None:
    asked = subject(past={"rows": [5000] * 3})
    gone = "model.flights.gone"
    asked = but(
        asked,
        nodes={**asked.release.nodes, gone: replace(NODE, unique_id=gone)},
        changed=(UID, gone),
        relations={UID: "t", gone: '"no such"'},
    )
    report = check(asked)
    assert [(finding.check, finding.verdict) for finding in report.findings] == [
        ("rows", Verdict.ERRORED),
        ("within", PASSED),
    ]


def test_many_relations_are_counted_in_one_query() -> None:
    asked = subject()
    uids = [f"model.flights.t{n}" for n in range(150)]
    asked = but(
        asked,
        nodes={uid: replace(NODE, unique_id=uid) for uid in uids},
        changed=tuple(uids),
        relations=dict.fromkeys(uids, "t"),
    )
    assert len(check(asked).measures) == 300
    assert isinstance(asked.candidate.reader, DuckReader)
    assert len([sql for sql in asked.candidate.reader.asked if "count(*)" in sql]) == 1


def test_bytes_are_those_on_disk(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "side.duckdb")) as connection:
        connection.execute('create schema "my marts"')
        connection.execute('create table "my marts"."a b" as select random() as x from range(1000000)')
        connection.execute("create view v as select 1 as x")
        connection.execute("checkpoint")
        view = "model.flights.v"
        asked = Subject(
            ReleaseView(
                Path(), {UID: NODE, view: replace(NODE, unique_id=view, kind=NodeKind.VIEW)}, (UID, view)
            ),
            candidate=CandidateView(
                reader=DuckReader(connection),
                relations={UID: '"side"."my marts"."a b"', view: '"side"."main"."v"'},
            ),
            tools=ToolsView(history=Told({(UID, "bytes"): [1e6] * 3})),
        )
        report = check(asked, max_bytes_ratio=2, max_rows_ratio=2)
        found = {(item.subject, item.metric): item.value for item in report.measures}
        assert 7e6 < found[UID, "bytes"] < 12e6
        assert (view, "bytes") not in found
        assert found[view, "rows"] == 1
        assert report.verdict is PASSED, "16 MB are nobody's trouble"
        over = check(asked, models={"t": {"bytes": "2 MB"}})
        assert [(one.check, one.verdict, one.limit) for one in over.findings] == [("bytes", FAILED, 2e6)]
        assert "MB (at most 2.0 MB)" in over.findings[0].summary


def test_sizes_as_people_write_them() -> None:
    assert [parse_bytes(text) for text in ("5GB", "1.5 mb", "12", 7)] == [5e9, 1.5e6, 12, 7]


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        ({"bytes": "5 parsecs"}, "is no size: write it as 500MB"),
        ({"rows": "many"}, "rows: 'many' is no number"),
        ({"seconds": -1}, "a limit is not negative"),
        ({"seconds": float("nan")}, "a limit is not negative"),
        ({"second": 1}, "must be 'seconds', 'rows' or 'bytes'"),
    ],
)
def test_a_limit_that_cannot_be_read_is_said(limits: dict[str, object], complaint: str) -> None:
    wrong = {"budget": Own.model_validate({"models": {"t": limits}})}
    with pytest.raises(ConfigInvalid, match=complaint):
        checked(wrong, "sluice.yml")
