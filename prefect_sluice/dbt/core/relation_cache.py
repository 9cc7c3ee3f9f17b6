"""What dbt asks a database for before a command: which relations each schema of the project has."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

from prefect_sluice.dbt.core.replaced_attributes import replaced

ASKED_FOR_WHEN_NEEDED = "--no-populate-cache"
"""The flag for a command that only makes texts: most of them look at no relation, and then no database is opened."""


@contextmanager
def one_node_for_each_schema() -> Generator[None]:
    """Have dbt find the schemas of a project without a relation object for each node, in this process, while the block runs: of
    what they are made from, only the place differs, which a schema does not have."""
    from dbt.adapters.base.impl import BaseAdapter

    by_dbt = vars(BaseAdapter)["_get_cache_schemas"]

    def _get_cache_schemas(self: Any, relation_configs: Iterable[Any]) -> Any:
        return by_dbt(self, {_schema_of(node): node for node in relation_configs}.values())

    with replaced(BaseAdapter, _get_cache_schemas=_get_cache_schemas):
        yield


def _schema_of(node: Any) -> tuple[Any, ...]:
    """Return all that dbt's relation of a node is made from, but for the node's own name."""
    catalog = node.catalog_name if hasattr(node, "catalog_name") else node.config.get("catalog")
    return node.resource_type, node.database, node.schema, catalog, *sorted(node.quoting_dict.items())
