"""What a node goes on with: the rows under its public name that only the past has, whatever its unique id is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prefect_sluice.domain import adoption
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.generation import Generation, Pointer
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Note, Noted


def carries(node: Node, past: Pointer, same: Collection[str]) -> bool:
    """Say whether a node goes on with the rows of `past`. `same` are nodes whose code is that of what serves, though their
    fingerprints differ."""
    if adoption.is_adopted(past):
        return adoption.carries(past, node.kind)
    if node.kind is not past.kind or not node.kind.keeps_history:
        return False
    stays = node.forward_only or node.never_in_full or node.unique_id in same
    return node.kind is NodeKind.SNAPSHOT or stays or past.fingerprint == node.fingerprint


def with_history(node: Node, now: str, past: Pointer | None, same: Collection[str]) -> str:
    """Return `now`, the inputs of this day; for what goes on with its history, with all that it was built from before."""
    if past is None or not carries(node, past, same):
        return now
    if past.fingerprint == node.fingerprint and past.inputs.partition("+")[0] == now:
        return past.inputs
    return f"{now}+{digest([past.fingerprint, past.inputs])}"


def note(node: Node, past: Pointer, same: Collection[str]) -> Note | None:
    """Return what there is to say of a node that is made where `past` was, None for nothing."""
    if not carries(node, past, same):
        if node.kind is NodeKind.INCREMENTAL:
            return Note(Noted.IN_FULL)
        return Note(Noted.OTHER_KIND) if past.kind.keeps_history else None
    if node.kind is NodeKind.SNAPSHOT or past.fingerprint == node.fingerprint or node.unique_id in same:
        return None
    own = node.never_in_full and not node.forward_only
    return Note(Noted.NEVER_IN_FULL if own else Noted.FORWARD_ONLY)


@dataclass(frozen=True, slots=True)
class Renames:
    """`certain` is what each renamed node was when it served under another name, by its unique id of today. `unsure` are nodes
    that keep history and may be renamed ones, where nobody can tell which, with the public names that could be meant."""

    certain: Mapping[str, Pointer] = field(default_factory=dict[str, Pointer])
    unsure: Mapping[str, tuple[Name, ...]] = field(default_factory=dict[str, "tuple[Name, ...]"])


def renames(
    nodes: Mapping[str, Node],
    served: Mapping[str, Pointer],
    before: NotesBefore | None,
    rests: Collection[Name],
) -> Renames:
    """Return which nodes with a new name and a new id are surely one that leaves: of the same kind, and the same as written
    or by all that it is built from; one new node for one that leaves, and the other way round.

    `served` are the pointers by unique id. A name that had a history of its own (`rests`, folded) is no new one.
    """
    texts = _by_text(nodes, served, rests)
    meant: dict[str, list[str]] = {}
    for uid, pointer in served.items():
        if uid not in nodes:
            then = before.makeup.get(uid) if before else None
            keys = [(pointer.kind, pointer.fingerprint), (pointer.kind, then.text if then else "")]
            meant[uid] = sorted({new for key in keys if key[1] for new in texts.get(key, ())})
    by_new: dict[str, list[str]] = {}
    for uid, new in meant.items():
        for new_uid in new:
            by_new.setdefault(new_uid, []).append(uid)
    renamed = {
        uid: served[old[0]] for uid, old in by_new.items() if len(old) == 1 and len(meant[old[0]]) == 1
    }
    unsure = {
        uid: tuple(served[old_uid].name for old_uid in old)
        for uid, old in by_new.items()
        if uid not in renamed and nodes[uid].kind.keeps_history
    }
    return Renames(renamed, unsure)


def _by_text(
    nodes: Mapping[str, Node], served: Collection[str], rests: Collection[Name]
) -> Mapping[tuple[NodeKind, str], list[str]]:
    uids_by_text: dict[tuple[NodeKind, str], list[str]] = {}
    for uid, node in nodes.items():
        if uid not in served and node.name.folded not in rests:
            for text in {node.fingerprint, node.makeup.text} - {""}:
                uids_by_text.setdefault((node.kind, text), []).append(uid)
    return uids_by_text


def doubt(names: Sequence[Name]) -> Note:
    """Return what there is to say of a node that may be one of several renamed ones."""
    return Note(Noted.UNSURE, " or ".join(map(str, names)))


def same_code(
    nodes: Mapping[str, Node], before: NotesBefore | None, renames: Renames, *, moved: bool = False
) -> frozenset[str]:
    """Return the nodes whose own code, and that of all they read, is what it was when their ids, or names, were others.

    A fingerprint holds the ids of what a node reads, and the name that `{{ this }}` stands for. `nodes` are in build order;
    where no id changed, and no name (`moved`), it is empty.
    """
    if before is None or not (before.former or renames.certain or moved):
        return frozenset()
    before = before.renamed({pointer.node: uid for uid, pointer in renames.certain.items()})
    same: set[str] = set()
    for uid, node in nodes.items():
        then = before.makeup.get(uid)
        if then is None or set(node.makeup.reads) != set(then.reads):
            continue
        former = before.former.get(uid, (uid,))[0]
        as_written = bool(then.text) and then.text == node.makeup.text
        own = as_written or _ingredients(node.makeup.parts, uid) == _ingredients(then.parts, former)
        if own and all(parent in same for parent in node.parents if parent in nodes):
            same.add(uid)
    return frozenset(same)


def _ingredients(parts: Mapping[str, str], uid: str) -> Mapping[str, str]:
    """Return the digests by ingredient, without the project's own name: `macro shop.money` is `macro money`."""
    project = uid.split(".")[1] if uid.count(".") > 1 else uid
    return {
        name.replace(f" {project}.", " ").replace(f" {project}-", " "): value for name, value in parts.items()
    }


