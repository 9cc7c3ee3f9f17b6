"""Which data tests a release runs, on a real project: on what changed, and on what looks at it from elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.promotions.work import Status, Work
from tests.repository import repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("data-tests")]

PARENT = "select unnest([1, 2, 3]) as id, 'x' as name\n"
FILES = {
    ".gitignore": "w.duckdb*\n.sluice\n",
    "dbt_project.yml": "name: p\nprofile: p\nversion: '1.0'\nmodels: {+materialized: table}\n",
    "profiles.yml": "p: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, schema: main, threads: 1}}}\n",
    "sluice.yml": "environments: {dev: {}}\n",
    "models/parent.sql": PARENT,
    "models/child.sql": "select unnest([1, 2, 3]) as parent_id\n",
    "models/reader.sql": "select count(*) as n from {{ ref('parent') }}\n",
    "models/inlined.sql": "{{ config(materialized='ephemeral') }} select * from {{ ref('parent') }}\n",
    "models/exceptions.sql": "select 1 as id where false\n",
    "tests/by_hand.sql": "select * from {{ ref('child') }} where parent_id not in (select id from main.parent)\n",
    "models/schema.yml": """
models:
- {name: parent, columns: [{name: id, data_tests: [unique, {not_null: {name: parent_id}}]}]}
- name: child
  columns:
  - name: parent_id
    data_tests:
    - relationships: {name: child_has_parent, arguments: {to: ref('parent'), field: id}}
    - accepted_values: {name: kept, arguments: {values: [1]}, config: {severity: warn, store_failures: true}}
- {name: inlined, columns: [{name: name, data_tests: [{not_null: {name: inlined_name}}]}]}
- {name: reader, columns: [{name: n, data_tests: [{not_null: {name: reader_n}}]}]}
- {name: exceptions, columns: [{name: id, data_tests: [unique, {not_null: {name: exceptions_id}}]}]}
""",
}
ON_PARENT = {"unique_parent_id", "parent_id", "child_has_parent", "by_hand", "inlined_name"}
HOOK = 'on-run-start: ["set global threads = 3"]\n'


def release(folder: Path, files: Mapping[str, str]) -> Work:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for command in (["add", "-A"], ["commit", "-qm", "change", "--allow-empty"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return pipeline.run(ReleaseRequest(folder, "dev"))


def found(work: Work, gate: str = "data_tests") -> dict[str, Finding]:
    [report] = [report for report in work.reports if report.gate == gate]
    return {
        f"{item.check} {item.subject}" if item.check == "rows" else item.check: item
        for item in report.findings
    }


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Work]:
    folder = repository(tmp_path_factory.mktemp("first") / "shop", FILES)
    return folder, pipeline.run(ReleaseRequest(folder, "dev"))


@pytest.fixture
def shop(first: tuple[Path, Work], tmp_path: Path) -> Path:
    """A copy of the project that serves."""
    shutil.copytree(first[0], tmp_path / "shop", symlinks=True)
    return tmp_path / "shop"


def test_the_first_release_of_a_project_with_an_empty_table_is_done(first: tuple[Path, Work]) -> None:
    folder, work = first
    assert work.outcome
    assert work.outcome.status is Status.DONE
    findings = found(work)
    assert {item.verdict for name, item in findings.items() if name not in {"kept", EMPTY}} == {
        Verdict.PASSED
    }
    assert (findings[EMPTY].verdict, findings[EMPTY].summary) == (
        Verdict.WARNED,
        "no rows: its 2 tests prove nothing",
    )
    assert (findings["kept"].verdict, findings["kept"].observed) == (Verdict.WARNED, 2)
    with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as connection:
        schemas = connection.execute("select distinct schema_name from duckdb_schemas()").fetchall()
    assert not [name for (name,) in schemas if "audit" in name], "the failing rows are evidence, no relation"


EMPTY = "rows model.p.exceptions"


def test_what_looks_at_a_changed_relation_from_elsewhere_is_asked(shop: Path) -> None:
    """A test on a child that is reused, on an ephemeral model, and one that names the relation by hand."""
    work = release(shop, {"models/parent.sql": "select unnest([1, 1, 2]) as id, null::varchar as name\n"})
    findings = found(work)
    assert findings.keys() == ON_PARENT | {"reader_n"}
    verdicts = {name: (item.verdict, item.observed) for name, item in findings.items()}
    assert verdicts == {
        "unique_parent_id": (Verdict.FAILED, 1),
        "parent_id": (Verdict.PASSED, 0),
        "child_has_parent": (Verdict.FAILED, 1),
        "by_hand": (Verdict.FAILED, 1),
        "inlined_name": (Verdict.FAILED, 3),
        "reader_n": (Verdict.PASSED, 0),
    }
    assert findings["inlined_name"].subject == "model.p.parent"
    assert set(findings["child_has_parent"].subject.split(", ")) == {"model.p.parent", "model.p.child"}
    assert {item.verdict for item in found(work, "build").values()} == {Verdict.PASSED}, (
        "all is built, then judged"
    )


def test_what_was_not_built_is_not_tested_on_what_was_there_before(shop: Path) -> None:
    """And a test that does not compile is named; the others are asked all the same."""
    broken = (
        FILES["tests/by_hand.sql"].replace("by_hand", "x").replace("main.parent", "{{ no_such_macro() }}")
    )
    work = release(
        shop, {"models/parent.sql": "select no_such_thing as id\n", "tests/unreadable.sql": broken}
    )
    findings = found(work)
    assert {findings[name].verdict for name in ON_PARENT} == {Verdict.INCONCLUSIVE}
    assert findings["parent_id"].summary == "did not run, because something it reads failed"
    assert findings["unreadable"].verdict is Verdict.ERRORED
    assert "no_such_macro" in findings["unreadable"].summary


def test_a_session_that_the_project_prepares_is_dbts(shop: Path) -> None:
    """What `on-run-start` leaves in dbt's session is not there in ours."""
    project = FILES["dbt_project.yml"] + HOOK
    least = "select id from {{ ref('parent') }} where id = current_setting('threads')\n"
    work = release(shop, {"dbt_project.yml": project, "tests/least.sql": least})
    finding = found(work)["least"]
    assert (finding.verdict, finding.observed) == (Verdict.FAILED, 1)
    assert finding.evidence
    assert finding.evidence.rows == (("3",),)


def test_what_a_hook_makes_and_nobody_can_read_is_named(shop: Path) -> None:
    made = "create or replace view main.made as select ('x' || id)::int as n from main.parent"
    project = FILES["dbt_project.yml"] + f'on-run-end: ["{made}"]\n'
    files = {"dbt_project.yml": project, "models/parent.sql": PARENT + "-- again\n"}
    with pytest.raises(Refused, match=r"main\.made, which a hook or a macro makes, cannot be read: Conv"):
        release(shop, files)
