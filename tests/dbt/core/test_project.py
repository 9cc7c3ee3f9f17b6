"""The port of dbt, answered by dbt-core on a project that it parsed."""

from __future__ import annotations

import pytest

from prefect_sluice.dbt.core.used_variables import NOT_SET
from prefect_sluice.domain.node import Name
from tests.dbt.conftest import Shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_variables_and_sources_that_are_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write(
        "models/token.sql", "select '{{ env_var(\"SHOP_TOKEN\", \"x\") }}' as t, {{ var('nobody', 1) }} as n"
    )
    monkeypatch.setenv("SHOP_COLOUR", "grün")
    monkeypatch.setenv("SHOP_TOKEN", "canary-in-a-mine")
    monkeypatch.setenv("UNREAD", "1")
    dbt = shop.dbt({"threshold": 1, "unread": 2})
    variables, environ = dbt.variables_used()
    assert variables == {"threshold": "1", "nobody": NOT_SET}
    assert environ["SHOP_COLOUR"] == "grün"
    assert environ["SHOP_LATE"] == NOT_SET
    assert environ.keys() == {"SHOP_COLOUR", "SHOP_LATE", "SHOP_TOKEN"}
    assert "canary" not in str(environ)
    assert dbt.facts.sources_of("SHOP") == {Name("raw", "orders"): "raw.orders"}
    assert dbt.facts.sources_of("other") == {}


def test_hooks_owners_and_files_as_the_project_says(shop: Shop) -> None:
    shop.write(
        "models/groups.yml",
        "groups: [{name: finance, owner: {name: Fin, email: fin@shop.example}}]\n"
        "models: [{name: outer, config: {group: finance, meta: {owner: [Ada, Bob]}}}]\n",
    )
    facts = shop.dbt().facts
    assert facts.name == "shop"
    assert facts.hooked == {"model.shop.c"}
    assert facts.post_hooks == {"model.shop.c": ("{{ stamp() }}",)}
    assert (facts.has_operations, facts.has_python) == (True, True)
    assert facts.owners == {"model.shop.outer": ("Fin", "Ada", "Bob")}
    assert {"SHOP_COLOUR", "SHOP_LATE"} <= facts.environment
    assert "raw.orders" in facts.loading()
    assert not facts.only_dbt


def test_the_port_from_a_parse_to_the_answers_of_tests(shop: Shop) -> None:
    """As a release asks it: texts, relations, a build without rows, a build, data tests and unit tests; twice."""
    shop.write(
        "models/units.yml",
        "unit_tests: [{name: rounds, model: a, given: [{input: ref('numbers'), rows: [{id: 1, price: 1.234}]}], "
        "expect: {rows: [{id: 1, price: 1.23, t: 1}]}}]\n",
    )
    dbt = shop.dbt()
    dbt.commands.session.side.unlink(missing_ok=True)
    assert dbt.text_keys().keys() >= {"model.shop.a", "model.shop.yesterday", "snapshot.shop.history"}
    assert "seed.shop.numbers" not in dbt.text_keys()
    texts = dbt.compiled(["model.shop.c", "model.shop.outer"])
    assert {uid: len(of_one) for uid, of_one in texts.items()} == {"model.shop.c": 1, "model.shop.outer": 1}
    project = dbt.read({}, "shop")
    dbt.add_parents({uid: node.parents for uid, node in project.nodes.items()})
    [unique] = [test for test in project.tests.values() if not test.is_unit]
    assert (unique.parents, unique.declared, unique.path) == (
        ("model.shop.a",),
        ("model.shop.a",),
        "models/schema.yml",
    )
    wanted = ["seed.shop.numbers", "model.shop.a", "model.shop.c"]
    heard: list[str] = []

    def hear(uid: str, _status: str, _seconds: float, _message: str) -> None:
        heard.append(uid)

    for _ in range(2):
        empty = dbt.build_without_rows(wanted, in_full=True)
        assert {result.short for result in empty if result.ok and result.kind != "operation"} == {
            "numbers",
            "a",
            "c",
        }
        heard.clear()
        built = dbt.build(wanted, [unique.unique_id], on_node=hear)
        assert {result.unique_id for result in built if result.kind == "test"} == {unique.unique_id}
        assert {*wanted, unique.unique_id} <= set(heard)
        [asked] = dbt.data_tests([unique.unique_id])
        assert "from" in asked.sql
        assert [result.status for result in dbt.run_data_tests([unique.unique_id])] == ["pass"]
        units = {test.unique_id for test in project.tests.values() if test.is_unit}
        answers = {result.unique_id: result for result in dbt.run_unit_tests(units)}
        assert answers["unit_test.shop.a.rounds"].status == "pass"
        assert "'inner' which was not found" in answers["unit_test.shop.outer.adds"].message


def test_nothing_named_is_nothing_built(shop: Shop) -> None:
    dbt = shop.dbt()
    assert dbt.build(()) == ()
    assert dbt.compiled(()) == {}
    assert dbt.data_tests(()) == ()
    assert dbt.run_data_tests(()) == ()
    assert dbt.build_without_rows(()) == ()
    assert dbt.run_unit_tests(()) == ()
