"""What dbt lists of a database before a command is what it lists by itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dbt.adapters.base.impl import BaseAdapter
from dbt.adapters.duckdb.relation import DuckDBRelation

from prefect_sluice.dbt.core.relation_cache import one_node_for_each_schema
from tests.dbt.conftest import Shop

pytestmark = pytest.mark.slow


def test_the_schemas_are_those_that_dbt_finds(shop: Shop) -> None:
    shop.write("models/aside.sql", "{{ config(schema='aside') }} select 1 as id")
    shop.write("models/beside.sql", "{{ config(schema='aside', alias='other') }} select 1 as id")
    manifest = shop.commands().parse()
    nodes = [node for node in manifest.nodes.values() if node.is_relational]
    adapter: Any = SimpleNamespace(Relation=DuckDBRelation, config=SimpleNamespace(quoting={}))
    by_dbt: Any = vars(BaseAdapter)["_get_cache_schemas"]
    with one_node_for_each_schema():
        by_us: Any = vars(BaseAdapter)["_get_cache_schemas"]
        schemas = by_us(adapter, nodes)
    assert schemas == by_dbt(adapter, nodes)
    assert {relation.schema for relation in schemas} == {"main", "main_aside"}
    assert vars(BaseAdapter)["_get_cache_schemas"] is by_dbt
