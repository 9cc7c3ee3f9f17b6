"""What a build reads: what must stand in its side database, and which version each source has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path

from prefect_sluice.domain.digests import digest, digest_file
from prefect_sluice.domain.errors import ConfigInvalid, QueryFailed
from prefect_sluice.domain.generation import Generation, Pointer
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.planning.plan import Action, Plan
from prefect_sluice.planning.refresh_subset import source_texts, volatile_texts
from prefect_sluice.planning.source_policy import (
    EXACT,
    FILE,
    VersionMethod,
    in_other_database,
    source_as_configured,
)
from prefect_sluice.sql.write_targets import Targets
from prefect_sluice.warehouse import row_digest
from prefect_sluice.warehouse.base import Reader, Stub
from prefect_sluice.warehouse.engines import functions
from prefect_sluice.warehouse.served import ServedRelation

_UNKNOWN = "unknown since generation"
"""How the version of what nobody can look at begins."""
_ADDED_TO = frozenset({NodeKind.SEED, NodeKind.INCREMENTAL, NodeKind.SNAPSHOT})
_VIEWS = frozenset({NodeKind.VIEW, NodeKind.EXTERNAL})
"""Kinds of which dbt makes views (an external model's is over its file)."""


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
    return replace(live, pointers=tuple(pointer for pointer in served if pointer.name.folded not in absent))


def _absent(plan: Plan) -> frozenset[Name]:
    """Return names that must not stand there: what is removed, so that who still reads it fails as it would with dbt; and
    what is built anew by a kind that dbt adds to, or refuses to build over a view."""
    removed = {step.name.folded for step in plan.of(Action.REMOVE)}
    removed |= {old_name.name.folded for old_name in plan.old_names}
    fresh = {step.name.folded for step in plan.of(Action.BUILD) if step.kind in _ADDED_TO}
    return frozenset(removed | fresh)


def old_names_of(plan: Plan) -> frozenset[Name]:
    """Return the old names (folded) that are served before or after a plan: no code reads them, they would show what served
    before. Pure."""
    return frozenset(old_name.name.folded for old_name in (*plan.old_names, *plan.ended))


def others(relations: Iterable[ServedRelation], live: Generation) -> tuple[ServedRelation, ...]:
    """Return the relations that are not the environment's own: raw data, and what people made. Pure."""
    ours = {pointer.name.folded for pointer in live.pointers}
    return tuple(relation for relation in relations if relation.name.folded not in ours)


def stubs(
    live: Generation, relations: tuple[ServedRelation, ...], rebuilt: Iterable[str], hooks: Targets
) -> tuple[Stub, ...]:
    """Return what must stand in the side database before a build. Pure.

    `rebuilt` are unique ids built in full: one that keeps history must not be there, or dbt would add to it.
    A relation that `hooks` may write to is cloned, so that they can.
    """
    again = set(rebuilt)
    made: list[Stub] = []
    for pointer in live.relations:
        if pointer.kind.keeps_history and pointer.node in again:
            continue
        clone = pointer.kind.keeps_history or pointer.is_by_product
        made.append(Stub(pointer.name, pointer.address, clone, pointer.kind in _VIEWS))
    ours = {pointer.name.folded for pointer in live.pointers}
    made += [
        Stub(
            relation.name,
            relation.name,
            not relation.is_view and hooks.may_be(relation.name),
            relation.is_view,
        )
        for relation in relations
        if relation.name.folded not in ours
    ]
    return tuple(made)


def before_build(
    live: Generation, plan: Plan, relations: Iterable[ServedRelation], hooks: Targets
) -> tuple[Stub, ...]:
    """Return the stubs that a plan's build starts from, whether for unit tests or for the candidate. Pure."""
    rebuilt = [step.node for step in plan.of(Action.BUILD)]
    old = old_names_of(plan)
    theirs = [relation for relation in others(relations, live) if relation.name.folded not in old]
    names = {step.name.folded for step in plan.of(Action.BUILD)}
    return tuple(
        # What stands in the way of a relation that is built is dropped by dbt, as what it is: a view.
        replace(stub, is_view=stub.is_view or (not stub.clone and stub.name.folded in names))
        for stub in stubs(as_planned(live, plan), tuple(theirs), rebuilt, hooks)
    )


def texts(node: Node) -> tuple[str, ...]:
    """Return the sources of a node that can be looked at, or tried: not the clock, nor chance."""
    return tuple(text for text in source_texts(node) if text not in volatile_texts(node))


def versions(
    nodes: Mapping[str, Node],
    reader: Reader | None,
    folder: Path,
    unknown: str,
    *,
    ways: Mapping[str, VersionMethod] | None = None,
    root: Path = Path(),
    known_versions: Mapping[str, str] | None = None,
) -> Mapping[str, str]:
    """Return the version of every source the nodes read, by its text: equal versions mean equal content.

    A relation's version is a digest over all its rows, whatever their order; a local file's is that of its bytes. `ways`
    say otherwise for some, with paths relative to `root`; what is in `known_versions` is not looked at. What cannot be looked at
    (a URL, a call, a relation without a `reader`) gets `unknown_version`, which the caller makes new each time.
    Raises ConfigInvalid where a way of sluice.yml leads nowhere.
    """
    version_of = dict(known_versions or {})
    for text in sorted({text for node in nodes.values() for text in texts(node)} - version_of.keys()):
        way = (ways or {}).get(text, EXACT)
        if way is EXACT or way == VersionMethod(way.key):
            version_of[text] = _version(text, reader, folder, unknown)
        else:
            version_of[text] = _by_way(text, way, reader, _Folders(folder, root))
    return version_of


@dataclass(frozen=True, slots=True)
class _Folders:
    project: Path
    root: Path


def _by_way(text: str, way: VersionMethod, reader: Reader | None, folders: _Folders) -> str:
    if way.files or text.startswith(FILE):
        path, folder = (way.files, folders.root) if way.files else (text.removeprefix(FILE), folders.project)
        version = _file_version(path, folder, "", stat=way.stat)
        if not version:
            raise _astray(way, f"there is no file {path!r}")
        return version
    if reader is None:
        raise _astray(way, "there is no warehouse yet to ask")
    name = source_as_configured(text)
    try:
        rows = reader.query(_version_query(way, text, reader)).rows
    except QueryFailed as error:
        raise _astray(way, f"{name}: {error}") from error
    measured = (
        ", ".join(str(value) for value in rows[0]) if len(rows) == 1 else digest([str(row) for row in rows])
    )
    if not rows or all(value is None for row in rows for value in row):
        raise _astray(way, f"{name}: nothing says which version it is")
    return f"{way.measure or 'declared'}: {measured}"


def _version_query(way: VersionMethod, text: str, reader: Reader) -> str:
    if way.table:
        return functions(reader.dialect).in_order(way.table)
    return way.query or f"select {way.measure} from {in_other_database(text) or reader.at(Name.parse(text))}"


def _astray(way: VersionMethod, what: str) -> ConfigInvalid:
    return ConfigInvalid(
        what, f"sluice.yml: sources.{way.key}", "mend the key, or leave it out: every row is read then"
    )


def unknown_version(live: Generation, release: str) -> str:
    """Return the version of what nobody can look at: new each time something else is, the same for a rerun of one attempt."""
    return f"{_UNKNOWN}  {live.number} with {release}"


def is_unknown(version: str) -> bool:
    """Say whether a version is one that `unknown_version` gave, at whatever generation."""
    return version.startswith(_UNKNOWN)


def _version(text: str, reader: Reader | None, folder: Path, unknown: str) -> str:
    if text.startswith(FILE):
        return _file_version(text.removeprefix(FILE), folder, unknown)
    elsewhere = in_other_database(text)
    if reader is None or elsewhere.endswith("()"):
        return unknown
    relation = elsewhere or reader.at(Name.parse(text))
    try:
        return row_digest.content(relation, reader)
    except QueryFailed:
        return unknown


def _file_version(path: str, folder: Path, unknown: str, *, stat: bool = False) -> str:
    if "://" in path:
        return unknown
    # Path.glob takes no absolute pattern.
    paths = [path] if (folder / path).is_file() else sorted(glob(path, root_dir=folder, recursive=True))  # noqa: PTH207
    present = [name for name in paths if (folder / name).is_file()]
    # Where a file lies counts for a pattern: its folders may be values (`year=2026/`).
    look = _stat if stat else digest_file
    written = [["" if name == path else name, look(folder / name)] for name in present]
    return digest(written) if written else unknown


def still_there(live: Generation, kept: Iterable[Pointer]) -> Generation:
    """Return what is live without pointers whose relation was dropped behind our back: it is built again. Pure."""
    there = {pointer.address for pointer in kept}
    return replace(live, pointers=tuple(pointer for pointer in live.pointers if pointer.address in there))


def _stat(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"


def by_content(pointers: Iterable[Pointer]) -> Mapping[tuple[str, str, str], Pointer]:
    """Return pointers by public name (folded), fingerprint and inputs; of equals the last wins."""
    return {(str(pointer.name.folded), pointer.fingerprint, pointer.inputs): pointer for pointer in pointers}
