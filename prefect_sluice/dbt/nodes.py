"""From dbt's manifest to our nodes: relations, parents declared or not, fingerprints, tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.canonical import digest
from prefect_sluice.dbt.fingerprint import Fingerprints, with_parents
from prefect_sluice.errors import DbtFailed
from prefect_sluice.node import Kind, Name, Node
from prefect_sluice.warehouse.base import References

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_RELATIONS = frozenset({"model", "seed", "snapshot"})
_KINDS = {"view": Kind.VIEW, "table": Kind.TABLE, "incremental": Kind.INCREMENTAL}

Compile = Callable[[tuple[str, ...]], Mapping[str, str]]
"""Given unique ids, returns compiled SQL by unique id."""


@dataclass(frozen=True, slots=True)
class Test:
    """A dbt data test or unit test: what it looks at (unique ids of nodes), and the digest of its own text."""

    unique_id: str
    fqn: tuple[str, ...]
    is_unit: bool
    parents: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Project:
    """A parsed project. `nodes` are in build order, parents first; `hooks` is the text of every hook and operation."""

    name: str
    nodes: Mapping[str, Node]
    tests: Mapping[str, Test]
    hooks: str
    exposures: Mapping[str, tuple[str, ...]]


def read(
    manifest: Manifest,
    prints: Fingerprints,
    references: Mapping[str, References | None],
    catalog: str,
    served: Collection[Name] = (),
) -> Project:
    """Return the project. `references` holds what each SQL node's compiled text reads, by unique id; `served` are
    relations in the warehouse that are not the project's own, in lower case: one that a text names counts as read.

    Raises DbtFailed for a node that dbt would build in another database than `catalog`, the one that is served.
    """
    relations = {
        uid: node
        for uid, node in manifest.nodes.items()
        if node.resource_type.value in _RELATIONS and _has_relation(node)
    }
    _all_at_home(relations, catalog)
    named = {_name(node): uid for uid, node in relations.items()}
    drafts = {
        uid: _draft(uid, node, manifest, references.get(uid), named, catalog, frozenset(served))
        for uid, node in relations.items()
    }
    declared = {
        uid: frozenset(parent for parent in _flattened(manifest.nodes[uid], manifest) if parent in relations)
        for uid in relations
    }
    ordered = _ordered(_acyclic(drafts, declared))
    keys = _tested_keys(manifest)
    nodes: dict[str, Node] = {}
    for uid, node in ordered.items():
        above = [nodes[parent].fingerprint for parent in node.parents if parent in nodes]
        inlined = [prints.own(manifest.nodes[item]) for item in _ephemeral(manifest.nodes[uid], manifest)]
        own = with_parents(prints.own(manifest.nodes[uid]), inlined)
        key = node.unique_key or keys.get(uid, ())
        nodes[uid] = replace(node, own=own, fingerprint=with_parents(own, above), unique_key=key)
    return Project(
        name=str(manifest.metadata.project_name),
        nodes=nodes,
        tests=_tests(manifest, prints, nodes),
        hooks=_hooks(manifest),
        exposures={uid: tuple(item.depends_on.nodes) for uid, item in manifest.exposures.items()},
    )


def _all_at_home(relations: Mapping[str, Any], catalog: str) -> None:
    # It would be written to where people read it, before any gate has seen it.
    for uid, node in relations.items():
        if str(node.database).lower() != catalog.lower():
            what = f"{uid} is built in database {node.database!r}, and only {catalog!r} is released"
            raise DbtFailed(what, str(node.original_file_path), "take its `database` away, or disable it")


def code_key(manifest: Manifest, prints: Fingerprints, uid: str) -> str:
    """Return what a node's compiled text depends on, to remember its references by."""
    node = manifest.nodes[uid]
    read = sorted(str(getattr(_any(manifest, parent), "relation_name", parent)) for parent in _declared(node))
    inlined = [prints.own(manifest.nodes[item]) for item in _ephemeral(node, manifest)]
    return digest(
        {"own": prints.own(node), "reads": read, "inlined": inlined, "relation": str(node.relation_name)}
    )


def sql_nodes(manifest: Manifest) -> tuple[str, ...]:
    """Return the unique ids of nodes whose compiled SQL can be looked into."""
    return tuple(
        uid
        for uid, node in manifest.nodes.items()
        if node.resource_type.value in {"model", "snapshot"}
        and _has_relation(node)
        and str(getattr(node, "language", "sql")) == "sql"
    )


def declare(manifest: Manifest, nodes: Mapping[str, Node]) -> None:
    """Tell dbt the parents that were found in compiled SQL, so that it builds in the right order. Repeatable."""
    for uid, node in nodes.items():
        known = getattr(manifest.nodes[uid].depends_on, "nodes", None)
        if known is None:
            continue
        known.extend(parent for parent in node.parents if parent in nodes and parent not in known)


