"""A part of a release on top of another: whatever is let through is coherent, and what must go along is all that must."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.planning.compose import (
    NodePart,
    PartQuestion,
    Parts,
    check_composition,
    dropped,
    files,
    must_go_along,
    needed_paths,
)

Files = Mapping[str, str]
"""Content by path. A node's own file spells what it is: `2 | reads=n0,n1 | needs=macro0`."""

SHARED = ("macro0", "macro1", "yml0")


def parsed(content: Files) -> Parts:
    """Parse a project whose nodes are the files `n*`: what a node is, is a function of the files that it needs."""
    nodes: dict[str, NodePart] = {}
    for path in sorted(name for name in content if name.startswith("n")):
        _, reads, needs = content[path].split("|")
        parents = tuple(name for name in reads.split(",") if name in nodes)
        wanted = frozenset({path, *(name for name in needs.split(",") if name)})
        own = repr(sorted((name, content.get(name)) for name in wanted))
        above = [nodes[parent].fingerprint for parent in parents]
        nodes[path] = NodePart(own, repr((own, above)), parents, path, wanted)
    return Parts(nodes)


@st.composite
def projects(draw: st.DrawFn) -> tuple[Files, Files]:
    """Two releases of one project: some files changed, some nodes in one of them only."""
    base: dict[str, str] = dict.fromkeys(SHARED, "0")
    source: dict[str, str] = {name: draw(st.sampled_from("01")) for name in SHARED}
    for number in range(draw(st.integers(3, 6))):
        name = f"n{number}"
        where = draw(st.sampled_from(("both", "both", "same", "base", "source")))
        if where != "source":
            base[name] = draw(texts("0", base))
        if where != "base":
            source[name] = base[name] if where == "same" else draw(texts("1", source))
    # What reads a node that is gone would not parse.
    return base, {path: text for path, text in source.items() if not unreadable(path, source)}


@st.composite
def texts(draw: st.DrawFn, version: str, content: Files) -> str:
    """What the next node's file says: it reads what is there."""
    there = sorted(path for path in content if path.startswith("n"))
    reads = draw(st.sets(st.sampled_from(there), max_size=2)) if there else set[str]()
    needs = draw(st.sets(st.sampled_from(SHARED), max_size=1))
    return f"{version}|{','.join(sorted(reads))}|{','.join(sorted(needs))}"


def unreadable(path: str, content: Files) -> bool:
    """Say whether a node reads one that is not there, or one that does."""
    reads = content[path].split("|")[1].split(",") if path.startswith("n") else []
    return any(name and (name not in content or unreadable(name, content)) for name in reads)


def question(base: Files, source: Files, selected: Set[str]) -> PartQuestion:
    differing = {path for path in base.keys() | source.keys() if base.get(path) != source.get(path)}
    return PartQuestion(frozenset(selected), parsed(source), parsed(base), frozenset(differing))


@given(projects(), st.data())
def test_what_is_let_through_is_coherent(project: tuple[Files, Files], data: st.DataObject) -> None:
    base, source = project
    names = sorted(name for name in base.keys() | source.keys() if name.startswith("n"))
    asked = question(base, source, data.draw(st.sets(st.sampled_from(names), min_size=1)))
    along = must_go_along(asked)
    grown = replace(asked, selected=asked.selected | along)
    assert not along & asked.selected
    assert not must_go_along(grown), "the list is complete: with all of it, nothing else is asked for"
    made = files(grown, source, base)
    assert not any(unreadable(path, made) for path in made)
    found = check_composition(grown, parsed(made))
    assert (found.along, found.strange) == (frozenset(), frozenset())
    for uid in grown.selected & grown.source.nodes.keys():
        assert parsed(made).nodes[uid].fingerprint == grown.source.nodes[uid].fingerprint
    for uid in grown.base.nodes.keys() - grown.selected:
        assert parsed(made).nodes[uid].own == grown.base.nodes[uid].own


BASE: Files = {"n0": "0||macro0", "n1": "0|n0|", "n2": "0|n1|macro0", "n3": "0||", "macro0": "0"}


def test_what_reads_a_selected_node_goes_along_by_itself() -> None:
    asked = question(BASE, {**BASE, "n0": "1||macro0"}, {"n0"})
    assert must_go_along(asked) == frozenset()
    assert (needed_paths(asked), dropped(asked)) == ({"n0", "macro0"}, frozenset())


def test_a_changed_node_above_must_go_along() -> None:
    asked = question(BASE, {**BASE, "n0": "1||macro0", "n2": "1|n1|macro0"}, {"n2"})
    assert must_go_along(asked) == {"n0"}


def test_a_shared_macro_brings_all_that_use_it() -> None:
    asked = question(BASE, {**BASE, "macro0": "1"}, {"n0"})
    assert must_go_along(asked) == {"n2"}


def test_who_reads_what_is_removed_must_go_along() -> None:
    source = {path: text for path, text in BASE.items() if path not in {"n1", "n2"}}
    asked = question(BASE, source, {"n1"})
    assert must_go_along(asked) == {"n2"}
    whole = replace(asked, selected=frozenset({"n1", "n2"}))
    assert files(whole, source, BASE).keys() == {"n0", "n3", "macro0"}


def test_a_node_that_moved_leaves_its_old_place() -> None:
    moved = NodePart("x", "x", (), "new/n3", frozenset({"new/n3"}))
    before = replace(parsed(BASE).nodes["n3"])
    asked = PartQuestion(
        frozenset({"n3"}), Parts({"n3": moved}), Parts({"n3": before}), frozenset({"n3", "new/n3"})
    )
    assert files(asked, {"new/n3": "1||"}, {"n3": "0||"}) == {"new/n3": "1||"}


def test_a_test_goes_along_if_all_that_it_looks_at_is_there() -> None:
    asked = question(BASE, {**BASE, "n0": "1||macro0"}, {"n0"})
    tests = (
        (frozenset({"n0", "n3"}), frozenset({"t1"})),
        (frozenset({"n0", "unknown"}), frozenset({"t2"})),
        (frozenset({"n3"}), frozenset({"t3"})),
    )
    asked = replace(asked, source=replace(asked.source, tests=tests))
    assert needed_paths(asked) == {"n0", "macro0", "t1"}


def test_a_composition_that_is_something_else_is_found() -> None:
    asked = question(BASE, {**BASE, "n2": "1|n1|macro0"}, {"n2"})
    good = parsed({**BASE, "n2": "1|n1|macro0"})
    assert check_composition(asked, good).along == frozenset()
    assert check_composition(asked, parsed(BASE)).strange == {"n2"}
    assert check_composition(asked, parsed({**BASE, "n2": "1|n1|macro0", "n3": "9||"})).along == {"n3"}
    assert check_composition(asked, parsed({**BASE, "n2": "1|n1|macro0", "n1": "9|n0|"})).along == {"n1"}
