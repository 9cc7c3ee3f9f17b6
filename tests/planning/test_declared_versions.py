"""The version of a source that a table tells: all its rows, in an order that is the same each time."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from prefect_sluice.config import SourceVersion
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.planning.source_policy import SourcePolicy
from prefect_sluice.planning.source_versions import versions
from tests.gates.duck import DuckReader

NODE = Node(
    "model.shop.a",
    NodeKind.TABLE,
    Name("main", "a"),
    "a.sql",
    "sql",
    (),
    "f",
    sources=(Name("raw", "orders"),),
)


def version(duck: DuckReader) -> str:
    setting = SourceVersion(version="declared", table="Raw.Batches")
    way = SourcePolicy({"raw.orders": setting}).way("raw.orders")
    assert not way.reads_the_source
    return versions({NODE.unique_id: NODE}, duck, Path(), "unknown", ways={"raw.orders": way})["raw.orders"]


def test_it_is_all_rows_of_the_table_in_order() -> None:
    duck = DuckReader(duckdb.connect())
    duck.connection.execute(
        "create schema raw; create table raw.batches as select * from (values (2, 'b'), (1, 'a'))"
    )
    rows = ["(1, 'a')", "(2, 'b')"]
    assert version(duck) == f"declared: {digest(rows)}"
    duck.connection.execute("delete from raw.batches where col0 = 2")
    assert version(duck) == "declared: 1, a"
    duck.connection.execute("delete from raw.batches")
    with pytest.raises(ConfigInvalid, match="nothing says which version it is"):
        version(duck)
