"""What a node goes on with: the rows under its public name that only the past has, whatever its unique id is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from prefect_sluice import adoption
from prefect_sluice.canonical import digest
from prefect_sluice.generation import Generation, Pointer
from prefect_sluice.node import Kind, Name, Node
from prefect_sluice.notes import Before

IN_FULL = "an incremental model rebuilt in full: rows that its sources no longer hold will be gone"
OTHER_KIND = (
    "what serves keeps history, and this does not go on with it: rows that only it holds will be gone"
)
FORWARD_ONLY = (
    "forward only: rows that are there stay as the old code made them; "
    "new columns are appended, dropped ones stay and get no value"
)
NEVER_IN_FULL = (
    "full_refresh: false, so forward only: rows that are there stay as the old code made them; "
    "its columns change as its on_schema_change says"
)
AT_REST = (
    "its history stays in the store, and goes on when a node has the name again (alias); "
    "sluice collect --drop-history lets it go"
)
GOES_ALONG = "its history goes on as"


def carries(node: Node, past: Pointer, same: Collection[str]) -> bool:
    """Say whether a node goes on with the rows of `past`. `same` are nodes whose code is that of what serves, though their
    fingerprints differ."""
    if adoption.is_adopted(past):
        return adoption.carries(past, node.kind)
    if node.kind is not past.kind or not node.kind.keeps_history:
        return False
    stays = node.forward_only or node.never_in_full or node.unique_id in same
    return node.kind is Kind.SNAPSHOT or stays or past.fingerprint == node.fingerprint


def with_history(node: Node, now: str, past: Pointer | None, same: Collection[str]) -> str:
    """Return `now`, the inputs of this day; for what goes on with its history, with all that it was built from before."""
    if past is None or not carries(node, past, same):
        return now
    if past.fingerprint == node.fingerprint and past.inputs.partition("+")[0] == now:
        return past.inputs
    return f"{now}+{digest([past.fingerprint, past.inputs])}"


def note(node: Node, past: Pointer, same: Collection[str]) -> str:
    """Return what there is to say of a node that is made where `past` was, "" for nothing."""
    if not carries(node, past, same):
        if node.kind is Kind.INCREMENTAL:
            return IN_FULL
        return OTHER_KIND if past.kind.keeps_history else ""
    if node.kind is Kind.SNAPSHOT or past.fingerprint == node.fingerprint or node.unique_id in same:
        return ""
    return NEVER_IN_FULL if node.never_in_full and not node.forward_only else FORWARD_ONLY


def same_code(nodes: Mapping[str, Node], before: Before | None) -> frozenset[str]:
    """Return the nodes whose own code, and that of all they read, is what it was when their unique ids were others.

    A fingerprint holds the ids of what a node reads. `nodes` are in build order; without an id that changed it is empty.
    """
    if before is None or not before.former:
        return frozenset()
    found: set[str] = set()
    for uid, node in nodes.items():
        then = before.makeup.get(uid)
        if then is None or set(node.makeup.reads) != set(then.reads):
            continue
        former = before.former.get(uid, (uid,))[0]
        own = _ingredients(node.makeup.parts, uid) == _ingredients(then.parts, former)
        if own and all(parent in found for parent in node.parents if parent in nodes):
            found.add(uid)
    return frozenset(found)


def _ingredients(parts: Mapping[str, str], uid: str) -> Mapping[str, str]:
    """Return the digests by ingredient, without the project's own name: `macro shop.money` is `macro money`."""
    project = uid.split(".")[1] if uid.count(".") > 1 else uid
    return {
        name.replace(f" {project}.", " ").replace(f" {project}-", " "): value for name, value in parts.items()
    }


def older(
    nodes: Mapping[str, Node], served: Mapping[str, Pointer], rests: Mapping[Name, Pointer]
) -> Mapping[str, Pointer]:
    """Return what each node goes on from, by unique id: what serves under its name (`served`); else, for one that keeps
    history, what once did and nothing serves now (`rests`, by folded name); else what leaves, and is the same by its text."""
    back = {
        uid: rests[node.name.folded]
        for uid, node in nodes.items()
        if node.kind.keeps_history and node.name.folded in rests
    }
    return {**_renamed(nodes, served), **back, **served}


def left(pointer: Pointer, along: Mapping[Name, Name]) -> str:
    """Return what there is to say of a relation that leaves; `along` are the new names of those that go on, by address."""
    if pointer.address in along:
        return f"{GOES_ALONG} {along[pointer.address]}"
    return AT_REST if pointer.kind.keeps_history else ""


def _renamed(nodes: Mapping[str, Node], served: Mapping[str, Pointer]) -> Mapping[str, Pointer]:
    """Return what a node with a new name and a new id goes on with: the one relation that leaves, of the same kind and code.

    None where several could be meant. `served` are the pointers by unique id.
    """
    new: dict[tuple[Kind, str], list[str]] = {}
    for uid, node in nodes.items():
        if uid not in served and node.kind.keeps_history:
            new.setdefault((node.kind, node.fingerprint), []).append(uid)
    gone: dict[tuple[Kind, str], list[Pointer]] = {}
    for uid, pointer in served.items():
        if uid not in nodes:
            gone.setdefault((pointer.kind, pointer.fingerprint), []).append(pointer)
    return {
        uids[0]: gone[key][0] for key, uids in new.items() if len(uids) == 1 and len(gone.get(key, ())) == 1
    }


def wanted(nodes: Iterable[Node], live: Generation, kept: Iterable[Pointer]) -> bool:
    """Say whether a node that keeps history has a name that nothing serves now, and that had a history once."""
    there = {item.name.folded for item in live.pointers}
    once = {item.name.folded for item in kept if item.kind.keeps_history} - there
    return any(node.kind.keeps_history and node.name.folded in once for node in nodes)


def resting(
    pasts: Iterable[tuple[Pointer, int, int | None]],
    present: Collection[Name],
    went_on: Callable[[int], Collection[Name]],
) -> Mapping[Name, Pointer]:
    """Return the history of each public name that nothing serves now, by folded name.

    `pasts` are all pointers that there ever were, each with its first generation and the first without it (None: it
    serves); `present` the addresses that still stand; `went_on` those whose rows a generation took along elsewhere.
    """
    last: dict[Name, tuple[Pointer, int, int | None]] = {}
    for item in sorted(pasts, key=lambda past: past[1]):
        last[item[0].name.folded] = item
    return {
        name: pointer
        for name, (pointer, _, until) in last.items()
        if until is not None
        and pointer.kind.keeps_history
        and pointer.address in present
        and pointer.address not in went_on(until)
    }
