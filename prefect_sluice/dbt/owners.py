"""The owners of a node, as the project declares them: its group's owner, and its own `meta.owner`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def owners(manifest: Manifest) -> Mapping[str, tuple[str, ...]]:
    """Return the owners' names (or addresses) of each model, seed and snapshot that has any, by unique id."""
    groups = {str(group.name): _group_owner(group) for group in manifest.groups.values()}
    owners_by_node = {
        uid: (*groups.get(str(getattr(node, "group", "") or ""), ()), *_own(node))
        for uid, node in manifest.nodes.items()
    }
    return {uid: tuple(dict.fromkeys(names)) for uid, names in owners_by_node.items() if names}


def _group_owner(group: Any) -> tuple[str, ...]:
    return _texts((getattr(group.owner, "name", None) or getattr(group.owner, "email", None),))


def _own(node: Any) -> tuple[str, ...]:
    meta = cast("Mapping[str, Any]", getattr(node, "meta", None) or {})
    owner: Any = meta.get("owner")
    return _texts(cast("list[Any]", owner) if isinstance(owner, list) else (owner,))


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str) and value)
