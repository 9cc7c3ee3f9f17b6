"""What becomes of dbt's nodes: parents that nobody declared, sources, files, kinds."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from prefect_sluice.dbt.nodes import Project
from prefect_sluice.errors import DbtFailed
from prefect_sluice.node import Kind, Name, Node
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
    assert (kinds["a"], kinds["numbers"], kinds["history"]) == (Kind.TABLE, Kind.SEED, Kind.SNAPSHOT)
    assert (kinds["yesterday"], nodes["yesterday"].unique_key) == (Kind.INCREMENTAL, ("id", "day"))
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
    assert "create schema if not exists audit" in project.hooks
    assert "stamp()" in project.hooks
