"""The plan of a baseline: what is to be compared and what it reads, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason
from prefect_sluice.stages.candidate.baseline import only


def step(name: str, action: Action) -> Step:
    return Step(
        action,
        f"model.shop.{name}",
        Name("main", name),
        NodeKind.TABLE,
        Reason(Because.NEW_DATA, "raw"),
        "f",
        "x",
    )


def test_what_is_not_asked_for_stays_as_it_serves() -> None:
    made = (step(name, Action.BUILD) for name in ("a", "b", "new"))
    steps = (*made, step("same", Action.REUSE))
    plan = Plan("dev", Cause.REFRESH, "r1", 1, "r1", steps, (), (), NotesBefore({}, {}))
    pointers = tuple(
        Pointer(Name("main", name), Name("s", name), f"model.shop.{name}", NodeKind.TABLE, "f", "w")
        for name in ("a", "b", "same")
    )
    live = Generation("dev", 1, "r1", "p1", 1, Cause.RELEASE, 1, datetime(2026, 3, 1, tzinfo=UTC), pointers)
    found = only(plan, {"model.shop.a"}, live)
    assert found.made == ("model.shop.a",)
    kept = {each.node: each.pointer for each in found.of(Action.REUSE)}
    assert kept["model.shop.b"] == pointers[1]
    assert set(kept) == {"model.shop.b", "model.shop.same"}, "what serves nowhere is not there"