def older(
    nodes: Mapping[str, Node],
    served: Mapping[str, Pointer],
    rests: Mapping[Name, Pointer],
    renames: Renames,
) -> Mapping[str, Pointer]:
    """Return what each node goes on from, by unique id: what serves under its name (`served`); else, for one that keeps
    history, what once did and nothing serves now (`rests`, by folded name); else what leaves, and is the same by its text."""
    keeping = {uid for uid, node in nodes.items() if node.kind.keeps_history}
    back = {uid: rests[nodes[uid].name.folded] for uid in keeping if nodes[uid].name.folded in rests}
    renamed = {uid: pointer for uid, pointer in renames.certain.items() if uid in keeping}
    return {**renamed, **back, **served}


def describe_leaving(pointer: Pointer, along: Mapping[Name, Name]) -> Note | None:
    """Return what there is to say of a relation that leaves; `along` are the new names of those that go on, by address."""
    if pointer.address in along:
        return Note(Noted.GOES_ALONG, str(along[pointer.address]))
    return Note(Noted.AT_REST) if pointer.kind.keeps_history else None


def wanted(nodes: Iterable[Node], live: Generation, kept: Iterable[Pointer]) -> bool:
    """Say whether a node that keeps history has a name that nothing serves now, and that had a history once."""
    there = {pointer.name.folded for pointer in live.relations}
    once = {pointer.name.folded for pointer in kept if pointer.kind.keeps_history} - there
    return any(node.kind.keeps_history and node.name.folded in once for node in nodes)


Past = tuple[Pointer, int, "int | None"]
"""A pointer, its first generation, and the first without it (None: it serves)."""


def resting(
    pasts: Iterable[Past], present: Collection[Name], went_on: Callable[[int], Mapping[Name, Name]]
) -> Mapping[Name, Pointer]:
    """Return the history of each public name that nothing serves now, by folded name.

    `pasts` are all pointers that there ever were; `present` the addresses that still stand; `went_on` says whose rows a
    generation took along, and under which name (folded). A name that took its rows from one that serves now, since a rollback
    went back to that, has no history of its own: that one goes on.
    """
    ordered = sorted(pasts, key=lambda past: past[1])
    last = {past[0].name.folded: past for past in ordered}
    return {
        name: pointer
        for name, (pointer, _, until) in last.items()
        if until is not None
        and pointer.kind.keeps_history
        and pointer.address in present
        and pointer.address not in went_on(until)
        and not any(last[old][2] is None for old in _taken_from(name, ordered, went_on))
    }


def _taken_from(
    name: Name, ordered: Sequence[Past], went_on: Callable[[int], Mapping[Name, Name]]
) -> frozenset[Name]:
    """Return the other names whose rows a name took along when it began to be served."""
    own = [past for past in ordered if past[0].name.folded == name]
    begun = {since for _, since, _ in own} - {until for _, _, until in own}
    taken = {address for since in begun for address, taker in went_on(since).items() if taker == name}
    return frozenset(past[0].name.folded for past in ordered if past[0].address in taken) - {name}
