"""Adoption as a value: which pointers it gives, what the plan makes of them, and that a document of it comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from prefect_sluice.domain import adoption
from prefect_sluice.domain.adoption import Adopted, AdoptionTarget
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.planning.make_plan import PlanInputs, make_plan
from prefect_sluice.planning.plan import Action

EMPTY = Generation("prod", 0, "", "", 0, Cause.RELEASE, 0, datetime(2026, 3, 1, tzinfo=UTC), ())
NAME = Name("mart", "orders")
ITEM = Adopted(NAME, Name("store", "orders__adopted_1"), False, "content", loses=("indexes",))


def planned(kind: NodeKind, item: Adopted = ITEM) -> tuple[Action, str]:
    """Return what a first plan does with a node whose name is held by `item`, and from where."""
    node = Node("model.shop.orders", kind, Name("mart", "ORDERS"), "", "sql", (), "print")
    live = adoption.before_moving(EMPTY, (item,), {NAME: AdoptionTarget(node.unique_id, kind)})
    asked = PlanInputs("prod", Cause.RELEASE, "r", {node.unique_id: node}, {}, {}, live, {}, None)
    (step,) = make_plan(asked).steps
    return step.action, str(step.pointer.address) if step.pointer else ""


@pytest.mark.parametrize("kind", list(NodeKind))
def test_history_goes_on_and_the_rest_is_built(kind: NodeKind) -> None:
    expected = (Action.CARRY, "mart.orders") if kind.keeps_history else (Action.BUILD, "")
    assert planned(kind) == expected


@pytest.mark.parametrize("kind", list(NodeKind))
def test_a_view_has_no_history(kind: NodeKind) -> None:
    assert planned(kind, replace(ITEM, is_view=True)) == (Action.BUILD, "")


def test_the_inputs_of_a_carried_one_hold_what_was_adopted() -> None:
    """Other rows adopted are another plan, so an approval is of these rows."""
    node = Node("model.shop.orders", NodeKind.SNAPSHOT, NAME, "", "sql", (), "print")

    def digest(content: str) -> str:
        live = adoption.before_moving(
            EMPTY, (replace(ITEM, content=content),), {NAME: AdoptionTarget(node.unique_id, node.kind)}
        )
        return make_plan(
            PlanInputs("prod", Cause.RELEASE, "r", {node.unique_id: node}, {}, {}, live, {}, None)
        ).digest

    assert digest("a") != digest("b")


def test_generation_zero_leads_to_the_store() -> None:
    first = replace(EMPTY, number=1, release="r", promotion="p", token=3)
    zero = adoption.zero(first, (ITEM,), {NAME: AdoptionTarget("model.shop.orders", NodeKind.VIEW)})
    (pointer,) = zero.pointers
    assert (zero.number, zero.cause, zero.promotion, zero.token) == (0, Cause.ADOPTION, "", 3)
    assert (pointer.name, pointer.address, pointer.kind) == (NAME, ITEM.address, NodeKind.TABLE)
    assert adoption.is_adopted(pointer)


def test_it_comes_back_from_its_document() -> None:
    items = (ITEM, Adopted(Name("my.mart", "v"), Name("store", "v__1"), True, "c", "select 1"))
    assert adoption.read(adoption.document(items)) == items


@pytest.mark.parametrize(
    "name", [Name("a", "b"), Name("a", "b.c"), Name("a.b", "c"), Name('"a', "b"), Name('a".b', 'c."d"')]
)
def test_a_name_comes_back_from_its_text(name: Name) -> None:
    assert Name.parse(str(name)) == name
