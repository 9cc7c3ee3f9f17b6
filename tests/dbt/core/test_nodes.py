"""What becomes of dbt's nodes: parents that nobody declared, sources, files, kinds."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from prefect_sluice.dbt.project import Project
from prefect_sluice.domain.errors import DbtFailed
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.sql.write_targets import Targets
from tests.dbt.conftest import Shop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(parsed: Shop) -> Project:
    """The project as dbt parses and compiles it."""
    parsed.reset()
    return parsed.read(compiled=True)


@pytest.fixture(scope="module")
def nodes(project: Project) -> Mapping[str, Node]:
    return {node.short: node for node in project.nodes.values()}


def parents(node: Node) -> set[str]:
    return {".".join(parent.split(".")[2:]) for parent in node.parents}


def test_every_relation_is_a_node_and_nothing_else(nodes: Mapping[str, Node]) -> None:
    assert set(nodes) == {
        "a", "about", "b", "c", "files", "hard", "history", "kept", "late", "loose", "lookup", "numbers", "orders", "outer",
        "python", "round", "yesterday",
    }  # fmt: skip


def test_declared_parents(nodes: Mapping[str, Node]) -> None:
    assert parents(nodes["a"]) == {"numbers"}
    assert parents(nodes["b"]) == {"a"}
    assert parents(nodes["python"]) == {"c"}
    assert parents(nodes["history"]) == {"a"}


def test_an_ephemeral_parent_gives_its_place_to_its_own(nodes: Mapping[str, Node]) -> None:
    assert parents(nodes["outer"]) == {"c"}


def test_hard_coded_names_are_parents(nodes: Mapping[str, Node]) -> None:
    assert parents(nodes["hard"]) == {"a", "c"}
    assert nodes["hard"].sources == ()


def test_in_code_that_nobody_can_parse_full_names_are_parents(nodes: Mapping[str, Node]) -> None:
    assert parents(nodes["lookup"]) == {"c"}
    assert nodes["lookup"].reads_outside, "nobody knows what else it reads"


def test_a_circle_of_hard_coded_names_is_cut(nodes: Mapping[str, Node]) -> None:
    """`about` reads `round` as declared; that `round` names `about` means the one that was there before."""
    assert parents(nodes["about"]) == {"round"}
    assert parents(nodes["round"]) == set()


def test_nodes_are_in_build_order(project: Project) -> None:
    place = {uid: number for number, uid in enumerate(project.nodes)}
    assert all(place[parent] < place[uid] for uid, node in project.nodes.items() for parent in node.parents)


def test_sources_are_what_lies_outside_the_project(nodes: Mapping[str, Node]) -> None:
    assert nodes["orders"].sources == (Name("legacy", "customers"), Name("raw", "orders"))
    assert nodes["orders"].reads_outside
    assert not nodes["a"].reads_outside


def test_files_that_the_sql_opens(nodes: Mapping[str, Node]) -> None:
    assert nodes["files"].files == ("data/x.csv", "data/y.parquet")
    assert nodes["files"].reads_outside


def test_kinds_keys_and_names(nodes: Mapping[str, Node]) -> None:
    kinds = {name: node.kind for name, node in nodes.items()}
    assert (kinds["a"], kinds["numbers"], kinds["history"]) == (
        NodeKind.TABLE,
        NodeKind.SEED,
        NodeKind.SNAPSHOT,
    )
    assert (kinds["yesterday"], nodes["yesterday"].unique_key) == (NodeKind.INCREMENTAL, ("id", "day"))
    assert (nodes["a"].name, nodes["a"].path, nodes["a"].language) == (
        Name("main", "a"),
        "models/a.sql",
        "sql",
    )
    assert nodes["python"].language == "python"
    assert nodes["a"].description == "the first"


def test_a_model_of_another_database_is_refused(shop: Shop) -> None:
    """dbt would write it while the candidate is built, before any gate has seen it."""
    shop.write("models/away.sql", "{{ config(database='other') }} select 1 as id")
    with pytest.raises(
        DbtFailed, match=r"models/away\.sql: model\.shop\.away is built in database 'other'"
    ) as caught:
        shop.read()
    assert "only 'shop' is released; take its `database` away" in str(caught.value)


def test_tests_and_hooks(project: Project) -> None:
    by_kind = {test.is_unit: test for test in project.tests.values()}
    assert by_kind[False].parents == ("model.shop.a",)
    assert "model.shop.outer" in by_kind[True].parents
    assert project.hooks == Targets(), "a schema is no relation"


def test_relations_that_hooks_and_macros_may_write_to(shop: Shop) -> None:
    shop.write(
        "macros/side.sql",
        """
{% macro reads() %}{% set n = run_query('select * from raw.big') %}{{ n }}{% endmacro %}
{% macro marks() %}{% do run_query('update raw.marks set at = now()') %}{% endmacro %}
{% macro notes(table) %}insert into {{ table }} select 1{% endmacro %}
{% macro never() %}insert into raw.never select * from raw.big{% endmacro %}
""",
    )
    shop.write(
        "models/c.sql",
        "{{ config(post_hook=['insert into raw.log select * from raw.big', 'delete from {{ source(\"raw\", \"orders\") }}'])"
        " }} {{ marks() }} select 1 as id, {{ reads() }} as n",
    )
    hooks = shop.read().hooks
    assert hooks == Targets(frozenset({("raw", "log"), ("raw", "orders"), ("raw", "marks")}))
    assert [name for name in ("log", "marks", "big", "never") if hooks.may_be(Name("RAW", name))] == [
        "log",
        "marks",
    ]
    shop.write("models/loose.sql", "{{ config(pre_hook=\"{{ notes('raw.noted') }}\") }} select 1 as id")
    hooks = shop.read().hooks
    assert [name for name in ("noted", "log", "big") if hooks.may_be(Name("raw", name))] == ["noted", "log"]


def test_a_relation_that_a_text_names_is_a_parent(shop: Shop) -> None:
    shop.write("models/named.sql", "{{ config(materialized='view') }} select * from query_table('main.c')")
    shop.write(
        "models/asked.sql", "select * from query('select id from main.loose join main.kept using (id)')"
    )
    shop.write("models/computed.sql", "select * from query('from main.' || lower('C'))")
    nodes = shop.read(compiled=True).nodes
    assert nodes["model.shop.named"].parents == ("model.shop.c",)
    assert nodes["model.shop.asked"].parents == ("model.shop.kept", "model.shop.loose")
    assert not nodes["model.shop.named"].stays_a_view, "no view can be made to read what a text names"
    others = {uid for uid in nodes if uid != "model.shop.computed"}
    assert set(nodes["model.shop.computed"].parents) == others, "it may read any of them"
    before = nodes["model.shop.asked"].fingerprint
    shop.write("models/loose.sql", "select 2 as id")
    after = shop.read(compiled=True).nodes
    assert after["model.shop.asked"].fingerprint != before
    assert after["model.shop.named"].fingerprint == nodes["model.shop.named"].fingerprint
    assert after["model.shop.computed"].fingerprint != nodes["model.shop.computed"].fingerprint


def test_what_is_empty_is_left_out_as_dbt_does(shop: Shop) -> None:
    shop.write("models/later.sql", "\n")
    shop.write("tests/later.sql", "")
    project = shop.read()
    assert "model.shop.later" not in project.nodes
    assert "test.shop.later" not in project.tests
