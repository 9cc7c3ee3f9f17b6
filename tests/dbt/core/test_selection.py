"""Many nodes chosen in one criterion: exactly those, and no trace of it afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_sluice.dbt.core.selection import marked
from tests.dbt.conftest import Shop

pytestmark = pytest.mark.slow


def test_all_exact_names_become_one_criterion(shop: Shop) -> None:
    manifest = shop.commands().parse()
    before = {uid: list(node.tags) for uid, node in manifest.nodes.items()}
    asked = ("--exclude-resource-type", "unit_test", "--select", "fqn:shop.a", "fqn:shop.b")
    with marked(manifest, asked) as words:
        worn = [uid for uid, node in manifest.nodes.items() if "sluice_chosen" in node.tags]
    assert words == ("--exclude-resource-type", "unit_test", "--select", "tag:sluice_chosen")
    assert worn == ["model.shop.a", "model.shop.b"]
    assert {uid: list(node.tags) for uid, node in manifest.nodes.items()} == before


def test_other_words_stay_as_they_are(shop: Shop) -> None:
    with marked(None, ("--select", "fqn:shop.a")) as words:
        assert words == ("--select", "fqn:shop.a")
    with marked(shop.commands().parse(), ("--select", "outer")) as words:
        assert words == ("--select", "outer")


def test_a_folder_that_bears_a_models_name_is_not_built_with_it(shop: Shop) -> None:
    """dbt's own `fqn:shop.loose` means models/loose/ as well."""
    shop.write("models/loose/deep.sql", "select 1 as id")
    commands = shop.commands()
    commands.session.side.unlink(missing_ok=True)
    results = commands.build(commands.parse(), "--select", "fqn:shop.loose")
    assert [result.short for result in results if result.kind == "model"] == ["loose"]


def test_a_test_of_a_changed_and_an_unchanged_model_runs_whatever_the_project_says(
    shop: Shop, tmp_path: Path
) -> None:
    """With `indirect_selection: cautious` in its flags, dbt leaves it out: a gate that looks at nothing."""
    other = Shop(tmp_path / "other", tmp_path / "state")
    other.reset()
    project = (other.folder / "dbt_project.yml").read_text()
    other.write("dbt_project.yml", project + "flags: {indirect_selection: cautious}\n")
    other.write(
        "tests/both.sql", "select 1 from {{ ref('c') }} join {{ ref('loose') }} using (id) where false"
    )
    commands = other.commands()
    manifest = commands.parse()
    commands.build(manifest, "--select", "fqn:shop.c", "fqn:shop.loose")
    results = commands.run_data_tests(manifest, "fqn:shop.both")
    assert {result.short: result.status for result in results if result.kind == "test"}["both"] == "pass"
