"""From dbt's manifest to what the project declares beside its relations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.domain.declarations import CodeText, Consumer, Declarations, DeclaredTest, NodeDescription
from prefect_sluice.domain.digests import Json
from prefect_sluice.sql.side_effects import has_hint

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_DBTS_OWN = frozenset({"dbt", "dbt_duckdb", "dbt_postgres", "dbt_spark"})
_CALLS = re.compile(r"\{[{%-]*[^}]*[\"']")
"""Jinja that gives a text to something."""
_HOOKS = {"pre-hook": "pre_hook", "post-hook": "post_hook"}


def declared(manifest: Manifest) -> Declarations:
    """Return what the project declares: consumers, tests, descriptions, and the code that may run beside a query."""
    hooks = tuple(_hooks(manifest))
    return Declarations(
        consumers=consumers(manifest),
        tests={**_data_tests(manifest), **_unit_tests(manifest)},
        described={
            uid: _described(node)
            for uid, node in manifest.nodes.items()
            if node.resource_type.value in {"model", "seed", "snapshot"}
        },
        code=(*hooks, *_macros(manifest, hooks), *_templates(manifest)),
    )


def consumers(manifest: Manifest) -> Mapping[str, Consumer]:
    """Return who the project says reads its relations, by unique id."""
    return {uid: _consumer(uid, exposure) for uid, exposure in manifest.exposures.items()}


def _consumer(uid: str, exposure: Any) -> Consumer:
    owner = exposure.owner
    return Consumer(
        unique_id=uid,
        name=str(exposure.name),
        kind=str(getattr(exposure.type, "value", exposure.type)),
        label=str(exposure.label or ""),
        owner=str(getattr(owner, "name", None) or getattr(owner, "email", None) or ""),
        url=str(exposure.url or ""),
        description=str(exposure.description or ""),
        path=str(exposure.original_file_path),
        parents=tuple(str(parent) for parent in exposure.depends_on.nodes),
        columns=_read_columns(exposure),
    )


def _read_columns(exposure: Any) -> Mapping[str, tuple[str, ...]]:
    """Return `meta.sluice.columns`: columns by the name of a model, told by its unique id."""
    columns_by_model = cast(Mapping[str, Any], _of_ours(exposure).get("columns") or {})
    named = {str(parent).split(".")[-1]: str(parent) for parent in exposure.depends_on.nodes}
    return {
        named.get(name, name): tuple(str(column) for column in columns)
        for name, columns in columns_by_model.items()
    }


def _of_ours(declaration: Any) -> Mapping[str, Any]:
    """Return `meta: {sluice: …}` of a declaration (a node, an exposure), as of its config."""
    meta = cast(
        Mapping[str, Any],
        getattr(declaration.config, "meta", None) or getattr(declaration, "meta", None) or {},
    )
    return cast(Mapping[str, Any], meta.get("sluice") or {})


def _data_tests(manifest: Manifest) -> Mapping[str, DeclaredTest]:
    return {
        uid: _data_test(uid, node)
        for uid, node in manifest.nodes.items()
        if node.resource_type.value == "test"
    }


def _data_test(uid: str, node: Any) -> DeclaredTest:
    metadata: Any = getattr(node, "test_metadata", None)
    arguments = dict(metadata.kwargs) if metadata is not None else {}
    arguments.pop("model", None)
    namespace = f"{metadata.namespace}." if metadata is not None and metadata.namespace else ""
    return DeclaredTest(
        unique_id=uid,
        name=str(node.name),
        generic=f"{namespace}{metadata.name}" if metadata is not None else "",
        node=str(getattr(node, "attached_node", None) or ""),
        column=str(getattr(node, "column_name", None) or arguments.get("column_name") or ""),
        arguments=_plain(arguments),
        config=_plain(node.config.to_dict()),
        parents=tuple(str(parent) for parent in node.depends_on.nodes),
        path=str(node.original_file_path),
    )


def _unit_tests(manifest: Manifest) -> Mapping[str, DeclaredTest]:
    unit_tests: dict[str, DeclaredTest] = {}
    for uid, unit in manifest.unit_tests.items():
        parents = tuple(str(parent) for parent in unit.depends_on.nodes)
        tested = next((one for one in parents if one.split(".")[2:] == [str(unit.model)]), "")
        unit_tests[uid] = DeclaredTest(
            uid, str(unit.name), is_unit=True, node=tested, parents=parents, path=str(unit.original_file_path)
        )
    return unit_tests


def _described(node: Any) -> NodeDescription:
    contract = getattr(node, "contract", None)
    columns = cast(Mapping[str, Any], node.columns or {})
    return NodeDescription(
        description=str(node.description or ""),
        columns={name: str(column.description or "") for name, column in columns.items()},
        types={name: str(column.data_type) for name, column in columns.items() if column.data_type},
        enforced=bool(getattr(contract, "enforced", False)),
        rules=tuple(_rules(node)),
        contract=str(_of_ours(node).get("contract", "")),
        access=str(getattr(getattr(node, "access", ""), "value", getattr(node, "access", "")) or ""),
        group=str(getattr(node, "group", None) or ""),
        keyed=_keyed(node, columns),
        ephemeral=str(node.config.materialized) == "ephemeral",
        path=str(node.original_file_path),
    )


def _keyed(node: Any, columns: Mapping[str, Any]) -> bool:
    """Say whether a constraint of the node or of one of its columns names a key."""
    lists = [getattr(holder, "constraints", None) or () for holder in (node, *columns.values())]
    kinds = {str(getattr(rule.type, "value", rule.type)) for rules in lists for rule in rules}
    return bool(kinds & {"primary_key", "unique"})


def _rules(node: Any) -> Iterator[str]:
    """Yield the constraints of a dbt contract, one way of writing for each."""
    for name, column in cast(Mapping[str, Any], node.columns or {}).items():
        yield from (f"{name}: {_rule(rule)}" for rule in getattr(column, "constraints", None) or ())
    yield from (_rule(rule) for rule in getattr(node, "constraints", None) or ())


def _rule(rule: Any) -> str:
    columns = ", ".join(str(name) for name in getattr(rule, "columns", None) or ())
    kind = str(getattr(rule.type, "value", rule.type))
    subject = f"{kind}({columns})" if columns else kind
    return " ".join(part for part in (subject, " ".join(str(rule.expression or "").split())) if part)


def _hooks(manifest: Manifest) -> Iterator[CodeText]:
    own = str(manifest.metadata.project_name)
    for uid, node in manifest.nodes.items():
        package = "" if node.package_name == own else str(node.package_name)
        if node.resource_type.value == "operation":
            kind = next((str(tag) for tag in node.tags if str(tag).startswith("on-run-")), "operation")
            path = str(node.original_file_path)
            yield CodeText(uid, kind, str(node.raw_code or ""), path=path, package=package)
            continue
        for kind, attribute in _HOOKS.items():
            for hook in getattr(node.config, attribute, None) or ():
                path = str(node.original_file_path)
                yield CodeText(f"{uid}.{kind}", kind, str(hook.sql), uid, path, package)


def _templates(manifest: Manifest) -> Iterator[CodeText]:
    """Yield the nodes' own texts whose Jinja may send a statement to the warehouse: it does as soon as they are compiled."""
    own = str(manifest.metadata.project_name)
    for uid, node in manifest.nodes.items():
        text = str(getattr(node, "raw_code", "") or "")
        if node.resource_type.value == "operation" or str(getattr(node, "language", "sql")) != "sql":
            continue
        if _CALLS.search(text) and has_hint(text):
            package = "" if node.package_name == own else str(node.package_name)
            yield CodeText(uid, "template", text, uid, str(node.original_file_path), package, "query")


