"""The side database is opened as dbt opens the warehouse, and looks as it does: what is served is what plain dbt would give."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.planning.source_versions import is_unknown
from prefect_sluice.promotions.work import Status
from tests.oracle.test_histories import TABLE, Project
from tests.outcomes import status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUIET = "gates: {lint: {on: off}, safety: {on: warn}}\n"
PROFILE = "p: {{target: dev, outputs: {{dev: {{type: duckdb, path: w.duckdb, schema: main, threads: 1, {more}}}}}}}\n"
UNION = """
{% set found = run_query("select table_name from information_schema.tables where table_schema = 'raw' order by 1") %}
{% if execute %}{% for row in found.rows %}
select id from raw.{{ row[0] }} {% if not loop.last %}union all{% endif %}
{% endfor %}{% endif %}
"""
COUNTS = {
    "models/n_tables.sql": TABLE
    + "select count(*) as n from information_schema.tables where table_schema = 'raw'",
    "models/n_columns.sql": TABLE
    + "select count(*) as n from information_schema.columns where table_schema = 'raw'",
    "models/n_databases.sql": TABLE
    + "select count(*) as n from duckdb_databases() where database_name not in ('w', 'system', 'temp')",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project, whose hooks and lint nobody judges."""
    project = Project(tmp_path)
    project.write({"sluice.yml": QUIET})
    return project


def other(project: Project, name: str, sql: str) -> None:
    """Write another database beside the project."""
    with duckdb.connect(str(project.folder / name)) as connection:
        connection.execute(sql)


def test_a_macro_that_asks_the_catalogue_sees_each_relation_once(project: Project) -> None:
    """dbt_utils.get_relations_by_pattern and union_relations do so."""
    project.load(
        "create schema raw", "create table raw.a as select 1 as id", "create table raw.b as select 2 as id"
    )
    assert status(project.release({"models/u.sql": TABLE + UNION, **COUNTS})) is Status.DONE
    assert project.read("main.u") == [(1,), (2,)]
    found = [project.read(f"main.{name}") for name in ("n_tables", "n_columns", "n_databases")]
    assert found == [[(2,)], [(2,)], [(0,)]]


def test_a_view_over_a_database_that_the_profile_attaches_is_served_as_a_table(project: Project) -> None:
    """Its path may come from the environment, and is relative to where people run dbt."""
    other(project, "ext.duckdb", "create table t as select 7 as z")
    path = "\"{{ env_var('NOT_SET_ANYWHERE', 'ext.duckdb') }}\""
    files = {
        ".gitignore": "*.duckdb*\n.sluice/\n",
        "profiles.yml": PROFILE.format(more=f"attach: [{{path: {path}, alias: ext}}]"),
        "models/v.sql": "select * from ext.main.t",
        "models/w.sql": "select z + 1 as z from {{ ref('v') }}",
        "models/v.yml": "models: [{name: v, columns: [{name: z, data_tests: [not_null]}]}]\n",
    }
    assert status(project.release(files)) is Status.DONE
    plan = project.release({}).plan
    assert plan is not None
    assert not [text for text in plan.notes.versions.values() if is_unknown(text)]
    (project.folder / "ext.duckdb").unlink()
    assert (project.read("main.v"), project.read("main.w")) == ([(7,)], [(8,)])
    assert not list((project.folder / ".sluice" / "checkouts").rglob("*.duckdb")), "dbt made one of its own"


def test_a_served_view_over_an_attached_database_can_be_read_in_the_build(project: Project) -> None:
    """People made it beside the models: without what the profile attaches nothing could stand in for it."""
    other(project, "ext.duckdb", "create table t as select 7 as z")
    attach = f"attach '{project.folder / 'ext.duckdb'}' as ext (read_only)"
    project.load("create schema raw", attach, "create view raw.v as select * from ext.main.t")
    files = {
        ".gitignore": "*.duckdb*\n.sluice/\n",
        "profiles.yml": PROFILE.format(more="attach: [{path: ext.duckdb, alias: ext}]"),
        "models/m.sql": TABLE + "select z from raw.v",
    }
    assert status(project.release(files)) is Status.DONE
    assert project.read("main.m") == [(7,)]


def test_settings_of_the_profile_hold_where_a_view_becomes_a_table(project: Project) -> None:
    """The rows are read once more when the candidate is sealed: in the time zone that dbt had."""
    project.load(
        "create schema raw", "create table raw.t as select timestamptz '2026-01-01 00:30:00+00' as moment"
    )
    files = {
        "profiles.yml": PROFILE.format(more="settings: {TimeZone: America/New_York}"),
        "models/v.sql": "select moment::date::varchar as day from raw.t",
    }
    assert status(project.release(files)) is Status.DONE
    assert project.read("main.v") == [("2025-12-31",)]


