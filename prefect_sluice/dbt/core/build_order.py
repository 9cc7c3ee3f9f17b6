"""Build order over declared and undeclared parents, without circles. Near linear in the edges."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

Edges = Mapping[str, frozenset[str]]
"""Parents by unique id; parents that are no key are ignored."""


def acyclic(declared: Edges, undeclared: Edges) -> tuple[Edges, Edges]:
    """Return the parents to keep, and those that were dropped: an undeclared one that would close a circle is a name that
    reads what was there before. Which is dropped depends on the names alone, not on the order they come in."""
    inside = {uid: frozenset(parents & declared.keys()) for uid, parents in undeclared.items()}
    both = {uid: declared[uid] | inside.get(uid, frozenset()) for uid in declared}
    tangled = _tangled(both)
    kept = {uid: set(parents) for uid, parents in both.items()}
    for uid in tangled:
        kept[uid] -= (inside.get(uid, frozenset()) - declared[uid]) & tangled
    for uid in sorted(tangled):
        for parent in sorted((inside.get(uid, frozenset()) - declared[uid]) & tangled):
            if not _reaches(kept, parent, uid, tangled):
                kept[uid].add(parent)
    final = {uid: frozenset(parents) for uid, parents in kept.items()}
    return final, {uid: dropped for uid in tangled if (dropped := both[uid] - final[uid])}


def ordered(parents: Edges) -> tuple[str, ...]:
    """Return the unique ids, parents first: by the longest way up, then by name. Raises CycleError for a circle."""
    level: dict[str, int] = {}
    for uid in TopologicalSorter(
        {uid: above & parents.keys() for uid, above in parents.items()}
    ).static_order():
        level[uid] = max((level[parent] + 1 for parent in parents[uid] if parent in level), default=0)
    return tuple(sorted(level, key=lambda uid: (level[uid], uid)))


def _tangled(parents: Edges) -> frozenset[str]:
    """Return the nodes that may be part of a circle: what is left once all that is above or below every circle is gone."""
    left = _peeled(parents, set(parents))
    children: dict[str, set[str]] = {uid: set() for uid in left}
    for uid in left:
        for parent in parents[uid] & left:
            children[parent].add(uid)
    return frozenset(_peeled({uid: frozenset(below) for uid, below in children.items()}, left))


def _peeled(parents: Edges, among: Collection[str]) -> set[str]:
    """Take away nodes without parents until none is left without, and return the rest."""
    inside = set(among)
    waiting = {uid: len(parents[uid] & inside) for uid in inside}
    children: dict[str, list[str]] = {}
    for uid in inside:
        for parent in parents[uid] & inside:
            children.setdefault(parent, []).append(uid)
    todo = [uid for uid, count in waiting.items() if not count]
    while todo:
        gone = todo.pop()
        inside.discard(gone)
        for child in children.get(gone, ()):
            waiting[child] -= 1
            if not waiting[child]:
                todo.append(child)
    return inside


def _reaches(parents: Mapping[str, Iterable[str]], start: str, goal: str, within: frozenset[str]) -> bool:
    todo, seen = [start], {start}
    while todo:
        uid = todo.pop()
        if uid == goal:
            return True
        fresh = (set(parents.get(uid, ())) & within) - seen
        seen |= fresh
        todo.extend(fresh)
    return False


__all__ = ["CycleError", "Edges", "acyclic", "ordered"]
