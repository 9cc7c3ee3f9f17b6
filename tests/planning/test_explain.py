"""Why a node is built or reused: the ingredient, the column or the data that speaks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.node import FingerprintParts, Name, Node, NodeKind
from prefect_sluice.planning.explain import ChangedParent, Extent, why
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason
from prefect_sluice.reporting.styled_text import plain
from prefect_sluice.reporting.terminal.explain import why_lines

P, C = "model.shop.p", "model.shop.c"
PARENT = FingerprintParts("p1", {"code": "1"}, "r1", {"id": "i1", "amount": "a1", "day": "d1"})
CHILD = FingerprintParts("c1", {"code": "1", "var x": "1"}, "r", {"id": "1"}, {P: ("amount", "id")})
NODE = Node(
    C, NodeKind.TABLE, Name("main", "c"), "", "sql", (), "", parents=(P,), sources=(Name("raw", "orders"),)
)


def planned(makeup: Mapping[str, FingerprintParts], versions: Mapping[str, str] | None = None) -> Plan:
    step = Step(Action.REUSE, C, Name("main", "c"), NodeKind.TABLE, Reason(Because.UNCHANGED))
    return Plan(
        "dev", Cause.RELEASE, "r", 1, "r0", (step,), (), (), NotesBefore({}, {}, versions or {}, makeup)
    )


def told(
    parent: FingerprintParts = PARENT, child: FingerprintParts = CHILD, before: NotesBefore | None = None
) -> str:
    then = before or NotesBefore({}, {}, {}, {P: PARENT, C: CHILD})
    return plain(why_lines(why(planned({P: parent, C: child}), then, {C: NODE}, C))).splitlines()[-1].strip()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "nothing that it is made of changed"),
        ({"columns": {**PARENT.columns, "day": "d2", "one": "1"}}, "p changed in columns day, one only, which it does not read"),
        ({"columns": {**PARENT.columns, "amount": "a2", "day": "d2"}}, "p changed in column amount, which it reads"),
        ({"columns": {"id": "i1", "day": "d1"}}, "p changed in column amount, which it reads"),
        ({"rows": "r2"}, "p has other rows"),
        ({"rows": "", "columns": {}}, "p changed, and it reads all of it"),
        ({"parts": {"code": "2"}}, "p changed in nothing that it reads"),
    ],
)  # fmt: skip
def test_what_changed_in_a_parent(changes: dict[str, object], line: str) -> None:
    other = replace(PARENT, **changes, whole="p2") if changes else PARENT  # pyright: ignore[reportArgumentType]  # the cases give the fields
    assert told(other) == line


def test_a_parent_that_came_left_or_is_read_whole() -> None:
    new = replace(CHILD, reads={P: None, "model.shop.q": ("id",)})
    found = why(
        planned({P: replace(PARENT, whole="p2"), C: new}),
        NotesBefore({}, {}, {}, {P: PARENT, C: CHILD}),
        {C: NODE},
        C,
    )
    assert found.above == (ChangedParent(P, Extent.ALL), ChangedParent("model.shop.q", Extent.ALL))
    parents = [{"node": uid, "read": ["all of it"], "unread": [], "doubt": ""} for uid in (P, "model.shop.q")]
    assert [item.document() for item in found.above] == parents


def test_a_column_called_rows_is_a_column() -> None:
    parent = replace(PARENT, columns={**PARENT.columns, "rows": "2"}, whole="p2")
    child = replace(CHILD, reads={P: ("rows",)})
    then = NotesBefore({}, {}, {}, {P: replace(PARENT, columns={**PARENT.columns, "rows": "1"}), C: child})
    assert told(parent, child, then) == "p changed in column rows, which it reads"


def test_ingredients_of_its_own() -> None:
    assert told(child=replace(CHILD, parts={"code": "2", "config materialized": "1"})) == (
        "changed of its own: code, config materialized, var x"
    )
    many = {f"macro m{number}": "1" for number in range(12)}
    assert told(child=replace(CHILD, parts={**CHILD.parts, **many})).endswith("and 4 more")


def test_new_data() -> None:
    before = NotesBefore({}, {}, {"raw.orders": "1"}, {P: PARENT, C: CHILD})
    found = why(planned({P: PARENT, C: CHILD}, {"raw.orders": "2"}), before, {C: NODE}, C)
    assert found.fresh == ("raw.orders",)
    assert "new data in raw.orders" in plain(why_lines(found))
    assert found.document() == {
        "node": C, "name": "main.c", "action": "reuse", "reason": "unchanged", "compared": True,
        "changed": [], "parents": [], "new_data": ["raw.orders"],
    }  # fmt: skip


@pytest.mark.parametrize("before", [None, NotesBefore({}, {}), NotesBefore({}, {}, {}, {P: PARENT})])
def test_nothing_to_compare_with(before: NotesBefore | None) -> None:
    found = why(planned({P: PARENT, C: CHILD}), before, {C: NODE}, C)
    assert not found.noted
    assert "nothing is noted of what serves" in plain(why_lines(found))
