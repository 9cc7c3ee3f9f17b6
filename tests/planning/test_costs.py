"""What a plan is expected to cost, by what was built before."""

from __future__ import annotations

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.planning.costs import ExpectedCosts, costs
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason
from prefect_sluice.reporting.terminal.plan import costs_line


def plan(**actions: Action) -> Plan:
    steps = tuple(
        Step(action, uid, Name("m", uid), NodeKind.TABLE, Reason(Because.NEW), "f", "x")
        for uid, action in actions.items()
    )
    return Plan("prod", Cause.RELEASE, "r", 1, "q", steps, (), (), NotesBefore({}, {}))


def test_the_usual_seconds_and_what_there_was_last() -> None:
    made = plan(a=Action.BUILD, b=Action.CARRY, c=Action.REUSE, d=Action.BUILD)
    past = {
        ("a", "seconds"): (30.0, 10.0, 20.0, 20.0, 20.0, 9000.0),
        ("a", "rows"): (1_000_000.0, 5.0),
        ("a", "bytes"): (80 * 2.0**20,),
        ("b", "seconds"): (500.0,),
        ("b", "seconds carried"): (20.0, 40.0),
        ("b", "rows"): (200_000.0,),
        ("c", "seconds"): (7.0,),
    }
    found = costs(made, past)
    assert found == ExpectedCosts(3, 2, 2, 50.0, 1_200_000, 80 * 2**20)
    assert costs_line(found) == (
        "expected: about 50 s (from 2 builds), 1.2 M rows, 83.9 MB; of 1 relation the time is not known yet"
    )


def test_without_a_past_nothing_is_guessed() -> None:
    assert costs_line(costs(plan(a=Action.BUILD), {})) == (
        "expected: not known yet (nothing of it was built and served here before)"
    )
    assert costs_line(costs(plan(c=Action.REUSE), {})) == ""
