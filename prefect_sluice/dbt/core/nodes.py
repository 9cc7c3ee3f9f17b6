"""From dbt's manifest to our nodes: relations, parents declared or not, fingerprints, tests."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.dbt.compiled_facts import CompiledFacts
from prefect_sluice.dbt.core.build_order import acyclic, ordered
from prefect_sluice.dbt.core.fingerprints.ingredients import Fingerprints
from prefect_sluice.dbt.core.fingerprints.mentioned_relations import MentionFinder, NamedRelations
from prefect_sluice.dbt.core.fingerprints.nodes import NodeFingerprinter
from prefect_sluice.dbt.core.write_targets import targets
from prefect_sluice.dbt.project import DbtTest, Project
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.errors import DbtFailed
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.warehouse.base import References

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_RELATIONS = frozenset({"model", "seed", "snapshot"})
_KINDS = {"view": NodeKind.VIEW, "table": NodeKind.TABLE, "incremental": NodeKind.INCREMENTAL}


def read(
    manifest: Manifest,
    prints: Fingerprints,
    facts: Mapping[str, CompiledFacts],
    catalog: str,
    served: Collection[Name] = (),
    chosen: Collection[str] | None = None,
) -> Project:
    """Return the project. `facts` holds what each SQL node's compiled text tells, by unique id; `served` are
    relations in the warehouse that are not the project's own, in lower case: one that a text names counts as read;
    `chosen` are the nodes and tests that a plain `dbt build` takes, None: all. The others are as if disabled, but that a
    node may read their relations, where they are there.

    Raises DbtFailed for a node that dbt would build in another database than `catalog`, the one that is served.
    """
    relations = _relations(manifest, chosen)
    _all_at_home(relations, catalog)
    named = {_name(node): uid for uid, node in relations.items()}
    written = NamedRelations(named)
    lookup = _Lookup(manifest, named, written, catalog, frozenset(served), MentionFinder(manifest, served))
    drafts = {
        uid: _draft(uid, node, lookup, facts.get(uid, CompiledFacts()).references)
        for uid, node in relations.items()
    }
    nodes = _printed(manifest, prints, facts, _in_order(manifest, drafts))
    return Project(
        name=str(manifest.metadata.project_name),
        nodes=nodes,
        tests={
            uid: test
            for uid, test in _tests(manifest, prints, nodes, written, named).items()
            if chosen is None or uid in chosen
        },
        hooks=targets(prints),
        exposures={uid: tuple(exposure.depends_on.nodes) for uid, exposure in manifest.exposures.items()},
    )


def _relations(manifest: Manifest, chosen: Collection[str] | None) -> Mapping[str, Any]:
    return {
        uid: node
        for uid, node in sorted(manifest.nodes.items())
        if node.resource_type.value in _RELATIONS
        and _has_relation(node)
        and not _is_empty(node)
        and (chosen is None or uid in chosen)
    }


def _in_order(manifest: Manifest, drafts: Mapping[str, Node]) -> Mapping[str, Node]:
    """Return the nodes in build order, circles left out. A view that reads what was there before is made a table."""
    declared = {
        uid: frozenset(parent for parent in _flattened(manifest.nodes[uid], manifest) if parent in drafts)
        for uid in drafts
    }
    kept, dropped = acyclic(declared, {uid: frozenset(node.parents) for uid, node in drafts.items()})
    return {
        uid: replace(
            drafts[uid],
            parents=tuple(sorted(kept[uid])),
            reads_outside=drafts[uid].reads_outside or bool(dropped.get(uid)),
        )
        for uid in ordered(kept)
    }


def _printed(
    manifest: Manifest, prints: Fingerprints, facts: Mapping[str, CompiledFacts], ordered: Mapping[str, Node]
) -> Mapping[str, Node]:
    keys = _tested_keys(manifest)
    printer = NodeFingerprinter(prints, {node.name.folded: uid for uid, node in ordered.items()})
    printed: dict[str, Node] = {}
    for uid, node in ordered.items():
        inlined = [manifest.nodes[parent] for parent in _ephemeral(manifest.nodes[uid], manifest)]
        keyed = replace(node, unique_key=node.unique_key or keys.get(uid, ()))
        printed[uid] = printer.printed(keyed, manifest.nodes[uid], facts.get(uid, CompiledFacts()), inlined)
    return printer.finished(printed)


def _all_at_home(relations: Mapping[str, Any], catalog: str) -> None:
    # It would be written to where people read it, before any gate has seen it.
    for uid, node in relations.items():
        if str(node.database).lower() != catalog.lower():
            what = f"{uid} is built in database {node.database!r}, and only {catalog!r} is released"
            raise DbtFailed(what, str(node.original_file_path), "take its `database` away, or disable it")


def code_key(manifest: Manifest, prints: Fingerprints, uid: str) -> str:
    """Return what a node's compiled text depends on, to remember its facts by."""
    node = manifest.nodes[uid]
    return prints.text_key(node, [manifest.nodes[parent] for parent in _ephemeral(node, manifest)])


