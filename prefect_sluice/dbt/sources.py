"""What dbt's manifest says of sources: their names, and how it knows when they were loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect_sluice.planning.source_policy import DeclaredLoading

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def declared(manifest: Manifest) -> Mapping[str, DeclaredLoading]:
    """Return every source by `schema.relation` in lower case, with its loaded_at field or query, as written."""
    return {
        f"{source.schema}.{source.identifier}".lower(): DeclaredLoading(
            _of(source, "loaded_at_field"), _of(source, "loaded_at_query")
        )
        for source in manifest.sources.values()
    }


def _of(source: Any, key: str) -> str:
    # dbt moved both below `config`, and reads them in either place.
    return str(getattr(source, key, None) or getattr(source.config, key, None) or "")
