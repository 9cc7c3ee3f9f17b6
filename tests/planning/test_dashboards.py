"""Dashboards by the names that people use, and what is told of their promotion, without dbt."""

from __future__ import annotations

import pytest

from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.node import FingerprintParts, Name, NodeKind
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport, Likeness, Verdict
from prefect_sluice.planning.dashboards import called, find_consumer, picked, selector
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason
from prefect_sluice.reporting.styled_text import plain
from prefect_sluice.reporting.terminal.dashboard import sentences, story, story_markdown

SCORES = Consumer(
    "exposure.shop.scores", "scores", label="Air <scores>", owner="Ops", parents=("model.s.totals",)
)
BOARD = Consumer("exposure.shop.board", "board", label="Board", parents=("model.s.orders", "model.s.extra"))
ALL = (SCORES, BOARD)


@pytest.mark.parametrize(
    "text", ["scores", "Air <scores>", "air  <SCORES>", "Air <scores> (Ops)", "exposure.shop.scores"]
)
def test_it_is_found_by_the_name_that_people_use(text: str) -> None:
    assert find_consumer(ALL, text, "dev") is SCORES


def test_an_unknown_one_is_answered_with_the_known() -> None:
    with pytest.raises(
        BadInput,
        match=r"^what dev serves has no dashboard 'Bord' \(did you mean 'Board'\?\); it has: Air <scores>, Board",
    ):
        find_consumer(ALL, "Bord", "dev")
    with pytest.raises(BadInput, match="what dev serves declares no dashboard"):
        find_consumer((), "Board", "dev")
    with pytest.raises(BadInput, match="'Board' is any of board, other"):
        find_consumer((*ALL, Consumer("exposure.shop.other", "other", label="Board")), "Board", "dev")


@pytest.mark.parametrize(
    ("select", "name"),
    [
        ("+exposure:board", "board"),
        ("exposure:board", ""),
        ("+exposure:b*", ""),
        ("+exposure:a +exposure:b", ""),
        ("orders", ""),
    ],
)
def test_a_selector_tells_whose_reading_it_is(select: str, name: str) -> None:
    assert picked(select) == name
    assert picked(selector(BOARD)) == "board"
    assert called(ALL, "board") is BOARD


def step(name: str, action: Action = Action.BUILD, because: Because = Because.OWN_CODE) -> Step:
    """Return one step."""
    return Step(action, f"model.s.{name}", Name("main", name), NodeKind.TABLE, Reason(because))


def plan() -> Plan:
    """Return a plan in which `orders` and what reads it moves, `clicks` stays, and `other` reads `orders`, too."""
    reads = {"orders": ("raw",), "totals": ("orders", "clicks"), "other": ("orders",)}
    makeup = {
        f"model.s.{name}": FingerprintParts("", reads=dict.fromkeys(f"model.s.{one}" for one in parents))
        for name, parents in reads.items()
    }
    steps = (
        step("clicks", Action.REUSE, Because.UNCHANGED), step("orders"), step("totals"), step("other"),
        step("fresh", because=Because.NEW),
    )  # fmt: skip
    return Plan("prod", Cause.PROMOTION, "a", 1, "b", steps, (), (), NotesBefore({}, {}, makeup=makeup))


def found(name: str, changed: str | None, columns: tuple[tuple[str, str], ...] = ()) -> Finding:
    """Return what the diff says of a relation of 4,000 rows; None is that it is the same."""
    if changed is None:
        return Finding(
            "diff", name, Verdict.PASSED, f"{name}: identical, 4000 rows", (f"model.s.{name}",),
            likeness=Likeness.SAME,
        )  # fmt: skip
    rows = (("before", "4000"), ("added", "0"), ("removed", "2"), ("changed", changed))
    more = (
        Evidence(("rows", "count"), rows, 4, title="rows"),
        Evidence(("column", "changed"), columns, len(columns), title="columns"),
    )
    return Finding("diff", name, Verdict.PASSED, f"{name}: …", subjects=(f"model.s.{name}",), more=more)


def test_the_story_counts_what_readers_find_changed() -> None:
    delays = found("orders", "1200", (("id", "0"), ("delay", "0.3")))
    findings = (delays, found("totals", None), found("other", "1", (("n", "0.1"),)))
    told = story(SCORES, ALL, plan(), reports=(GateReport("diff", findings),))
    assert sentences(told) == (
        "Dashboard Air <scores> (Ops): 1 of the 3 relations that it reads changes in prod",
        "orders: 1,200 of 4,000 rows change, in delay, 2 go",
        "built anew with the same rows: 1 more relation",
        "It does not read these, and they change because they read one that it does:",
        "other: 1 of 4,000 rows changes, in n, 2 go",
        "fresh: is new",
        "Other dashboards see a change, too: Board: orders",
    )
    assert "Air \\<scores\\>" in story_markdown(told)


def test_before_anything_is_built_it_says_so() -> None:
    told = story(BOARD, ALL, plan())
    first, *rest = sentences(told)
    assert first.endswith(
        "the one relation that it reads changes in prod, by their code (nothing is built yet)"
    )
    assert rest[0] == "orders: its own code changed"
    assert plain([]) == ""
