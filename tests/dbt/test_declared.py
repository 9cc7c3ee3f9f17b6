"""What a project declares beside its relations, as dbt parses it: who reads it, and what code runs on the side."""

from __future__ import annotations

import pytest

from prefect_sluice.dbt.declared import declared
from tests.dbt.conftest import Shop

pytestmark = pytest.mark.slow

EXPOSURES = """
exposures:
- name: board
  label: Board
  type: dashboard
  owner: {email: ops@example.org}
  depends_on: [ref('a'), ref('b'), "source('raw', 'orders')"]
  config: {meta: {sluice: {columns: {a: [id, price], 'nobody': [x]}}}}
"""


def test_hooks_and_macros_say_whence_they_run(shop: Shop) -> None:
    shop.write(
        "models/c.sql",
        "{{ config(post_hook=['{{ stamp() }}', 'analyze'], pre_hook='vacuum') }} select 1 as id",
    )
    shop.write("models/exposures.yml", EXPOSURES)
    found = declared(shop.session().parse())
    told = [(item.unique_id.partition(".")[2], item.kind, item.runs) for item in found.code]
    assert sorted(told) == [
        ("shop.c.post-hook", "post-hook", "beside"),
        ("shop.c.post-hook", "post-hook", "beside"),
        ("shop.c.pre-hook", "pre-hook", "beside"),
        ("shop.money", "macro", "query"),
        ("shop.rounded", "macro", "query"),
        ("shop.shop-on-run-start-0", "on-run-start", "beside"),
        ("shop.stamp", "macro", "beside"),
        ("shop.unused", "macro", ""),
    ]
    assert {item.package for item in found.code} == {""}
    [board] = found.consumers.values()
    assert (board.name, board.owner, board.path) == ("board", "ops@example.org", "models/exposures.yml")
    assert set(board.parents) == {"model.shop.a", "model.shop.b", "source.shop.raw.orders"}
    assert board.columns == {"model.shop.a": ("id", "price"), "nobody": ("x",)}