def _macros(manifest: Manifest, hooks: Iterable[CodeText]) -> Iterator[CodeText]:
    """Yield the project's own macros, and its packages'; dbt's own are known."""
    own = str(manifest.metadata.project_name)
    beside, query = _called(manifest, [hook.text for hook in hooks])
    for uid, macro in manifest.macros.items():
        package = str(macro.package_name)
        if package in _DBTS_OWN:
            continue
        runs = "beside" if uid in beside else "query" if uid in query else ""
        path = str(macro.original_file_path)
        yield CodeText(uid, "macro", str(macro.macro_sql), "", path, "" if package == own else package, runs)


def _called(manifest: Manifest, hooks: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the macros that hooks and operations may come to call, and those that nodes and tests may."""
    from prefect_sluice.dbt.core.fingerprints.macros import Macros

    macros = Macros(manifest)
    nodes = [node for node in manifest.nodes.values() if node.resource_type.value != "operation"]
    making = {
        made
        for node in nodes
        for made in macros.materialization(
            str(node.config.materialized), str(getattr(node.config, "incremental_strategy", "") or "default")
        )
    }
    named = {str(uid) for node in nodes for uid in node.depends_on.macros}
    query = macros.reach((str(getattr(node, "raw_code", "") or "") for node in nodes), making | named)
    return macros.reach(hooks).own, query.own


def _plain(values: Mapping[str, Any]) -> Mapping[str, Json]:
    """Return values as JSON has them; what is unset is left out."""
    document = json.loads(json.dumps({str(key): value for key, value in values.items()}, default=str))
    return {key: value for key, value in document.items() if value not in (None, [], {})}