@pytest.mark.parametrize(
    ("more", "config"),
    [
        ("keep_open: true", ""),
        ("external_root: out", ""),
        ("keep_open: true", ", location='out/e.parquet'"),
        ("keep_open: true", ", format='csv'"),
    ],
)
def test_an_external_model_is_served_as_a_table_and_leaves_no_file_behind(
    project: Project, more: str, config: str
) -> None:
    files = {
        "profiles.yml": PROFILE.format(more=more),
        "models/e.sql": f"{{{{ config(materialized='external'{config}) }}}}\nselect 1 as x",
        # A folder that git does not hold, since it is empty: dbt would find it.
        "models/r.sql": "{{ config(materialized='table', post_hook=\"copy {{ this }} to 'kept/{{ this.name }}.csv'\") }}\n"
        "select x + 1 as x from {{ ref('e') }}",
    }
    (project.folder / "kept").mkdir()
    for _ in range(2):
        done = project.release(files)
        assert status(done) is Status.DONE
        told = [
            item.summary
            for report in done.reports
            for item in report.findings
            if item.subject == "out/e.parquet"
        ]
        home = project.folder / ".sluice" / "work" / "dev" / "external" / "out" / "e.parquet"
        if "location" in config:  # the checkout is thrown away
            assert home.is_file()
            assert f"it is at {home} until the next build" in told[0]
        else:
            assert not told
        assert (home.parents[1] / "kept" / "r.csv").read_text() == "x\n2\n"
        assert (project.read("main.e"), project.read("main.r")) == ([(1,)], [(2,)])
        files = {"models/e.sql": files["models/e.sql"] + " where true"}
    assert not [path for path in project.folder.glob("*") if path.suffix in {".parquet", ".csv"}]
    assert not (project.folder / "out").exists()
    assert not [*(project.folder / "kept").iterdir()]


def test_a_view_over_a_file_beside_the_project_is_found_when_it_is_sealed(project: Project) -> None:
    files = {"data/x.csv": "id\n5\n", "models/v.sql": "select id from read_csv('data/x.csv')"}
    assert status(project.release(files)) is Status.DONE
    assert project.read("main.v") == [(5,)]
    # The same where dbt is called in another folder: the profile's path, hooks, queries and what is put aside start there.
    (project.folder / "data" / "out").mkdir()
    files = {
        "sluice.yml": f"{QUIET}working_directory: data\n",
        "profiles.yml": PROFILE.format(more="keep_open: true").replace("w.duckdb", "../w.duckdb"),
        "dbt_project.yml": (project.folder / "dbt_project.yml").read_text()
        + "\non-run-start: [\"create or replace table main.raw_x as from read_csv('./x.csv')\"]\n",
        "models/v.sql": "select id + 1 as id from read_csv('x.csv')",
        "models/t.sql": "{{ config(materialized='table', post_hook=\"copy {{ this }} to 'out/t.csv'\") }}\n"
        "select count(*) as n from 'x.csv'",
    }
    assert status(project.release(files)) is Status.DONE
    assert (project.read("main.v"), project.read("main.t")) == ([(6,)], [(1,)])
    [written] = (project.folder / ".sluice" / "work" / "dev" / "external").rglob("t.csv")
    assert written.read_text() == "n\n1\n"
    with pytest.raises(BadInput, match="leads out of the repository; name a folder inside it"):
        project.release({"sluice.yml": f"{QUIET}working_directory: ..\n"})


DROPS = "{{ config(materialized='table', post_hook=\"drop table {{ this }}\") }}\nselect 1 as x"


def test_a_relation_that_its_own_post_hook_drops_is_named_and_the_rest_is_served(project: Project) -> None:
    done = project.release({"models/scrap.sql": DROPS, "models/kept.sql": TABLE + "select 2 as x"})
    assert status(done) is Status.DONE
    assert project.read("main.kept") == [(2,)]
    assert done.generation is not None
    assert [pointer.node for pointer in done.generation.pointers] == ["model.p.kept"]
    notes = [
        item.summary for report in done.reports for item in report.findings if item.subject == "model.p.scrap"
    ]
    assert notes == ["built, and not served: its own post-hook dropped it: drop table {{ this }}"]


