"""A schema file is the one of the release that is parsed, whatever was parsed between two parses of that release."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.dbt.conftest import Shop

pytestmark = pytest.mark.slow

ID = "models: [{name: orders, columns: [{name: id, data_tests: [not_null, unique]}]}]\n"
NONE = "models: [{name: orders, description: without tests}]\n"
FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, schema: main}}}\n",
    "models/orders.sql": "select 1 as id\n",
}


def test_a_release_and_another_and_the_first_again(tmp_path: Path) -> None:
    """Each from its own checkout, whose files keep their times: dbt 1.11 alone gives the third parse the tests of the second."""
    shop = Shop(tmp_path / "shop", tmp_path / "state", FILES)
    shop.reset()
    found: list[int] = []
    for text, seconds in ((ID, 1_000_000), (NONE, 2_000_000), (ID, 1_000_000), (NONE, 2_000_000)):
        shop.write("models/schema.yml", text)
        os.utime(shop.folder / "models" / "schema.yml", (seconds, seconds))
        manifest = shop.commands().parse()
        found.append(sum(node.resource_type.value == "test" for node in manifest.nodes.values()))
    assert found == [2, 0, 2, 0]
