"""Whom a change reaches, and what changes for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.generation import Cause, Pointer
from prefect_sluice.domain.node import FingerprintParts, Name, NodeKind
from prefect_sluice.planning.impact import ImpactInputs, RowChanges, Schema, reached, without
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason

UID = "model.shop.totals"
BOARD = Consumer("exposure.shop.board", "board", label="Board", owner="Ops", parents=(UID,))
SHAPED = FingerprintParts("w1", rows="r", columns={"id": "i", "total": "t", "late": "l"}, complete=True)


def pointer(uid: str = UID, name: str = "main.totals", inputs: str = "x") -> Pointer:
    return Pointer(Name.parse(name), Name("store", f"{uid}_1"), uid, NodeKind.TABLE, "f", inputs)


def step(
    action: Action = Action.BUILD,
    because: Because = Because.OWN_CODE,
    uid: str = UID,
    name: str = "main.totals",
) -> Step:
    return Step(action, uid, Name.parse(name), NodeKind.TABLE, Reason(because), "f", "x")


def known(
    *steps: Step,
    now: FingerprintParts = SHAPED,
    then: FingerprintParts | None = SHAPED,
    schemas: Mapping[str, tuple[Schema, Schema]] | None = None,
    served: Sequence[Pointer] = (pointer(),),
) -> ImpactInputs:
    plan = Plan(
        "dev",
        Cause.RELEASE,
        "r2",
        1,
        "r1",
        steps or (step(),),
        (),
        (),
        NotesBefore({}, {}, makeup={UID: now}),
    )
    before = NotesBefore({}, {}, makeup={UID: then}) if then else None
    return ImpactInputs(plan, {item.node: item for item in served}, before, schemas or {})


def told(known: ImpactInputs, *consumers: Consumer) -> list[str]:
    return [item.told() for item in reached(known, consumers or (BOARD,))]


def columns(**moved: str) -> FingerprintParts:
    return replace(SHAPED, whole="w2", columns={**SHAPED.columns, **moved})


DROPPED = FingerprintParts("w2", rows="r", columns={"id": "i", "total": "t"}, complete=True)


@pytest.mark.parametrize(
    ("now", "then", "expected"),
    [
        (SHAPED, SHAPED, []),
        (columns(total="other"), SHAPED, ["totals: total changes"]),
        (columns(total="other", late="other"), SHAPED, ["totals: late, total change"]),
        (columns(new="n"), SHAPED, []),
        (DROPPED, SHAPED, ["totals: late is dropped"]),
        (replace(DROPPED, complete=False), SHAPED, ["totals: late changes or is dropped"]),
        (columns(late=""), SHAPED, ["totals: late is dropped"]),
        (replace(columns(total="other"), rows="others"), SHAPED, ["totals: its rows may change"]),
        (replace(DROPPED, rows="others"), SHAPED, ["totals: late is dropped, its rows may change"]),
        (
            FingerprintParts("w2", doubt="a Python model"),
            SHAPED,
            ["totals: any column may change (a Python model)"],
        ),
        (SHAPED, None, ["totals: any column may change"]),
        (replace(SHAPED, whole="w2", complete=False), SHAPED, ["totals: any column may change"]),
        (replace(SHAPED, whole="w2"), SHAPED, []),
    ],
)
def test_what_the_code_tells(
    now: FingerprintParts, then: FingerprintParts | None, expected: list[str]
) -> None:
    assert told(known(now=now, then=then)) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": "INTEGER"}, {"a": "INTEGER", "b": "INTEGER"}, ["totals: new column: b"]),
        ({"a": "INTEGER", "b": "DATE"}, {"A": "INTEGER"}, ["totals: b is dropped"]),
        ({"a": "INTEGER"}, {"b": "INTEGER"}, ["totals: a is dropped (renamed to b?)"]),
        ({"a": "INTEGER"}, {"b": "DATE"}, ["totals: a is dropped, new column: b"]),
        ({"a": "BIGINT"}, {"a": "INTEGER"}, ["totals: a is INTEGER, was BIGINT: narrowed"]),
        ({"a": "INTEGER"}, {"a": "BIGINT"}, ["totals: a is BIGINT, was INTEGER: every value fits"]),
        ({"a b": "DATE"}, {"a b": "VARCHAR"}, ["totals: a b is VARCHAR, was DATE"]),
    ],
)
def test_what_the_columns_tell(before: Schema, after: Schema, expected: list[str]) -> None:
    every: Schema = {"a": "p", "b": "p", "a b": "p"}
    one = FingerprintParts("w1", rows="r", columns=every)
    assert told(known(now=replace(one, whole="w2"), then=one, schemas={UID: (before, after)})) == expected


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        (RowChanges(), []),
        (RowChanges(("total",)), ["totals: total changes"]),
        (RowChanges(("late",), "3 rows come"), ["totals: late changes, 3 rows come"]),
    ],
)
@pytest.mark.parametrize(
    "now", [FingerprintParts("w2", doubt="a Python model"), replace(SHAPED, whole="w2", rows="others")]
)
def test_what_was_counted_takes_the_place_of_what_the_code_tells(
    now: FingerprintParts, counted: RowChanges, expected: list[str]
) -> None:
    assert told(replace(known(now=now), counted={UID: counted})) == expected


def test_a_column_that_a_star_hands_on_may_change() -> None:
    there = {"id": "INTEGER", "handed": "INTEGER"}
    assert told(known(now=replace(SHAPED, whole="w2"), schemas={UID: (there, there)})) == [
        "totals: handed changes"
    ]


def test_a_consumer_is_reached_by_what_it_reads_only() -> None:
    changed = known(now=columns(total="other"))
    assert told(changed, replace(BOARD, columns={UID: ("ID", "late")})) == []
    assert told(changed, replace(BOARD, columns={UID: ("Total",)})) == ["totals: total changes"]
    assert told(changed, replace(BOARD, parents=("model.shop.other",))) == []
    rows = known(now=replace(columns(), rows="others"))
    assert told(rows, replace(BOARD, columns={UID: ("id",)})) == ["totals: its rows may change"]


def test_new_data_reaches_who_reads_it() -> None:
    assert told(known(served=(pointer(inputs="older"),))) == ["totals: new data"]
    both = known(now=columns(total="other"), served=(pointer(inputs="older"),))
    assert told(both) == ["totals: total changes, new data"]


def test_what_stays_or_is_new_reaches_nobody() -> None:
    assert told(known(step(Action.REUSE, Because.UNCHANGED), now=columns(total="other"))) == []
    assert told(known(now=columns(total="other"), served=())) == []


def test_going_back_to_an_older_relation_is_a_change() -> None:
    back = step(Action.REUSE, Because.KEPT)
    assert told(known(back, now=columns(total="other"))) == ["totals: total changes"]


def test_a_relation_that_goes_breaks_who_names_it() -> None:
    reader = replace(BOARD, parents=(), columns={"totals": ("id",)})
    [found] = reached(known(step(Action.REMOVE)), [reader])
    assert (found.told(), len(found.breaking)) == ("totals: is removed", 1)
    by_name = replace(BOARD, parents=(), columns={"main.totals": ("id",)})
    assert told(known(step(Action.REMOVE)), by_name) == ["totals: is removed"]


def test_a_name_that_another_takes_over_goes_on() -> None:
    other = step(uid="model.shop.sums", name="MAIN.Totals")
    assert told(known(step(Action.REMOVE), other)) == []


def test_a_relation_that_moves_breaks_who_reads_it() -> None:
    [found] = reached(known(step(name="mart.totals")), [BOARD])
    assert found.told() == "totals: is now mart.totals, was main.totals"
    assert found.breaking
    again = step(uid="model.shop.stub", name="main.totals")
    assert told(known(step(name="mart.totals"), again)) == []


def test_as_json() -> None:
    [found] = reached(known(now=DROPPED), [BOARD])
    assert found.document() == {
        "consumer": "exposure.shop.board",
        "name": "Board",
        "kind": "",
        "owner": "Ops",
        "url": "",
        "breaking": True,
        "effects": [
            {
                "relation": UID,
                "column": "late",
                "change": "dropped",
                "breaking": True,
                "before": "",
                "after": "",
                "text": "late is dropped",
            }
        ],
    }
    assert found.title == "Board (Ops)"


def test_what_no_longer_breaks_is_told_apart() -> None:
    gone = known(now=DROPPED)
    before = reached(gone, [BOARD])
    now = reached(gone, [replace(BOARD, columns={UID: ("id",)})])
    assert [item.told() for item in without(before, now)] == ["totals: late is dropped"]
    assert without(before, before) == ()
