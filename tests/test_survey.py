"""What `sluice init` finds out of a project's files and of git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from prefect_sluice.cli.called_from import CalledFrom, called_from
from prefect_sluice.cli.project_survey import survey


@pytest.fixture
def top(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=tmp_path, check=True)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.sql").write_text("select 1")
    (tmp_path / ".gitignore").write_text("*.csv\n")
    return tmp_path


def test_what_git_has_in_another_encoding_is_left_out(top: Path) -> None:
    Path(os.fsdecode(bytes(top / "models") + b"/\xe9.csv")).write_text("a")
    (top / "models" / "b.csv").write_text("a")
    by = b"M <m\xe9@x> 1700000000 +0000"
    tree = subprocess.run(["git", "write-tree"], cwd=top, check=True, capture_output=True).stdout.strip()
    text = b"tree " + tree + b"\nauthor " + by + b"\ncommitter " + by + b"\n\nold\n"
    write = ["git", "hash-object", "-t", "commit", "-w", "--stdin"]
    commit = subprocess.run(write, cwd=top, check=True, capture_output=True, input=text).stdout.decode()
    subprocess.run(["git", "update-ref", "HEAD", commit.strip()], cwd=top, check=True)
    found = survey(top, top)
    assert (found.ignored, found.authors) == (("models/b.csv",), ())


@pytest.mark.parametrize("paths", ['["/", "../beside", "models/../models"]', "5", "models", "[1, {a: b}]"])
def test_folders_that_are_odd_or_elsewhere(top: Path, paths: str) -> None:
    (top / "dbt_project.yml").write_text(f"name: shop\nmodel-paths: {paths}\n")
    (top.parent / "beside").mkdir(exist_ok=True)
    (top / "models" / "b.csv").write_text("a")
    assert survey(top, top).ignored == (() if paths.startswith("[1") else ("models/b.csv",))


def test_what_its_code_reaches_outside_is_proposed_with_the_file_that_says_so(top: Path) -> None:
    landing = top.parent / "landing"
    files = {
        "models/a.sql": (
            f"-- see 'https://example.com'\nselect * from read_csv('{landing}/orders.csv')\n"
            f"union all from '{landing}/2026/*.csv'\n"
        ),
        "models/b.sql": "select * from read_parquet(['s3://bucket/x.parquet'])\n",
        "models/c.sql": "{{ config(materialized='external', location='/exports/c/c.parquet') }} select 1\n",
        "models/d.sql": f"select * from read_csv('{top}/models/own.csv'), read_csv('data/near.csv')\n",
        "models/e.sql": "select '{{ env_var(\"LANDING_TOKEN\") }}', '{{ env_var(\"REGION\") }}'\n",
        "models/models.yml": "models: [{name: a, description: 'see https://example.com/a'}]\n",
        "macros/m.sql": "{% macro export() %}copy a to '/exports/a.csv'{% endmacro %}\n",
        "target/compiled.sql": "select * from read_csv('/nowhere.csv')\n",
    }
    for name, text in files.items():
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text(text)
    needs = survey(top, top).needs
    assert needs.network == "models/b.sql"
    assert needs.reads == {f"{landing}/orders.csv": "models/a.sql", f"{landing}/2026": "models/a.sql"}
    assert needs.writes == {"/exports": "macros/m.sql", "/exports/c": "models/c.sql"}
    assert needs.secrets == ("LANDING_TOKEN",)


def test_a_project_that_keeps_to_itself_needs_nothing(top: Path) -> None:
    (top / "models" / "models.yml").write_text(
        "models: [{name: a, description: 'see https://example.com/a'}]\n"
    )
    (top / "models" / "host.sql").write_text(
        "select replace(replace(u, 'https://', ''), \"http://\", '') as host\n"
    )
    assert not survey(top, top).needs, "text functions that take the beginning off an address open none"


@pytest.mark.parametrize(
    "settings",
    [
        {"path": "md:shop"},
        {"path": "a.duckdb", "attach": [{"path": "postgres:dbname=shop"}]},
        {"path": "a.duckdb", "attach": ["s3://bucket/a.duckdb"]},
        {"path": "a.duckdb", "secrets": [{"type": "s3"}]},
    ],
)
def test_a_profile_that_leads_elsewhere_needs_the_network(top: Path, settings: dict[str, object]) -> None:
    assert survey(top, top, [settings]).needs.network == "profiles.yml"
    assert not survey(top, top, [{"path": "a.duckdb", "attach": [{"path": "b.duckdb"}]}]).needs


_IN_TOP = "dbt/seeds/x.csv"


@pytest.mark.parametrize(
    ("name", "text", "path"),
    [
        ("models/a.sql", "select * from read_csv('dbt/seeds/x.csv')", _IN_TOP),
        ("models/a.sql", "from './dbt/seeds/*.csv'", "./dbt/seeds/*.csv"),
        ("macros/m.sql", "{% macro m() %}copy t from 'dbt/seeds/x.csv'{% endmacro %}", _IN_TOP),
        ("macros/m.sql", "{% macro m() %}attach if not exists 'dbt/seeds/x.csv' as x{% endmacro %}", _IN_TOP),
        ("dbt_project.yml", "on-run-start: [\"create table t as from 'dbt/seeds/x.csv'\"]", _IN_TOP),
        (
            "models/s.yml",
            "meta: {external_location: \"read_csv('dbt/seeds/{name}.csv')\"}",
            "dbt/seeds/*.csv",
        ),
        ("models/s.yml", "  external_location: dbt/seeds/{{ name }}.csv\n", "dbt/seeds/*.csv"),
        ("models/s.yml", "  external_location: \"{{ env_var('D', 'dbt') }}/seeds/x.csv\"\n", _IN_TOP),
        ("models/p.py", "def model(dbt, session):\n    return pd.read_csv('dbt/seeds/x.csv')\n", _IN_TOP),
    ],
)
def test_paths_that_are_there_from_above_say_where_dbt_is_called(
    top: Path, name: str, text: str, path: str
) -> None:
    project = top / "dbt"
    _write(project, {"seeds/x.csv": "a\n", name: text})
    assert called_from(project, top) == CalledFrom(top, path, name)
    _write(project, {"models/own.sql": "select * from read_csv('seeds/x.csv')"})
    assert called_from(project, top) is None, "dbt finds this one from the project's folder"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("models/a.sql", "-- read_csv('dbt/seeds/x.csv')\nselect 1"),
        ("models/a.sql", "select * from read_csv('dbt/seeds/none.csv'), read_csv('/dbt/seeds/x.csv')"),
        (
            "models/a.sql",
            "select * from read_csv('s3://dbt/seeds/x.csv'), read_csv('{{ this }}/x.csv'), \"dbt\"",
        ),
        ("load.py", "import duckdb\nduckdb.sql(\"from read_csv('dbt/seeds/x.csv')\")\n"),
        ("dbt_packages/p/macros/m.sql", "from 'dbt/seeds/x.csv'"),
        ("target/run/a.sql", "from 'dbt/seeds/x.csv'"),
    ],
)
def test_what_tells_nothing_of_where_dbt_is_called(top: Path, name: str, text: str) -> None:
    project = top / "dbt"
    _write(project, {"seeds/x.csv": "a\n", name: text})
    assert called_from(project, top) is None


def test_a_folder_between_and_the_profile_say_where_dbt_is_called(top: Path) -> None:
    project = top / "teams" / "sales" / "dbt"
    _write(project, {"seeds/x.csv": "a\n"})
    targets = [{"path": "dev.duckdb", "attach": [{"path": "duckdb:raw/raw.duckdb", "alias": "raw"}]}]
    assert called_from(project, top, targets) is None
    _write(top / "teams" / "sales", {"raw/raw.duckdb": ""})
    assert called_from(project, top, targets) == CalledFrom(
        top / "teams/sales", "raw/raw.duckdb", "profiles.yml"
    )
    _write(project, {"dev.duckdb": ""})
    assert called_from(project, top, targets) is None, "dbt was called in the project's folder before"
    (project / "dev.duckdb").rename(top / "dev.duckdb")
    (top / "teams" / "sales" / "raw" / "raw.duckdb").unlink()
    assert called_from(project, top, targets) == CalledFrom(top, "dev.duckdb", "profiles.yml")
    assert called_from(project, project, targets) is None, "nothing above the repository counts"


def test_a_profile_above_says_where_dbt_is_called_unless_the_code_does(top: Path) -> None:
    project = top / "dbt"
    _write(top, {"profiles.yml": "", "dbt/seeds/x.csv": "a\n"})
    assert called_from(project, top) == CalledFrom(top, "profiles.yml", "dbt")
    _write(project, {"models/a.sql": "select * from read_csv('seeds/x.csv')"})
    assert called_from(project, top) is None, (
        "dbt is called in the project's folder, and the profile named by an option"
    )
    (project / "models" / "a.sql").unlink()
    _write(project, {"profiles.yml": ""})
    assert called_from(project, top) is None


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