def asks_incremental(manifest: Manifest, prints: Fingerprints, uid: str) -> bool:
    """Say whether a node's compiled text may differ with what `is_incremental()` answers."""
    node = manifest.nodes[uid]
    texts = [node, *(manifest.nodes[parent] for parent in _ephemeral(node, manifest))]
    return any(prints.reach(text).incremental for text in texts)


def sql_nodes(manifest: Manifest, chosen: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the unique ids of nodes whose compiled SQL can be looked into, of all or of those that are `chosen`."""
    return tuple(
        uid
        for uid, node in manifest.nodes.items()
        if node.resource_type.value in {"model", "snapshot"}
        and _has_relation(node)
        and not _is_empty(node)
        and str(getattr(node, "language", "sql")) == "sql"
        and (chosen is None or uid in chosen)
    )


def declare(manifest: Manifest, parents: Mapping[str, Iterable[str]]) -> None:
    """Tell dbt the parents that were found in compiled SQL, so that it builds in the right order. Repeatable."""
    for uid, own in parents.items():
        declared = getattr(manifest.nodes[uid].depends_on, "nodes", None)
        if declared is None:
            continue
        declared.extend(parent for parent in own if parent in parents and parent not in declared)


@dataclass(frozen=True)
class _Lookup:
    """What a node's parents and sources are looked up in."""

    manifest: Manifest
    named: Mapping[Name, str]
    written: NamedRelations
    catalog: str
    served: frozenset[Name]
    texts: MentionFinder

    @cached_property
    def nodes(self) -> frozenset[str]:
        """The unique ids of the project's relations."""
        return frozenset(self.named.values())

    @cached_property
    def bare(self) -> Mapping[str, list[Name]]:
        """The project's relations by their name without schema."""
        names: dict[str, list[Name]] = {}
        for name in self.named:
            names.setdefault(name.identifier, []).append(name)
        return names


def _draft(uid: str, node: Any, lookup: _Lookup, reads: References | None) -> Node:
    manifest, named, catalog = lookup.manifest, lookup.named, lookup.catalog
    declared = [parent for parent in _flattened(node, manifest) if parent != uid]
    language = str(getattr(node, "language", "sql") or "sql")
    written = (
        _searched(reads, lookup) if reads is not None else lookup.written.mentioned(str(node.raw_code or ""))
    )
    opaque = reads is None and language == "sql" and node.resource_type.value != "seed"
    parents = {parent for parent in declared if parent in lookup.nodes}
    parents |= {named[name] for name in written.relations if name in named and named[name] != uid}
    if written.everything:
        parents |= set(named.values()) - {uid}
    outside = {name for name in written.relations if name not in named}
    outside |= {
        name
        for parent in declared
        if (name := _source(manifest, parent, catalog) or _left_out(manifest, parent)) and name not in named
    }
    parents |= {
        named[name]
        for parent in declared
        if (name := _source(manifest, parent, catalog)) and name in named and named[name] != uid
    }
    elsewhere = set(written.elsewhere) | {
        text for parent in declared if (text := _foreign(manifest, parent, catalog))
    }
    meta = cast(dict[str, Any], cast(dict[str, Any], node.config.meta or {}).get("sluice") or {})
    return Node(
        unique_id=uid,
        kind=_kind(node),
        name=Name(str(node.schema), str(node.alias)),
        path=str(node.original_file_path),
        language=language,
        fqn=tuple(str(part) for part in node.fqn),
        fingerprint="",
        parents=tuple(sorted(parents)),
        sources=tuple(sorted(outside | {name for name in lookup.texts.around(node) if name not in named})),
        files=tuple(sorted(written.files)),
        reads_outside=bool(outside or written.files or elsewhere or opaque or written.by_name),
        elsewhere=tuple(sorted(elsewhere)),
        unique_key=_key(node.config.to_dict().get("unique_key")),
        version=_version(node.config.to_dict()),
        contract=str(meta.get("contract", "")),
        forward_only=meta.get("forward_only") is True,
        never_in_full=node.config.get("full_refresh") is False,
        description=str(node.description or ""),
    )


def _searched(reads: References, lookup: _Lookup) -> References:
    """Return the references; a bare name that only one node has means that node, too: a hook may have set the search path."""
    meant: dict[Name, None] = {}
    for name in reads.relations:
        same = lookup.bare.get(name.identifier, [])
        if name in lookup.named or name.schema != "main" or len(same) != 1:
            meant[name] = None
        else:
            meant.update(dict.fromkeys([same[0], *({name} & lookup.served)]))
    return replace(reads, relations=tuple(meant))


def _kind(node: Any) -> NodeKind:
    if node.resource_type.value in {"seed", "snapshot"}:
        return NodeKind(node.resource_type.value)
    kind = _KINDS.get(str(node.config.materialized), NodeKind.EXTERNAL)
    # `full_refresh: true` has dbt make it from nothing each time: what was there is no part of what comes.
    return (
        NodeKind.TABLE if kind is NodeKind.INCREMENTAL and node.config.get("full_refresh") is True else kind
    )


def _has_relation(node: Any) -> bool:
    return str(node.config.materialized) not in {"ephemeral"} and bool(getattr(node, "relation_name", None))


def _is_empty(node: Any) -> bool:
    """Say whether a node's file holds nothing, a placeholder: dbt leaves it out, and says nothing."""
    return bool(getattr(node, "empty", False))


def _name(node: Any) -> Name:
    return Name(str(node.schema).lower(), str(node.alias).lower())


def _flattened(node: Any, manifest: Manifest) -> tuple[str, ...]:
    """Return the declared parents; in the place of an ephemeral one stand its own parents."""
    parents: dict[str, None] = {}
    todo = list(_declared(node))
    while todo:
        uid = todo.pop(0)
        parent = manifest.nodes.get(uid)
        if parent is not None and not _has_relation(parent):
            todo.extend(_declared(parent))
        else:
            parents[uid] = None
    return tuple(parents)


def _declared(node: Any) -> list[str]:
    # A seed's dependencies are macros only.
    return list(getattr(node.depends_on, "nodes", ()))


def _ephemeral(node: Any, manifest: Manifest) -> tuple[str, ...]:
    ephemeral: dict[str, None] = {}
    todo = list(_declared(node))
    while todo:
        uid = todo.pop(0)
        parent = manifest.nodes.get(uid)
        if parent is not None and not _has_relation(parent) and uid not in ephemeral:
            ephemeral[uid] = None
            todo.extend(_declared(parent))
    return tuple(ephemeral)


def _source(manifest: Manifest, uid: str, catalog: str) -> Name | None:
    source = manifest.sources.get(uid)
    if (
        source is None
        or str(source.database).lower() != catalog.lower()
        or not str(source.relation_name).startswith('"')
    ):
        return None
    return Name(str(source.schema).lower(), str(source.identifier).lower())


def _left_out(manifest: Manifest, uid: str) -> Name | None:
    """Return the relation of a node; one that is not built is read as a source is."""
    node = manifest.nodes.get(uid)
    return None if node is None or _is_empty(node) else _name(node)


def _foreign(manifest: Manifest, uid: str, catalog: str) -> str:
    source = manifest.sources.get(uid)
    if source is None or str(source.database).lower() == catalog.lower():
        return ""
    return str(source.relation_name)


def _key(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",")) if re.fullmatch(r"[\w\s,]+", value) else ()
    return tuple(str(column) for column in cast(Iterable[Any], value)) if value else ()


