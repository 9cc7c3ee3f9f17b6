"""Hooks of a project: what a hook does beside building its node happens only when dbt runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_sluice.dbt.core.fingerprints.ingredients import HARMLESS
from prefect_sluice.dbt.texts.template_text import pieces
from prefect_sluice.sql.side_effects import EffectType, writes

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def hooked(manifest: Manifest) -> frozenset[str]:
    """Return the unique ids of the nodes that have hooks of their own."""
    return frozenset(
        uid
        for uid, node in manifest.nodes.items()
        if getattr(node.config, "pre_hook", None) or getattr(node.config, "post_hook", None)
    )


def post_hooks(manifest: Manifest, uid: str) -> tuple[str, ...]:
    """Return a node's own post-hooks, as written."""
    hooks: Any = getattr(manifest.nodes[uid].config, "post_hook", None) or ()
    return tuple(str(hook.sql) for hook in hooks)


def copied_to(manifest: Manifest) -> frozenset[str]:
    """Return the folders that the nodes' hooks copy files into, up to the first part of a path that is computed."""
    texts = {
        str(hook.sql)
        for node in manifest.nodes.values()
        for kind in ("pre_hook", "post_hook")
        for hook in getattr(node.config, kind, None) or ()
    }
    return frozenset(
        place.strip("'").partition("{{")[0].rpartition("/")[0]
        for text in texts
        if "copy" in text.lower()
        for piece in pieces(text) or ()
        for place in (
            write.place for write in writes(piece, "duckdb") or () if write.does is EffectType.COPIES_OUT
        )
    ) - {""}


def prepares(manifest: Manifest) -> bool:
    """Say whether anything runs before or after all nodes that may leave a trace in dbt's session, or in the warehouse."""
    return any(
        node.resource_type.value == "operation"
        and not HARMLESS.fullmatch(str(getattr(node, "raw_code", "") or ""))
        for node in manifest.nodes.values()
    )


def has_operations(manifest: Manifest) -> bool:
    """Say whether anything runs before or after all nodes."""
    return any(node.resource_type.value == "operation" for node in manifest.nodes.values())
