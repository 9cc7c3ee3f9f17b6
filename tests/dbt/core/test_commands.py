"""dbt in our process: what it leaves behind, and what it says when a project is wrong."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import duckdb
import pytest
from dbt import deprecations

from prefect_sluice.domain.errors import DbtFailed
from prefect_sluice.domain.results import NodeResult
from tests.dbt.conftest import Shop

pytestmark = pytest.mark.slow

PROFILE = "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, schema: main, module_paths: [lib]}}}"


def build(shop: Shop, *selection: str) -> dict[str, NodeResult]:
    """Build nodes in a fresh side database; return the answers by short name."""
    commands = shop.commands()
    commands.session.side.unlink(missing_ok=True)
    results = commands.build(commands.parse(), "--exclude-resource-type", "unit_test", "--select", *selection)
    return {result.short: result for result in results}


def rows(shop: Shop, relation: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(shop.session().side)) as connection:
        return connection.execute(f"from {relation}").fetchall()


def test_what_is_built_is_in_the_side_database_and_nothing_else_holds_it(shop: Shop) -> None:
    results = build(shop, "c", "outer")
    assert {name: result.status for name, result in results.items() if result.kind == "model"} == {
        "c": "success",
        "outer": "success",
    }
    assert results["outer"].compiled.strip().startswith("with")
    assert results["outer"].parents == ("model.shop.inner",)
    assert rows(shop, "main.outer") == [(1,)]


def test_a_node_that_fails_is_an_answer(shop: Shop) -> None:
    shop.write("models/loose.sql", "select nothing as id")
    result = build(shop, "loose")["loose"]
    assert (result.ok, result.status) == (False, "error")
    assert "nothing" in result.message
    assert "\x1b" not in result.message


def test_the_working_folder_and_the_modules_are_as_before(shop: Shop) -> None:
    before = Path.cwd()
    shop.write("profiles.yml", PROFILE)
    assert build(shop, "c", "python")["python"].ok
    assert Path.cwd() == before
    assert not {"pricing", "rounding"} & set(sys.modules)


def test_each_build_imports_the_modules_of_its_own_checkout(shop: Shop, tmp_path: Path) -> None:
    """A worker builds one release after the other in one process, each from a folder of its own."""
    shop.write("profiles.yml", PROFILE)
    code = "import pricing\n\ndef model(dbt, session):\n    dbt.ref('c')\n"
    code += "    return session.sql(f'select {pricing.RATE} as rate')\n"
    shop.write("models/python.py", code)
    shop.write("lib/pricing.py", "RATE = 1\n")
    build(shop, "c", "python")
    assert rows(shop, "main.python") == [(1,)]
    other = Shop(tmp_path / "other", tmp_path / "state")
    other.reset()
    other.write("profiles.yml", PROFILE)
    other.write("models/python.py", code)
    other.write("lib/pricing.py", "RATE = 2\n")
    build(other, "c", "python")
    assert rows(other, "main.python") == [(2,)]


def test_the_deprecations_of_one_project_are_not_the_next_ones(shop: Shop, tmp_path: Path) -> None:
    """dbt counts them for its process; where warnings are errors, the sum of another project's would fail this one."""
    old = "models:\n  - name: c\n    columns: [{name: id, data_tests: [{accepted_values: {values: [1]}}]}]\n"
    shop.write("models/old.yml", old)
    shop.commands().parse()
    assert "missing-arguments-property-in-generic-test-deprecation" in deprecations.active_deprecations
    other = Shop(tmp_path / "other", tmp_path / "state")
    other.reset()
    project = (other.folder / "dbt_project.yml").read_text()
    other.write("dbt_project.yml", project + "flags: {warn_error: true}\n")
    assert other.commands().parse().nodes
    other.write("models/old.yml", old)
    with pytest.raises(DbtFailed, match="MissingArgumentsPropertyInGenericTest"):
        other.commands().parse()


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("models/loose.sql", "select * from {{ ref('nowhere') }}", "nowhere"),
        ("models/loose.sql", "select {{ 1", "loose"),
        ("models/schema.yml", "models: [", "schema.yml"),
        ("dbt_project.yml", "name: shop\nprofile: shop\nvars: {}\nno-such-key: 1\nmodel-paths: 7\n", "dbt"),
    ],
)
def test_a_project_that_does_not_parse(shop: Shop, path: str, text: str, told: str) -> None:
    commands = shop.commands()
    shop.write(path, text)
    with pytest.raises(DbtFailed) as caught:
        commands.parse()
    message = str(caught.value)
    assert message.startswith("dbt parse: ")
    assert message.endswith("; mend the project and commit")
    assert told in message
    assert "\n" not in message
    assert str(shop.folder) not in message