def _version(config: Mapping[str, Any]) -> str:
    """Return the column of a snapshot that tells its versions apart."""
    named = cast("Mapping[str, Any]", config.get("snapshot_meta_column_names") or {})
    return str(named.get("dbt_scd_id") or "dbt_scd_id")


def _tested_keys(manifest: Manifest) -> Mapping[str, tuple[str, ...]]:
    """Return the columns that a `unique` or `unique_combination…` test names, by the unique id of the node it is on."""
    keys: dict[str, tuple[str, ...]] = {}
    for test in manifest.nodes.values():
        metadata: Any = getattr(test, "test_metadata", None)
        attached = getattr(test, "attached_node", None)
        if metadata is not None and attached and str(metadata.name).startswith("unique"):
            keys.setdefault(str(attached), _columns(metadata.kwargs))
    return {uid: key for uid, key in keys.items() if key and all(key)}


def _columns(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    lists = [cast(list[Any], value) for value in arguments.values() if isinstance(value, list)]
    named = lists[0] if lists else [arguments.get("column_name") or ""]
    return tuple(str(column).strip('"') for column in named)


def _tests(
    manifest: Manifest,
    prints: Fingerprints,
    nodes: Mapping[str, Node],
    written: NamedRelations,
    named: Mapping[Name, str],
) -> Mapping[str, DbtTest]:
    tests: dict[str, DbtTest] = {}
    for uid, node in manifest.nodes.items():
        if node.resource_type.value == "test" and not _is_empty(node):
            declared = [parent for parent in _flattened(node, manifest) if parent in nodes]
            # One that declares nothing runs whenever anything changes.
            by_hand = [named[name] for name in _by_hand(node, written)] if declared else []
            parents = tuple(dict.fromkeys((*declared, *by_hand)))
            tests[uid] = DbtTest(
                uid,
                tuple(node.fqn),
                False,
                parents,
                prints.test(node),
                declared=_declared_parents(node),
                path=str(node.original_file_path),
            )
    for uid, unit in manifest.unit_tests.items():
        # dbt puts the model first, and after it what the test mocks.
        model = str(unit.depends_on.nodes[0]) if unit.depends_on.nodes else ""
        parents = tuple(parent for parent in unit.depends_on.nodes if parent in nodes)
        text = prints.test(unit)
        if model not in nodes and model in manifest.nodes:
            text = digest([text, code_key(manifest, prints, model)])
        tests[uid] = DbtTest(uid, tuple(unit.fqn), True, parents, text, model)
    return tests


def _declared_parents(test: Any) -> tuple[str, ...]:
    return tuple(str(parent) for parent in getattr(test.depends_on, "nodes", ()))


def _by_hand(test: Any, written: NamedRelations) -> tuple[Name, ...]:
    """Return the relations whose full name stands in what a test says."""
    arguments = getattr(getattr(test, "test_metadata", None), "kwargs", None)
    parts = (test.raw_code or "", arguments or "", test.config.where or "")
    return written.mentioned(" ".join(map(str, parts))).relations
