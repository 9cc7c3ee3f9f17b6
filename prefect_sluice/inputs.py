"""What a build reads: what must stand in its side database, and which version each source has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from glob import glob
from pathlib import Path

from prefect_sluice.canonical import digest, digest_file
from prefect_sluice.errors import QueryFailed
from prefect_sluice.generation import Generation, Pointer
from prefect_sluice.node import Kind, Name, Node
from prefect_sluice.plan import BY_PRODUCT, Action, Plan, source_texts
from prefect_sluice.warehouse.base import Reader, Served, Stub, quoted

texts = source_texts
_ADDED_TO = frozenset({Kind.SEED, Kind.INCREMENTAL, Kind.SNAPSHOT})
_ROW = '"the whole row"'
"""An alias that no column bears: `hash(t)` would be that of the column t, where there is one."""

_CONTENT = f"select count(*), sum(hash(hash({_ROW}))::hugeint), sum(hash({_ROW}::varchar)::hugeint)"
"""A relation's content, whatever its order. Twice, because DuckDB's hash of a row is linear in its last column, and
gives empty and missing lists the same value; the text of a row tells them apart."""


def as_planned(live: Generation, plan: Plan) -> Generation:
    """Return what a plan's build reads: the live table of pointers, and where it reuses an older relation, that one. Pure."""
    chosen = {step.node: step.pointer for step in plan.of(Action.REUSE) if step.pointer}
    # A snapshot under a new name finds its history there, not under the old one.
    chosen |= {
        step.node: replace(step.pointer, name=step.name) for step in plan.of(Action.CARRY) if step.pointer
    }
    there = live.by_node()
    others = [pointer for uid, pointer in chosen.items() if uid not in there]
    served = (*(chosen.get(pointer.node, pointer) for pointer in live.pointers), *others)
    absent = _absent(plan)
    return replace(live, pointers=tuple(item for item in served if item.name.folded not in absent))


def _absent(plan: Plan) -> frozenset[Name]:
    """Return names that must not stand there: what is removed, so that who still reads it fails as it would with dbt; and
    what is built anew by a kind that dbt adds to, or refuses to build over a view."""
    removed = {step.name.folded for step in plan.of(Action.REMOVE)}
    fresh = {step.name.folded for step in plan.of(Action.BUILD) if step.kind in _ADDED_TO}
    return frozenset(removed | fresh)


def others(found: Iterable[Served], live: Generation) -> tuple[Served, ...]:
    """Return the relations that are not the environment's own: raw data, and what people made. Pure."""
    ours = {pointer.name.folded for pointer in live.pointers}
    return tuple(item for item in found if item.name.folded not in ours)


def stubs(
    live: Generation, found: tuple[Served, ...], rebuilt: Iterable[str], hooks: str
) -> tuple[Stub, ...]:
    """Return what must stand in the side database before a build. Pure.

    `rebuilt` are unique ids built in full: one that keeps history must not be there, or dbt would add to it.
    A relation that hooks write to is cloned, so that they can.
    """
    again = set(rebuilt)
    made: list[Stub] = []
    for pointer in live.pointers:
        if pointer.kind.keeps_history and pointer.node in again:
            continue
        clone = pointer.kind.keeps_history or pointer.node.startswith(BY_PRODUCT)
        made.append(Stub(pointer.name, pointer.address, clone))
    ours = {pointer.name.folded for pointer in live.pointers}
    words = hooks.lower()
    for item in found:
        if item.name.folded not in ours:
            clone = (
                not item.is_view
                and item.name.identifier.lower() in words
                and item.name.schema.lower() in words
            )
            made.append(Stub(item.name, item.name, clone))
    return tuple(made)


def before_build(live: Generation, plan: Plan, found: Iterable[Served], hooks: str) -> tuple[Stub, ...]:
    """Return the stubs that a plan's build starts from, whether for unit tests or for the candidate. Pure."""
    rebuilt = [step.node for step in plan.of(Action.BUILD)]
    return stubs(as_planned(live, plan), others(found, live), rebuilt, hooks)


def versions(
    nodes: Mapping[str, Node], reader: Reader, catalog: str, folder: Path, unknown: str
) -> Mapping[str, str]:
    """Return the version of every source the nodes read, by its text: equal versions mean equal content.

    A relation's version is a digest over all its rows, whatever their order; a local file's is that of its bytes.
    What cannot be looked at (a URL, a call) gets `unknown`, which the caller makes new each time.
    """
    texts = sorted({text for node in nodes.values() for text in source_texts(node)})
    return {text: _version(text, reader, catalog, folder, unknown) for text in texts}


def unknown(live: Generation, release: str) -> str:
    """Return the version of what nobody can look at: new each time something else is, the same for a rerun of one attempt."""
    return f"unknown since generation {live.number} with {release}"


def _version(text: str, reader: Reader, catalog: str, folder: Path, unknown: str) -> str:
    if text.startswith("file:"):
        return _file_version(text.removeprefix("file:"), folder, unknown)
    relation = text.removeprefix("at:") if text.startswith("at:") else _in(catalog, Name.parse(text))
    if relation.endswith("()"):
        return unknown
    try:
        return content(relation, reader)
    except QueryFailed:
        return unknown


def _in(catalog: str, name: Name) -> str:
    return quoted(catalog, name.schema, name.identifier)


def content(relation: str, reader: Reader) -> str:
    """Return a digest over the columns and all rows of a relation (quoted SQL), whatever their order.

    Raises QueryFailed.
    """
    columns = [[column.name, column.type] for column in reader.columns(relation)]
    values = reader.query(f"{_CONTENT} from {relation} as {_ROW}").rows[0]
    return digest([columns, [str(value) for value in values]])


def _file_version(path: str, folder: Path, unknown: str) -> str:
    if "://" in path:
        return unknown
    # Path.glob takes no absolute pattern.
    found = [path] if (folder / path).is_file() else sorted(glob(path, root_dir=folder, recursive=True))  # noqa: PTH207
    present = [name for name in found if (folder / name).is_file()]
    # Where a file lies counts for a pattern: its folders may be values (`year=2026/`).
    written = [["" if name == path else name, digest_file(folder / name)] for name in present]
    return digest(written) if written else unknown


def still_there(live: Generation, kept: Iterable[Pointer]) -> Generation:
    """Return what is live without pointers whose relation was dropped behind our back: it is built again. Pure."""
    there = {pointer.address for pointer in kept}
    return replace(live, pointers=tuple(item for item in live.pointers if item.address in there))


def by_content(pointers: Iterable[Pointer]) -> Mapping[tuple[str, str, str], Pointer]:
    """Return pointers by node, fingerprint and inputs; of equals the last wins."""
    return {(item.node, item.fingerprint, item.inputs): item for item in pointers}
