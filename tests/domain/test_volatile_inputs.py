"""What the clock and chance answer, and which answer a refresh and a release take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest

from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.planning import volatile_inputs
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.refresh_subset import source_texts

NOW = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
URL = "file:https://example.com/x.csv"


def node(name: str, fingerprint: str = "f", /, **more: object) -> Node:
    return Node(name, NodeKind.TABLE, Name("main", name), "", "sql", (name,), fingerprint, **more)  # pyright: ignore[reportArgumentType]  # the cases give the fields


def live(*nodes: Node) -> Generation:
    pointers = tuple(
        Pointer(item.name, Name("store", item.unique_id), item.unique_id, item.kind, item.fingerprint, "i")
        for item in nodes
    )
    return Generation("prod", 1, "r", "p", 1, Cause.RELEASE, 1, NOW, pointers)


def project(*nodes: Node) -> Mapping[str, Node]:
    return {item.unique_id: item for item in nodes}


def test_each_node_has_an_answer_of_its_own_and_the_day_is_that_of_utc() -> None:
    nodes = project(node("a", volatile=("clock:day", "random")), node("b", volatile=("clock:now",)))
    there = NOW.astimezone(timezone(timedelta(hours=-5)))
    assert volatile_inputs.versions(nodes, there, "?") == {
        "clock:day in a": "2026-03-02",
        "random in a": "?",
        "clock:now in b": "?",
    }


@pytest.mark.parametrize(
    ("cause", "code", "version"),
    [(Cause.REFRESH, "f", "new"), (Cause.RELEASE, "f", "old"), (Cause.RELEASE, "changed", "new")],
)
@pytest.mark.parametrize("reads", [{"volatile": ("random",)}, {"files": ("https://example.com/x.csv",)}])
def test_a_release_keeps_the_answer_of_unchanged_code(
    cause: Cause, code: str, version: str, reads: dict[str, tuple[str, ...]]
) -> None:
    before, now = node("a", **reads), node("a", code, **reads)
    (text,) = source_texts(now)
    found = volatile_inputs.settled(
        cause, project(now), {text: "new", "raw.x": "1"}, frozenset({text}), live(before), NotesBefore({}, {}, {text: "old"})
    )  # fmt: skip
    assert found == {text: version, "raw.x": "1"}


def test_what_one_changed_node_reads_anew_all_its_readers_do() -> None:
    """Or two relations of one release would hold two versions of it."""
    reads = {"files": ("https://example.com/x.csv",)}
    nodes = project(node("a", **reads), node("b", "changed", **reads))
    served = live(node("a", **reads), node("b", **reads))
    before = NotesBefore({}, {}, {URL: "old"})
    assert volatile_inputs.settled(Cause.RELEASE, nodes, {URL: "new"}, frozenset({URL}), served, before) == {
        URL: "new"
    }


def test_a_node_that_stayed_behind_keeps_what_it_was_built_from() -> None:
    item = node("a", volatile=("clock:day",))
    before = NotesBefore(
        {}, {}, {"clock:day in a": "2026-03-01"}, behind={"a": {"clock:day in a": "2026-02-27"}}
    )
    found = volatile_inputs.settled(
        Cause.RELEASE, project(item), {"clock:day in a": "2026-03-02"}, frozenset({"clock:day in a"}), live(item), before
    )  # fmt: skip
    assert found == {"clock:day in a": "2026-02-27"}


def test_nothing_is_kept_where_nothing_was_noted() -> None:
    item = node("a", volatile=("clock:day",))
    text = {"clock:day in a": "2026-03-02"}
    assert (
        volatile_inputs.settled(Cause.RELEASE, project(item), text, frozenset(text), live(item), None) == text
    )
    empty = NotesBefore({}, {})
    assert (
        volatile_inputs.settled(Cause.RELEASE, project(item), text, frozenset(text), live(item), empty)
        == text
    )
