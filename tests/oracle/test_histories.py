"""Histories of commits, data and ways back that once went wrong: what is served is what `dbt build` would give, or nothing."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.digests import digest_file
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.promotion import Decision, State
from prefect_sluice.promotions.request import RefreshRequest, ReleaseRequest
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.stages.approve import record
from prefect_sluice.workspace.workspace import Workspace
from tests.outcomes import status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TABLE = "{{ config(materialized='table') }}\n"
FILES = {
    ".gitignore": "w.duckdb*\n",
    "dbt_project.yml": "name: p\nprofile: p\nversion: '1.0'\n",
    "profiles.yml": "p: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, schema: main, threads: 1}}}\n",
    "sluice.yml": "",
}


class Project:
    """A repository, its warehouse, and what happens to both."""

    def __init__(self, folder: Path) -> None:
        """Start an empty project in `folder`."""
        self.folder = folder
        self._git("init", "-q", "-b", "main")
        self.write(FILES)

    def write(self, files: dict[str, str]) -> None:
        """Write files; an empty text removes one."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def release(self, files: dict[str, str], *, gone: tuple[str, ...] = ()) -> Work:
        """Commit files (and the removal of others), and release."""
        self.write(files)
        for name in gone:
            (self.folder / name).unlink()
        self._git("add", "-A")
        self._git("commit", "-qm", "change", "--allow-empty")
        return pipeline.run(ReleaseRequest(self.folder, "dev"))

    def refresh(self) -> Work:
        """Refresh."""
        return pipeline.run(RefreshRequest(self.folder, "dev"))

    def load(self, *statements: str) -> None:
        """Write raw data."""
        with duckdb.connect(str(self.folder / "w.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    def read(self, relation: str) -> list[tuple[object, ...]]:
        """Return what a reader sees."""
        with duckdb.connect(str(self.folder / "w.duckdb"), read_only=True) as connection:
            return connection.execute(f"from {relation} order by all").fetchall()

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project."""
    return Project(tmp_path)


def test_a_seed_may_change(project: Project) -> None:
    """The old one stands in the side database as a view, which dbt would not seed over."""
    project.release({"seeds/codes.csv": "id,n\n1,a\n"})
    assert status(project.release({"seeds/codes.csv": "id,n\n1,b\n"})) is Status.DONE
    assert project.read("main.codes") == [(1, "b")]


def test_a_table_may_become_a_seed(project: Project) -> None:
    """Another node takes the public name."""
    project.release({"models/codes.sql": TABLE + "select 1 as id"})
    assert status(project.release({"seeds/codes.csv": "id\n2\n"}, gone=("models/codes.sql",))) is Status.DONE
    assert project.read("main.codes") == [(2,)]


def test_another_incremental_model_under_the_same_name_needs_a_word_for_what_goes(project: Project) -> None:
    """History belongs to the name: built by other code, it is built in full, and rows that only the past has are held."""
    incremental = "{{{{ config(materialized='incremental', alias='events') }}}}\nselect {n} as n"
    project.release({"models/one.sql": incremental.format(n=1)})
    changed = {"models/two.sql": incremental.format(n=2)}
    assert status(project.release(changed, gone=("models/one.sql",))) is Status.REFUSED
    assert project.read("main.events") == [(1,)]
    told = {"sluice.yml": "expect: [{relation: two, reason: another model}]\n"}
    assert status(project.release(told)) is Status.DONE
    assert project.read("main.events") == [(2,)]


def test_a_relation_that_comes_back_meets_the_tests_of_today(project: Project) -> None:
    """It was built before the test was written; nothing is built now, and the test says no."""
    project.release({"models/a.sql": TABLE + "select -1 as x"})
    project.release(
        {
            "models/a.sql": TABLE + "select 1 as x",
            "tests/positive.sql": "select * from {{ ref('a') }} where x < 0",
        }
    )
    assert status(project.release({"models/a.sql": TABLE + "select -1 as x"})) is Status.REFUSED
    assert project.read("main.a") == [(1,)]


def test_a_test_on_a_source_sees_new_data(project: Project) -> None:
    """It hangs on no node that is built."""
    project.load("create schema raw", "create table raw.o as select 1 as id")
    project.release(
        {
            "models/s.yml": "sources: [{name: raw, tables: [{name: o, columns: [{name: id, data_tests: [not_null]}]}]}]\n",
            "models/a.sql": TABLE + "select * from {{ source('raw', 'o') }}",
        }
    )
    project.load("insert into raw.o values (null)")
    assert status(project.refresh()) is Status.REFUSED
    assert project.read("main.a") == [(1,)]


RUN_QUERY = """
{% set v = run_query('select max(v) from raw.t').rows[0][0] if execute else 0 %}select {{ v }} as v
"""
POST_HOOK = """
{{ config(materialized='table', post_hook='insert into {{ this }} select v from raw.t') }}
select 0 as v where false
"""
PYTHON = "def model(dbt, session):\n    return session.sql('select max(v) as v from raw.t')\n"
PIVOT = "from (pivot (select 'v' as k, v from raw.t) on k in ('v') using max(v))"
READS = {
    "run_query": {"models/a.sql": TABLE + RUN_QUERY},
    "post_hook": {"models/a.sql": POST_HOOK},
    "python": {"models/a.py": PYTHON},
    "pivot": {"models/a.sql": TABLE + PIVOT},
}


@pytest.mark.parametrize("files", READS.values(), ids=READS.keys())
def test_new_data_that_only_a_hook_a_macro_or_python_reads_is_seen(
    project: Project, files: dict[str, str]
) -> None:
    """Never a false unchanged: a name in the text counts as read."""
    project.load("create schema raw", "create table raw.t as select 1 as v")
    project.release(files)
    assert project.read("main.a") == [(1,)]
    project.load("update raw.t set v = 2")
    assert status(project.refresh()) is Status.DONE
    assert project.read("main.a") == [(2,)]


def test_what_other_models_read_cannot_be_removed(project: Project) -> None:
    """A hard-coded name of a model that is gone: dbt would fail, so nothing is built, and the reader is named."""
    project.release(
        {"models/t1.sql": TABLE + "select 1 as v", "models/zz.sql": TABLE + "select v, 1 as w from main.t1"}
    )
    with pytest.raises(
        Refused, match=r"zz reads main\.t1, which this release takes away: t1 is no part of it"
    ):
        project.release({"models/zz.sql": TABLE + "select v, 2 as w from main.t1"}, gone=("models/t1.sql",))
    assert project.read("main.zz") == [(1, 1)]


def test_names_differ_by_more_than_case(project: Project) -> None:
    """Schemas in capitals, as some profiles have them, are the environment's own the second time, too."""
    project.write({"profiles.yml": FILES["profiles.yml"].replace("schema: main", "schema: Mart")})
    project.release({"models/a.sql": TABLE + "select 1 as x"})
    assert status(project.release({"models/a.sql": TABLE + "select 2 as x"})) is Status.DONE
    assert project.read("w.Mart.a") == [(2,)]


def test_an_approval_is_of_the_bytes_that_were_judged(project: Project) -> None:
    """Another candidate is made and judged again; the yes counts if it comes out byte for byte the same, else it is asked for."""
    project.write({"sluice.yml": "environments: {dev: {approvals: 1}}\n"})
    waiting = project.release({"models/a.sql": TABLE + "select 1 as x"})
    assert waiting.promotion is not None
    workspace = Workspace.at(project.folder)
    record(workspace, waiting.promotion, Decision.APPROVE, by="Grace")
    candidate = workspace.store.candidate(waiting.promotion.id)
    assert candidate is not None
    file = workspace.folder / candidate.path
    with duckdb.connect(str(file)) as connection:
        connection.execute("update main.a set x = 666")
    with workspace.store.transaction() as transaction:
        transaction.put_candidate(replace(candidate, digest=digest_file(file)))
    workspace.store.close()
    again = status(pipeline.run(ReleaseRequest(project.folder, "dev")))
    served = project.read("main.a") if (project.folder / "w.duckdb").exists() else []
    assert (again, served) in [(Status.WAITING, []), (Status.DONE, [(1,)])]


def test_a_state_that_says_approved_is_no_approval(project: Project) -> None:
    """Whoever writes the word into the state store has approved nothing."""
    project.write({"sluice.yml": "environments: {dev: {approvals: 1}}\n"})
    waiting = project.release({"models/a.sql": TABLE + "select 1 as x"})
    assert waiting.promotion is not None
    workspace = Workspace.at(project.folder)
    with workspace.store.transaction() as transaction:
        transaction.put_promotion(replace(waiting.promotion, state=State.APPROVED))
    workspace.store.close()
    assert status(pipeline.run(ReleaseRequest(project.folder, "dev"))) is Status.WAITING
    assert not (project.folder / "w.duckdb").exists()


def test_another_state_store_is_told_so(project: Project) -> None:
    """A lost .sluice, or a second clone: refused in plain words, with nothing written."""
    project.release({"models/a.sql": TABLE + "select 1 as x"})
    (project.folder / ".sluice").rename(project.folder / ".lost")
    with pytest.raises(Refused, match="of which this state store knows nothing"):
        project.refresh()
