"""Incremental models whose code changed and whose rows stay: their tables get the new columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def append_new_columns(manifest: Manifest, uids: Iterable[str]) -> None:
    """Have dbt append new columns where the model says to ignore them; a model that says more is left as it is. Repeatable.

    Columns that the new code drops stay, and new rows have no value in them: nothing of what is there is lost.
    """
    for uid in uids:
        config: Any = manifest.nodes[uid].config
        if config.on_schema_change == "ignore":
            config.on_schema_change = "append_new_columns"
