"""What a node reads, and what reads it."""

from __future__ import annotations

from prefect_sluice.domain.node import Name, Node, NodeKind, ancestors, descendants

READS = {"a": (), "b": ("a",), "c": ("b", "source.x"), "d": ("a",), "e": ("c", "d")}
NODES = {
    uid: Node(uid, NodeKind.TABLE, Name("main", uid), "", "sql", (), "f", parents=parents)
    for uid, parents in READS.items()
}


def test_ancestors_are_all_that_is_read_and_nothing_else() -> None:
    assert ancestors(NODES, ["c"]) == {"a", "b"}
    assert ancestors(NODES, ["e", "c"]) == {"a", "b", "c", "d"}, "c, since e reads it"
    assert ancestors(NODES, ["a", "nobody"]) == set()


def test_ancestors_within_are_reached_through_these_only() -> None:
    assert ancestors(NODES, ["e"], {"c", "d", "a"}) == {"c", "d", "a"}
    assert ancestors(NODES, ["e"], {"c", "a"}) == {"c"}


def test_who_is_above_has_one_below() -> None:
    for uid in NODES:
        assert ancestors(NODES, [uid]) == {other for other in NODES if uid in descendants(NODES, [other])}
