"""What a project declares beside its relations."""

from __future__ import annotations

import json

import pytest

from prefect_sluice.dbt.core.declarations import declared
from prefect_sluice.domain.declarations import Declarations
from tests.dbt.conftest import Shop

pytestmark = pytest.mark.slow

EXPOSURES = """
exposures:
- name: board
  label: The board
  type: dashboard
  url: https://example.org/board
  owner: {name: Ops, email: ops@example.org}
  depends_on: [ref('c'), ref('b')]
  config: {meta: {sluice: {columns: {c: [id]}}}}
"""
TESTS = """
models:
- name: c
  description: What it is
  config: {contract: {enforced: true}, meta: {sluice: {contract: 'contracts.marts:A'}}}
  columns:
  - name: id
    description: the key
    data_type: integer
    data_tests:
    - unique
    - not_null: {config: {severity: warn, where: 'id > 0', warn_if: '> 2'}}
    - relationships: {arguments: {to: ref('b'), field: id}}
  - {name: n, data_type: integer}
"""


@pytest.fixture(scope="module")
def found(parsed: Shop) -> Declarations:
    shop = parsed
    shop.reset()
    shop.write("models/more_exposures.yml", EXPOSURES)
    shop.write("models/more_tests.yml", TESTS)
    hooks = "pre_hook=['select 1', 'select 2'], post_hook='{{ stamp() }}'"
    shop.write("models/c.sql", f"{{{{ config({hooks}) }}}} select 1 as id, 2 as n")
    return declared(shop.commands().parse())


def test_consumers_and_the_columns_they_say_they_read(found: Declarations) -> None:
    board = found.consumers["exposure.shop.board"]
    assert (board.name, board.label, board.kind, board.owner) == ("board", "The board", "dashboard", "Ops")
    assert board.parents == ("model.shop.c", "model.shop.b")
    assert board.columns == {"model.shop.c": ("id",)}
    assert (board.url, board.path) == ("https://example.org/board", "models/more_exposures.yml")


def test_data_tests_with_their_arguments_and_config(found: Declarations) -> None:
    on_id = {
        item.generic: item for item in found.tests.values() if item.node == "model.shop.c" and item.generic
    }
    assert {"unique", "not_null", "relationships"} <= set(on_id)
    assert all(item.column == "id" for item in on_id.values())
    config = on_id["not_null"].config
    assert str(config["severity"]).lower() == "warn"
    assert (config["where"], config["warn_if"]) == ("id > 0", "> 2")
    assert on_id["relationships"].arguments["field"] == "id"
    assert set(on_id["relationships"].parents) == {"model.shop.c", "model.shop.b"}


def test_unit_tests_name_what_they_test(found: Declarations) -> None:
    units = [item for item in found.tests.values() if item.is_unit]
    assert units
    assert all(item.node in item.parents for item in units)


def test_descriptions_types_and_contracts(found: Declarations) -> None:
    told = found.described["model.shop.c"]
    assert (told.description, told.columns["id"], told.columns["n"]) == ("What it is", "the key", "")
    assert told.types == {"id": "integer", "n": "integer"}
    assert told.enforced
    assert told.contract == "contracts.marts:A"
    assert not found.described["model.shop.b"].enforced


def test_code_that_runs_beside_the_queries(found: Declarations) -> None:
    hooks = [item for item in found.code if item.kind == "pre-hook"]
    assert [(item.node, item.text) for item in hooks] == [
        ("model.shop.c", "select 1"),
        ("model.shop.c", "select 2"),
    ]
    assert any(item.kind == "post-hook" and "stamp()" in item.text for item in found.code)
    macros = {item.unique_id for item in found.code if item.kind == "macro"}
    assert "macro.shop.stamp" in macros
    assert not any(uid.startswith("macro.dbt.") for uid in macros)


def test_what_is_kept_is_read_again(found: Declarations) -> None:
    kept = json.loads(json.dumps(found.document()))
    again = Declarations.read(kept)
    assert (again.consumers, again.tests, again.described) == (found.consumers, found.tests, found.described)
    assert again.code == ()


OTHERS = """
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
    shop.write("models/exposures.yml", OTHERS)
    found = declared(shop.commands().parse())
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
