"""A selector with `default: true` in selectors.yml: a release builds, tests and serves what a plain `dbt build` does."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.errors import BadInput, DbtFailed, Refused
from prefect_sluice.promotions.request import RefreshRequest
from prefect_sluice.promotions.work import Status
from tests.oracle.served import Content, differences, relations
from tests.oracle.test_histories import TABLE, Project
from tests.outcomes import status
from tests.warm_commands import Commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("plain-dbt")]

SELECTORS = """
selectors:
  - name: nightly
    default: true
    definition:
      union:
        - {method: tag, value: nightly, children: true}
        - exclude: [{method: tag, value: slow}]
"""
FILES = {
    "selectors.yml": SELECTORS,
    "seeds/codes.csv": "id\n1\n2\n",
    "seeds/other_codes.csv": "id\n3\n",
    "models/inner.sql": "{{ config(materialized='ephemeral') }} select id from {{ ref('codes') }}",
    "models/chosen.sql": TABLE + "select id from {{ ref('inner') }}",
    "models/child.sql": "select id + 1 as id from {{ ref('chosen') }} join {{ ref('by_hand') }} using (id)",
    "models/slow.sql": "{{ config(tags=['slow']) }} select * from {{ ref('chosen') }}",
    "models/wrong.sql": "select * from {{ ref('other_codes') }} where no_such_column",
    "models/by_hand.sql": TABLE + "select 9 as id",
    "models/all.yml": """
seeds: [{name: codes, config: {tags: [nightly]}}]
models:
  - {name: chosen, columns: [{name: id, data_tests: [not_null]}]}
  - {name: by_hand, columns: [{name: id, data_tests: [accepted_values: {values: [8]}]}]}
""",
    # It reads two nodes, one of which is left out: dbt's eager selection takes it, and it passes.
    "tests/between.sql": "select * from {{ ref('chosen') }} join {{ ref('by_hand') }} using (id) where id > 5",
}  # fmt: skip
MADE = ("create table main.by_hand as select 1 as id",)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project whose warehouse holds a relation that dbt made long ago, and makes no more."""
    folder = tmp_path / "project"
    folder.mkdir()
    project = Project(folder)
    project.write({"sluice.yml": "gates: {lint: {on: off}}\n"})
    project.load(*MADE)
    return project


def plain(
    project: Project, folder: Path, commands: Commands, made: Sequence[str] = MADE
) -> dict[str, Content]:
    """Return what plain dbt builds of the project's files, in a warehouse that holds what was made before."""
    ignored = shutil.ignore_patterns(".git", ".sluice", "w.duckdb*", "target", "sluice.yml")
    shutil.copytree(project.folder, folder, ignore=ignored)
    with duckdb.connect(str(folder / "w.duckdb")) as connection:
        for statement in made:
            connection.execute(statement)
    ran = commands.dbt("--quiet", "build", folder=folder)
    assert ran.code == 0, ran
    return dict(relations(folder / "w.duckdb"))


def test_what_is_served_is_what_plain_dbt_builds(
    project: Project, warm_commands: Commands, tmp_path: Path
) -> None:
    assert status(project.release(FILES)) is Status.DONE
    found = relations(project.folder / "w.duckdb")
    assert not differences(plain(project, tmp_path / "plain", warm_commands), found)
    assert {"main.codes", "main.chosen", "main.child", "main.by_hand"} == found.keys()
    assert project.read("main.by_hand") == [(1,)], "left out, and read as it stands there"
    # A model that becomes part of the selection is built, one that leaves it goes.
    more = {"models/late.sql": "{{ config(tags=['nightly']) }} select 5 as id"}
    assert status(project.release(more)) is Status.DONE
    wider = SELECTORS.replace(
        "- exclude: [{method: tag, value: slow}]", "- {method: fqn, value: other_codes}"
    )
    assert status(project.release({"selectors.yml": wider}, gone=("models/wrong.sql",))) is Status.DONE
    found = relations(project.folder / "w.duckdb")
    assert not differences(plain(project, tmp_path / "again", warm_commands), found)
    assert {"main.slow", "main.other_codes", "main.late"} <= found.keys()


def test_a_model_that_leaves_while_another_reads_it_is_told(project: Project) -> None:
    """Plain dbt would let its relation stand, and go on reading what nobody renews."""
    assert status(project.release(FILES)) is Status.DONE
    without = SELECTORS.replace("value: slow", "value: inner_ones").replace(
        "tag, value: nightly", "fqn, value: child"
    )
    with pytest.raises(
        Refused, match=r"child reads main\.chosen, which this release takes away: chosen is no part"
    ):
        project.release({"selectors.yml": without})
    assert project.read("main.chosen") == [(1,), (2,)]


def test_select_of_a_refresh_takes_the_place_of_the_default(project: Project) -> None:
    assert status(project.release(FILES)) is Status.DONE
    asked = RefreshRequest(project.folder, "dev", select="tag:slow")
    with pytest.raises(BadInput, match="no model, seed or snapshot matches 'tag:slow'"):
        pipeline.run(asked)
    work = pipeline.run(RefreshRequest(project.folder, "dev", select="chosen"))
    assert status(work) in {Status.DONE, Status.UNCHANGED}


def test_a_default_selector_that_fits_nothing_is_told(project: Project) -> None:
    nothing = SELECTORS.replace("value: nightly", "value: weekly")
    with pytest.raises(DbtFailed, match="`default: true` matches nothing"):
        project.release({**FILES, "selectors.yml": nothing})
    wrong = SELECTORS.replace("method: tag, value: nightly", "method: state, value: modified")
    with pytest.raises(DbtFailed, match="`default: true`"):
        project.release({"selectors.yml": wrong})