def test_what_is_wrong_with_a_semantic_model_is_said(shop: Shop) -> None:
    """dbt's own error says that the semantic manifest is wrong; why stands in its log only."""
    time = "{name: sold_at, type: time, type_params: {time_granularity: day}}"
    text = f"semantic_models: [{{name: sales, model: ref('loose'), dimensions: [{time}], "
    text += "measures: [{name: total, agg: sum, expr: id}]}]\n"
    text += "metrics: [{name: sold, label: Sold, type: simple, type_params: {measure: total}}]\n"
    shop.write("models/semantic.yml", text)
    shop.write("models/metricflow_time_spine.sql", "select date '2026-01-01' as date_day")
    with pytest.raises(
        DbtFailed, match="The semantic model sales contains dimensions, but it does not define"
    ):
        shop.commands().parse()


def test_variables_are_given_to_dbt(shop: Shop) -> None:
    commands = shop.commands({"threshold": 42})
    manifest = commands.parse()
    assert "42 as t" in commands.compile(manifest, ["fqn:shop.a"])["model.shop.a"]


def test_secrets_are_written_nowhere(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "open sesame")
    text = "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, schema: \"{{ env_var('SHOP_PASSWORD') }}\"}}}"
    shop.write("profiles.yml", text)
    commands = shop.commands()
    commands.parse()
    written = (commands.session.work / "profiles" / "profiles.yml").read_text(encoding="utf-8")
    assert "SHOP_PASSWORD" in written
    assert "open sesame" not in written


def test_a_command_that_broke_off_leaves_no_threads(shop: Shop) -> None:
    shop.write("models/loose.sql", "select {{ no_such_macro() }} as id")
    commands = shop.commands()
    manifest = commands.parse()
    before = set(threading.enumerate())
    assert not commands.compile(manifest, ["fqn:shop.loose"])
    assert set(threading.enumerate()) <= before


def test_a_database_is_opened_only_for_a_text_that_asks_it(shop: Shop) -> None:
    asks = "select {{ 1 if adapter.get_relation(this.database, this.schema, 'kept') else 0 }} as there"
    shop.write("models/asking.sql", asks)
    commands = shop.commands()
    manifest, side = commands.parse(), commands.session.side
    side.unlink(missing_ok=True)
    assert commands.compile(manifest, ["fqn:shop.loose"])["model.shop.loose"] == "select 1 as id"
    assert not side.exists(), "nothing in it was asked for"

    with duckdb.connect(str(side)) as connection:
        connection.execute("create table main.kept as select 1 as id")
    assert "select 1 as there" in commands.compile(manifest, ["fqn:shop.asking"])["model.shop.asking"]


def test_what_a_macro_changes_in_the_graph_is_undone_after_the_command(shop: Shop) -> None:
    """A plain dbt command parses anew: none begins with what the last one left in a dict of a node's configuration."""
    shop.write(
        "macros/types.sql",
        "{% macro types() %}{% if execute %}{% for node in graph.nodes.values() %}{% if node.name == 'first' %}"
        "{% do node.config.types.update({'late': ['int']}) %}{% do node.config.meta.seen.append('late') %}"
        "{% endif %}{% endfor %}{% endif %}{% endmacro %}",
    )
    config = "{{ config(types={'id': ['int']}, meta={'seen': []}) }}"
    shop.write(
        "models/first.sql", config + "select '{{ config.get('types') | list }} {{ config.get('meta') }}' as t"
    )
    shop.write("models/second.sql", "{{ types() }} select * from {{ ref('first') }}")
    commands = shop.commands()
    manifest = commands.parse()
    both = ["fqn:shop.first", "fqn:shop.second"]
    texts = [commands.compile(manifest, both)["model.shop.first"] for _ in range(2)]
    assert texts == ["select '['id'] {'seen': []}' as t"] * 2