def test_what_people_read_is_not_taken_away_by_a_post_hook(project: Project) -> None:
    project.release({"models/scrap.sql": TABLE + "select 1 as x"})
    refused = project.release({"models/scrap.sql": DROPS})
    assert status(refused) is Status.REFUSED
    said = [item.summary for report in refused.reports for item in report.findings]
    assert any(
        "main.scrap is served, and its own post-hook dropped it: drop table" in line for line in said
    ), said
    assert project.read("main.scrap") == [(1,)]


ASKS = {
    "models/tables.sql": TABLE
    + "select table_name || ' ' || table_type as found from information_schema.tables where table_schema in ('raw', 'main')",
    "models/duck.sql": TABLE
    + "select table_name || ' table' as found from duckdb_tables() where not internal"
    + " union all select view_name || ' view' from duckdb_views() as v where not v.internal",
    "models/listed.sql": TABLE
    + """
{% if execute %}
{% set raw = dbt.list_relations_without_caching(api.Relation.create(database=target.database, schema='raw')) %}
{% for row in raw.rows %}select '{{ row[1] }} {{ row[3] }} listed' as found union all {% endfor %}
{% for schema, name in [('raw', 'a'), ('raw', 'b'), ('main', 't')] %}
{% set item = adapter.get_relation(target.database, schema, name) %}
select '{{ name }} {{ item.type }} {{ adapter.get_columns_in_relation(item) | length }}' as found
{% if not loop.last %}union all{% endif %}
{% endfor %}
{% endif %}
""",
    "models/snake.py": "def model(dbt, session):\n    dbt.config(materialized='table')\n"
    "    return session.sql(\"select table_name || ' ' || table_type as found from information_schema.tables"
    " where table_schema = 'raw'\")\n",
    "models/stays.sql": "select table_type from information_schema.tables where table_name in ('a', 't')"
    " and table_catalog = current_database()",
    "tests/no_view.sql": "select * from information_schema.tables where table_name = 'a' and table_type = 'VIEW'",
}


def test_the_catalogue_lists_as_a_table_what_dbt_would_have_made_a_table(project: Project) -> None:
    """Publicly each is a view, and in the side database, too."""
    project.load(
        "create schema raw",
        "create table raw.a as select 1 as id, 2 as n",
        "create view raw.b as select 1 as id",
    )
    models = {
        "models/t.sql": TABLE + "select 1 as x",
        "models/v.sql": "select x from {{ ref('t') }}",
        "seeds/s.csv": "id\n1\n",
    }
    assert status(project.release(models)) is Status.DONE
    done = project.release(ASKS)
    assert status(done) is Status.DONE, [item.summary for report in done.reports for item in report.findings]
    theirs = {"tables", "duck", "listed", "snake", "stays"}

    def found(model: str) -> set[str]:
        words = {str(row[0]) for row in project.read(f"main.{model}")}
        return {word for word in words if word.split()[0].removesuffix("__dbt_tmp") not in theirs}

    assert found("tables") == {"a BASE TABLE", "b VIEW", "t BASE TABLE", "v VIEW", "s BASE TABLE"}
    assert found("duck") == {"a table", "b view", "t table", "v view", "s table"}
    assert found("listed") == {"a table listed", "b view listed", "a table 2", "b view 1", "t table 1"}
    assert found("snake") == {"a BASE TABLE", "b VIEW"}
    assert project.read("main.stays") == [("BASE TABLE",)] * 2


def test_a_hook_drops_as_a_table_what_the_catalogue_lists_as_one(project: Project) -> None:
    """Such a macro drops what no model makes any more; here it drops what stands in, and the source stays."""
    project.load("create schema raw", "create table raw.a as select 1 as id")
    drop = """
{% macro tidy() %}{% if execute %}
{% set found = run_query("select table_name, table_type from information_schema.tables where table_schema = 'raw'") %}
{% for row in found.rows %}
{% do run_query('drop ' ~ ('view' if row[1] == 'VIEW' else 'table') ~ ' raw.' ~ row[0]) %}
{% endfor %}
{% endif %}{% endmacro %}
"""
    files = {
        "dbt_project.yml": "name: p\nprofile: p\nversion: '1.0'\non-run-end: ['{{ tidy() }}']\n",
        "macros/tidy.sql": drop,
        "models/m.sql": TABLE + "select id from raw.a",
    }
    assert status(project.release(files)) is Status.DONE
    assert (project.read("main.m"), project.read("raw.a")) == ([(1,)], [(1,)])
