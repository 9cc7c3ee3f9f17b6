"""Which relations may be renewed without the others: against a brute force that builds them, and looks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.planning.refresh_subset import RefreshSubset, behind, built_after, built_from, cut


def node(name: str, parents: Collection[str] = (), sources: Collection[str] = ()) -> Node:
    return Node(
        name, NodeKind.TABLE, Name("main", name), "", "sql", (name,), "f",
        parents=tuple(parents), sources=tuple(Name("raw", source) for source in sources),
    )  # fmt: skip


def project(*nodes: Node) -> Mapping[str, Node]:
    return {item.unique_id: item for item in nodes}


SHOP = project(
    node("orders", sources="o"),
    node("payments", sources="p"),
    node("days", sources="d"),
    node("paid", ["orders", "payments"]),
    node("total", ["payments"]),
    node("both", ["total"], "p"),
)
OLD = {"raw.o": "1", "raw.p": "1", "raw.d": "1"}


def asked(wanted: str, **fresh: str) -> RefreshSubset:
    now = {**OLD, **{f"raw.{source}": version for source, version in fresh.items()}}
    was = built_from(SHOP, SHOP, OLD, {})
    stale = {
        uid for uid, item in SHOP.items() if any(now[str(name)] != OLD[str(name)] for name in item.sources)
    }
    return cut(SHOP, was, now, stale=stale, wanted=wanted.split())


@pytest.mark.parametrize(
    ("wanted", "fresh", "renewed", "missing"),
    [
        ("orders", {"o": "2"}, "orders paid", ""),
        ("orders", {"p": "2"}, "", ""),
        ("paid", {"o": "2", "p": "2"}, "", ""),
        ("orders", {"o": "2", "p": "2"}, "orders paid", ""),
        ("both", {"p": "2"}, "both", "payments"),
        ("payments", {"p": "2"}, "payments paid total both", ""),
        ("days", {"p": "2", "d": "2"}, "days", ""),
    ],
)
def test_what_goes_along_and_what_is_missing(
    wanted: str, fresh: dict[str, str], renewed: str, missing: str
) -> None:
    found = asked(wanted, **fresh)
    assert found.renewed == set(renewed.split())
    assert found.along == found.renewed - set(wanted.split())
    assert found.missing == set(missing.split())
    assert found.holds is not bool(missing)


def test_nodes_that_are_behind_are_remembered_as_such() -> None:
    now = {**OLD, "raw.o": "2", "raw.p": "2"}
    after = built_after(SHOP, built_from(SHOP, SHOP, OLD, {}), now, ["orders", "paid"])
    noted = behind(after, now)
    assert noted == {uid: {"raw.p": "1"} for uid in ("payments", "paid", "total", "both")}
    assert built_from(SHOP, SHOP, now, noted)["paid"] == {"raw.o": "2", "raw.p": "1"}


# ---- any project, any history --------------------------------------------------------------------------

SOURCES: tuple[str, ...] = ("a", "b", "c")


@st.composite
def projects(draw: st.DrawFn) -> Mapping[str, Node]:
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 6))):
        names = [item.unique_id for item in nodes]
        parents = draw(st.sets(st.sampled_from(names), max_size=3)) if names else set[str]()
        sources = draw(st.sets(st.sampled_from(SOURCES), max_size=2, min_size=0 if parents else 1))
        nodes.append(node(f"n{number}", sorted(parents), sorted(sources)))
    return project(*nodes)


class World:
    """Relations as what they are made of: for each node the versions it has seen, and which relation of each parent."""

    def __init__(self, nodes: Mapping[str, Node], now: Mapping[str, int]) -> None:
        self.nodes = nodes
        self.seen: dict[str, frozenset[tuple[str, int]]] = {}
        self.read: dict[str, dict[str, int]] = {}
        self.number = dict.fromkeys(nodes, 0)
        self.build(nodes, now)

    def build(self, which: Collection[str], now: Mapping[str, int]) -> None:
        for uid, item in self.nodes.items():
            if uid in which:
                own = {(source.identifier, now[source.identifier]) for source in item.sources}
                self.seen[uid] = frozenset(own).union(*(self.seen[parent] for parent in item.parents))
                self.read[uid] = {parent: self.number[parent] for parent in item.parents}
                self.number[uid] += 1
                for parent in item.parents:
                    self.read[uid][parent] = self.number[parent]

    @property
    def is_sound(self) -> bool:
        """No relation saw two versions of one source; none was built from an older parent than the one that is there."""
        torn = any(len({name for name, _ in seen}) < len(seen) for seen in self.seen.values())
        old = any(
            self.number[parent] != number for read in self.read.values() for parent, number in read.items()
        )
        return not torn and not old

    def copy(self) -> World:
        other = World.__new__(World)
        other.nodes, other.seen = self.nodes, dict(self.seen)
        other.read = {uid: dict(read) for uid, read in self.read.items()}
        other.number = dict(self.number)
        return other

    def after(self, which: Collection[str], now: Mapping[str, int]) -> World:
        other = self.copy()
        other.build(which, now)
        return other


def decide(world: World, noted: Mapping[str, Mapping[str, str]], noted_for: Mapping[str, str],
           now: Mapping[str, str], wanted: Collection[str]) -> tuple[RefreshSubset, set[str]]:  # fmt: skip
    was = built_from(world.nodes, world.nodes, noted_for, noted)
    stale = {
        uid
        for uid, item in world.nodes.items()
        if any(was[uid][str(name)] != now[str(name)] for name in item.sources)
    }
    return cut(world.nodes, was, now, stale=stale, wanted=wanted), stale


@given(projects(), st.data())
def test_any_refresh_of_any_part_leaves_a_sound_world_and_asks_for_no_more_than_it_must(
    nodes: Mapping[str, Node], data: st.DataObject
) -> None:
    """Through a history of loads and partial refreshes: what holds is sound, what does not is not, what is missing is least."""
    numbers: dict[str, int] = dict.fromkeys(SOURCES, 0)
    world = World(nodes, numbers)
    noted_for, noted = texts(numbers), dict[str, Mapping[str, str]]()
    for _ in range(data.draw(st.integers(1, 4))):
        for source in data.draw(st.sets(st.sampled_from(SOURCES))):
            numbers[source] += 1
        now = texts(numbers)
        wanted = data.draw(st.sets(st.sampled_from(sorted(nodes))))
        found, stale = decide(world, noted, noted_for, now, wanted)
        assert found.holds is world.after(found.renewed, numbers).is_sound
        assert not found.torn
        if not found.holds:
            whole, _ = decide(world, noted, noted_for, now, wanted | found.missing)
            assert whole.holds
            assert world.after(whole.renewed, numbers).is_sound
            for fewer in subsets(stale - wanted):
                other, _ = decide(world, noted, noted_for, now, wanted | set(fewer))
                assert not other.holds or whole.renewed <= other.renewed
            continue
        was = built_from(nodes, nodes, noted_for, noted)
        world = world.after(found.renewed, numbers)
        noted, noted_for = behind(built_after(nodes, was, now, found.renewed), now), now
        for uid, texts_of in built_from(nodes, nodes, noted_for, noted).items():
            assert {(text[4:], int(version)) for text, version in texts_of.items()} == world.seen[uid]


@given(projects(), st.data())
def test_everything_renewed_is_always_sound(nodes: Mapping[str, Node], data: st.DataObject) -> None:
    world = World(nodes, dict.fromkeys(SOURCES, 0))
    moved = {source: data.draw(st.integers(0, 1)) for source in SOURCES}
    found, _ = decide(world, {}, texts(dict.fromkeys(SOURCES, 0)), texts(moved), nodes)
    assert found.holds
    assert not found.along


def texts(numbers: Mapping[str, int]) -> dict[str, str]:
    return {f"raw.{source}": str(number) for source, number in numbers.items()}


def subsets(items: Collection[str]) -> list[tuple[str, ...]]:
    ordered = sorted(items)
    return list(chain.from_iterable(combinations(ordered, size) for size in range(len(ordered) + 1)))