def _draft(
    uid: str,
    node: Any,
    manifest: Manifest,
    found: References | None,
    named: Mapping[Name, str],
    catalog: str,
    served: frozenset[Name],
) -> Node:
    declared = [parent for parent in _flattened(node, manifest) if parent != uid]
    language = str(getattr(node, "language", "sql") or "sql")
    written = _searched(found, named, served) if found is not None else _mentioned(node, named)
    opaque = found is None and language == "sql" and node.resource_type.value != "seed"
    parents = {parent for parent in declared if not parent.startswith("source.")}
    parents |= {named[name] for name in written.relations if name in named and named[name] != uid}
    outside = {name for name in written.relations if name not in named}
    outside |= {
        name for parent in declared if (name := _source(manifest, parent, catalog)) and name not in named
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
        sources=tuple(sorted(outside | (_in_texts(node, manifest, served) - named.keys()))),
        files=tuple(sorted(written.files)),
        reads_outside=bool(outside or written.files or elsewhere or opaque),
        elsewhere=tuple(sorted(elsewhere)),
        unique_key=_key(node.config.to_dict().get("unique_key")),
        contract=str(meta.get("contract", "")),
        forward_only=meta.get("forward_only") is True,
        description=str(node.description or ""),
    )


def _searched(found: References, named: Mapping[Name, str], served: frozenset[Name]) -> References:
    """A bare name that only one node bears means that node, too: a hook may have set the search path."""
    meant: dict[Name, None] = {}
    for name in found.relations:
        same = [known for known in named if known.identifier == name.identifier]
        if name in named or name.schema != "main" or len(same) != 1:
            meant[name] = None
        else:
            meant.update(dict.fromkeys([same[0], *({name} & served)]))
    return replace(found, relations=tuple(meant))


def _in_texts(node: Any, manifest: Manifest, served: frozenset[Name]) -> set[Name]:
    """Return served relations whose full name stands in what runs for a node: its code, its hooks, the macros it
    reaches, and what runs at the start. What a query asked by a macro, a hook or Python reads is found nowhere else."""
    texts = [str(node.raw_code or ""), *_own_hooks(node), *_macro_texts(node.depends_on.macros, manifest)]
    for operation in manifest.nodes.values():
        if operation.resource_type.value == "operation" and "on-run-start" in operation.tags:
            texts += [str(operation.raw_code), *_macro_texts(operation.depends_on.macros, manifest)]
    words = {
        word.rpartition(".")[0].rpartition(".")[2] + "." + word.rpartition(".")[2]
        for word in _dotted("\n".join(texts))
    }
    return {name for name in served if str(name) in words}


def _dotted(text: str) -> set[str]:
    return set(re.findall(r"\w+(?:\.\w+)+", text.lower().replace('"', "")))


def _own_hooks(node: Any) -> list[str]:
    hooks = (
        *(getattr(node.config, "pre_hook", None) or ()),
        *(getattr(node.config, "post_hook", None) or ()),
    )
    return [str(getattr(hook, "sql", hook)) for hook in hooks]


def _macro_texts(macros: Iterable[str], manifest: Manifest) -> list[str]:
    seen: dict[str, str] = {}
    todo = list(macros)
    while todo:
        macro = manifest.macros.get(todo.pop())
        if macro is not None and macro.unique_id not in seen:
            seen[macro.unique_id] = str(macro.macro_sql)
            todo.extend(macro.depends_on.macros)
    return list(seen.values())


def _kind(node: Any) -> Kind:
    if node.resource_type.value in {"seed", "snapshot"}:
        return Kind(node.resource_type.value)
    return _KINDS.get(str(node.config.materialized), Kind.EXTERNAL)


def _has_relation(node: Any) -> bool:
    return str(node.config.materialized) not in {"ephemeral"} and bool(getattr(node, "relation_name", None))


def _name(node: Any) -> Name:
    return Name(str(node.schema).lower(), str(node.alias).lower())


def _flattened(node: Any, manifest: Manifest) -> tuple[str, ...]:
    """Return declared parents; an ephemeral one gives its own place to its parents."""
    found: dict[str, None] = {}
    todo = list(_declared(node))
    while todo:
        uid = todo.pop(0)
        parent = manifest.nodes.get(uid)
        if parent is not None and not _has_relation(parent):
            todo.extend(_declared(parent))
        else:
            found[uid] = None
    return tuple(found)


def _declared(node: Any) -> list[str]:
    # A seed's dependencies are macros only.
    return list(getattr(node.depends_on, "nodes", ()))


