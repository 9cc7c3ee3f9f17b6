"""Which nodes a run shows, and in what state: worked out without Prefect's server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from prefect_sluice.orchestration.shown.node_runs import bounded, state_of
from prefect_sluice.runtime.events import NodeDone, NodeFate

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def node(name: str, fate: NodeFate = NodeFate.BUILT, minute: int = 0) -> NodeDone:
    """A node that took a minute."""
    started = AT + timedelta(minutes=minute)
    return NodeDone(f"model.p.{name}", "model", name, fate, "said", started, started + timedelta(minutes=1))


def test_few_nodes_are_all_shown_in_their_order() -> None:
    done = (node("a"), node("b", NodeFate.FAILED))
    assert bounded(done, most=2) == (done, None)


def test_of_many_the_bad_ones_are_shown_and_the_rest_is_summed_up() -> None:
    """Nobody is to look for the one that failed among a thousand that did not."""
    done = (
        *(node(f"m{place}", minute=place) for place in range(5)),
        node("bad", NodeFate.FAILED),
        node("left", NodeFate.SKIPPED),
    )
    shown, rest = bounded(done, most=3)
    assert [item.name for item in shown] == ["bad", "left", "m0"]
    assert rest is not None
    assert (rest.kind, rest.name, rest.message, rest.fate) == ("and", "4 more", "4 built", NodeFate.BUILT)
    assert (rest.started, rest.ended) == (AT + timedelta(minutes=1), AT + timedelta(minutes=5))


def test_a_failure_among_the_rest_is_not_hidden() -> None:
    done = tuple(node(f"m{place}", NodeFate.FAILED) for place in range(3))
    _, rest = bounded(done, most=1)
    assert rest is not None
    assert (rest.fate, rest.message) == (NodeFate.FAILED, "2 failed")


@pytest.mark.parametrize(
    ("fate", "kind", "name"),
    [
        (NodeFate.BUILT, "COMPLETED", "Built"),
        (NodeFate.PASSED, "COMPLETED", "Passed"),
        (NodeFate.WARNED, "COMPLETED", "Warned"),
        (NodeFate.FAILED, "FAILED", "Failed"),
        (NodeFate.SKIPPED, "CANCELLED", "Skipped"),
    ],
)
def test_the_state_says_what_became_of_it(fate: NodeFate, kind: str, name: str) -> None:
    state = state_of(node("a", fate))
    assert (state.type.value, state.name, state.message) == (kind, name, "said")
    assert state.timestamp == AT + timedelta(minutes=1)
