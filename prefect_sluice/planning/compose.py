"""A part of one release on top of another: which files it takes, and what else would have to go along. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from prefect_sluice.domain.node import ancestors


@dataclass(frozen=True, slots=True)
class NodePart:
    """One node, as a composition sees it. `own` is the digest of the node itself, `fingerprint` that of it and all above;
    `parents` are unique ids, `path` its own file ("" in an installed package) and `files` all that it needs, as paths in
    the repository."""

    own: str
    fingerprint: str
    parents: tuple[str, ...]
    path: str
    files: frozenset[str]


@dataclass(frozen=True, slots=True)
class Parts:
    """A parsed release: its nodes by unique id, and per test the nodes that it looks at and the files that it needs."""

    nodes: Mapping[str, NodePart]
    tests: tuple[tuple[frozenset[str], frozenset[str]], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class PartQuestion:
    """A part to promote: `selected` are unique ids of `source`, or of `base` where they are to go; `differing` are the
    paths whose content is not the same in both."""

    selected: frozenset[str]
    source: Parts
    base: Parts
    differing: frozenset[str]

    @property
    def removed(self) -> frozenset[str]:
        """Selected nodes that the source has no more."""
        return self.selected - self.source.nodes.keys()

    def differs(self, uid: str) -> bool:
        """Say whether a node's own code is not the same in both releases."""
        one, other = self.source.nodes.get(uid), self.base.nodes.get(uid)
        return one is None or other is None or one.own != other.own


def needed_paths(question: PartQuestion) -> frozenset[str]:
    """Return the paths that the selected nodes, and the tests on them, need of the source."""
    nodes = [question.source.nodes[uid] for uid in question.selected if uid in question.source.nodes]
    there = question.selected | question.base.nodes.keys()
    tests = [
        files
        for looks_at, files in question.source.tests
        if looks_at & question.selected and looks_at <= there
    ]
    return frozenset[str]().union(*(node.files for node in nodes), *tests)


def dropped(question: PartQuestion) -> frozenset[str]:
    """Return the paths that must not stay: files of removed nodes, and where a selected node was before it moved."""
    gone = {
        question.base.nodes[uid].path
        for uid in question.selected & question.base.nodes.keys()
        if uid in question.removed or question.source.nodes[uid].path != question.base.nodes[uid].path
    }
    return frozenset(gone) - needed_paths(question)


def files(
    question: PartQuestion, source: Mapping[str, str], base: Mapping[str, str], also: Collection[str] = ()
) -> Mapping[str, str]:
    """Return the files of the composition, by path; `also` are further paths to take from the source."""
    wanted, gone = needed_paths(question) | set(also), dropped(question)
    kept = {path: content for path, content in base.items() if path not in gone and path not in wanted}
    fresh = {path: source[path] for path in wanted if path in source}
    # A path that the source does not have stays as it is: a file that no release tracks.
    same = {path: base[path] for path in wanted if path not in source and path in base}
    return dict(sorted({**kept, **fresh, **same}.items()))


def must_go_along(question: PartQuestion) -> frozenset[str]:
    """Return the unselected nodes without which the part would be another thing than in the source, or change them unasked.

    That is: changed nodes above a selected one; changed nodes whose file, macro or properties come along; those that read
    what is removed; and all that these bring in turn.
    """
    grown = question
    while more := _next(grown):
        grown = PartQuestion(grown.selected | more, grown.source, grown.base, grown.differing)
    return grown.selected - question.selected


def _next(question: PartQuestion) -> frozenset[str]:
    above = {uid for uid in ancestors(question.source.nodes, question.selected) if question.differs(uid)}
    moving: frozenset[str] = (needed_paths(question) | dropped(question)) & question.differing
    touched = {
        uid
        for uid in question.source.nodes.keys() | question.base.nodes.keys()
        if question.differs(uid) and _touches(question, uid, moving)
    }
    readers = {
        uid for uid, node in question.base.nodes.items() if not question.removed.isdisjoint(node.parents)
    }
    return frozenset((above | touched | readers) - question.selected)


def _touches(question: PartQuestion, uid: str, moving: frozenset[str]) -> bool:
    there = question.base.nodes.get(uid)
    if there is None:  # it comes only if its own file does; what else names it names nothing
        return question.source.nodes[uid].path in moving
    here = question.source.nodes.get(uid)
    return not moving.isdisjoint(there.files) or (here is not None and not moving.isdisjoint(here.files))


@dataclass(frozen=True, slots=True)
class CompositionCheck:
    """Whether a composition, parsed, is what was asked. `along` are nodes that change unasked, or that a selected one
    is missing; `strange` are selected nodes that are not, by their own code, what they are in the source."""

    along: frozenset[str]
    strange: frozenset[str]


def check_composition(question: PartQuestion, composition: Parts) -> CompositionCheck:
    """Return the judgement: each selected node as in the source with all above it, every other node as in the base."""
    wanted = question.selected & question.source.nodes.keys()
    odd = frozenset(
        uid for uid in wanted if _own(composition, uid) != question.source.nodes[uid].own
    ) | frozenset(uid for uid in question.removed if uid in composition.nodes)
    other = {
        uid
        for uid in wanted - odd
        if composition.nodes[uid].fingerprint != question.source.nodes[uid].fingerprint
    }
    missing = {
        uid
        for uid in ancestors(question.source.nodes, other)
        if _own(composition, uid) != question.source.nodes[uid].own
    }
    rest = (composition.nodes.keys() | question.base.nodes.keys()) - question.selected
    unasked = {uid for uid in rest if _own(composition, uid) != _own(question.base, uid)}
    lost = other if not missing else set[str]()
    return CompositionCheck(frozenset(missing | unasked) - question.selected, odd | lost)


def _own(parts: Parts, uid: str) -> str | None:
    node = parts.nodes.get(uid)
    return node.own if node else None