def _ephemeral(node: Any, manifest: Manifest) -> tuple[str, ...]:
    found: dict[str, None] = {}
    todo = list(_declared(node))
    while todo:
        uid = todo.pop(0)
        parent = manifest.nodes.get(uid)
        if parent is not None and not _has_relation(parent) and uid not in found:
            found[uid] = None
            todo.extend(_declared(parent))
    return tuple(found)


def _any(manifest: Manifest, uid: str) -> Any:
    return manifest.nodes.get(uid) or manifest.sources.get(uid)


def _source(manifest: Manifest, uid: str, catalog: str) -> Name | None:
    source = manifest.sources.get(uid)
    if (
        source is None
        or str(source.database).lower() != catalog.lower()
        or not str(source.relation_name).startswith('"')
    ):
        return None
    return Name(str(source.schema).lower(), str(source.identifier).lower())


def _foreign(manifest: Manifest, uid: str, catalog: str) -> str:
    source = manifest.sources.get(uid)
    if source is None or str(source.database).lower() == catalog.lower():
        return ""
    return str(source.relation_name)


def _mentioned(node: Any, named: Mapping[Name, str]) -> References:
    """For code nobody can parse: every relation whose full name stands in it counts as read."""
    text = str(node.raw_code or "").lower().replace('"', "")
    found = [name for name in named if re.search(rf"(?<![\w.]){re.escape(str(name))}(?![\w.])", text)]
    return References(tuple(found))


def _key(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",")) if re.fullmatch(r"[\w\s,]+", value) else ()
    return tuple(str(item) for item in cast(Iterable[Any], value)) if value else ()


def _tested_keys(manifest: Manifest) -> Mapping[str, tuple[str, ...]]:
    """Return the columns that a `unique` or `unique_combination…` test names, by the unique id of the node it is on."""
    found: dict[str, tuple[str, ...]] = {}
    for test in manifest.nodes.values():
        metadata: Any = getattr(test, "test_metadata", None)
        attached = getattr(test, "attached_node", None)
        if metadata is not None and attached and str(metadata.name).startswith("unique"):
            found.setdefault(str(attached), _columns(metadata.kwargs))
    return {uid: key for uid, key in found.items() if key and all(key)}


def _columns(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    lists = [cast(list[Any], value) for value in arguments.values() if isinstance(value, list)]
    named = lists[0] if lists else [arguments.get("column_name") or ""]
    return tuple(str(item).strip('"') for item in named)


def _acyclic(drafts: Mapping[str, Node], declared: Mapping[str, frozenset[str]]) -> Mapping[str, Node]:
    """Drop found parents that would close a circle: a hard-coded name that reads what was there before."""
    kept: dict[str, set[str]] = {uid: set(parents) for uid, parents in declared.items()}
    for uid, node in drafts.items():
        for parent in node.parents:
            if parent in drafts and not _reaches(kept, parent, uid):
                kept[uid].add(parent)
    return {uid: replace(node, parents=tuple(sorted(kept[uid]))) for uid, node in drafts.items()}


def _reaches(parents: Mapping[str, set[str]], start: str, goal: str) -> bool:
    todo, seen = [start], {start}
    while todo:
        uid = todo.pop()
        if uid == goal:
            return True
        fresh = parents.get(uid, set()) - seen
        seen |= fresh
        todo.extend(fresh)
    return False


def _ordered(drafts: Mapping[str, Node]) -> Mapping[str, Node]:
    done: dict[str, Node] = {}
    todo = dict(sorted(drafts.items()))
    while todo:
        ready = [uid for uid, node in todo.items() if not any(parent in todo for parent in node.parents)]
        for uid in ready:
            done[uid] = todo.pop(uid)
    return done


def _tests(manifest: Manifest, prints: Fingerprints, nodes: Mapping[str, Node]) -> Mapping[str, Test]:
    found: dict[str, Test] = {}
    for uid, node in manifest.nodes.items():
        if node.resource_type.value == "test":
            parents = tuple(parent for parent in _flattened(node, manifest) if parent in nodes)
            found[uid] = Test(uid, tuple(node.fqn), False, parents, prints.test(node))
    for uid, unit in manifest.unit_tests.items():
        parents = tuple(parent for parent in unit.depends_on.nodes if parent in nodes)
        found[uid] = Test(uid, tuple(unit.fqn), True, parents, prints.test(unit))
    return found


def _hooks(manifest: Manifest) -> str:
    texts: list[str] = []
    for node in manifest.nodes.values():
        if node.resource_type.value == "operation":
            texts.append(str(node.raw_code))
        texts += _own_hooks(node)
    own = [
        str(macro.macro_sql)
        for macro in manifest.macros.values()
        if macro.package_name == manifest.metadata.project_name
    ]
    return "\n".join([*texts, *own])
