"""A foreign project, as a team really has it, released unchanged: what it serves is what `dbt build` gives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

FIXTURE = Path(__file__).parents[1] / "fixtures" / "foreign"
OF_THE_RUN = {"dbt_scd_id", "dbt_valid_from", "dbt_updated_at"}
"""Columns of a snapshot that hold the time of the run."""

TARGETS = {"dev": ("analytics/dev.duckdb", "dev"), "production": ("analytics/shop.duckdb", "production")}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("target", TARGETS)
def test_an_unmodified_foreign_project_serves_what_a_plain_build_gives(tmp_path: Path, target: str) -> None:
    """`sluice init && sluice release`, nothing else; table by table and type by type the same relations as dbt's own."""
    file, environment = TARGETS[target]
    plain, released = tmp_path / "plain", tmp_path / "released"
    shutil.copytree(FIXTURE, plain)
    _repository(released)

    _run("dbt", "--quiet", "build", "--target", target, cwd=plain / "analytics")
    _sluice("init", cwd=released)
    _sluice("release", "--env", environment, cwd=released, also_fine=3)
    if target == "production":
        _sluice("approve", "--as", "somebody else", cwd=released)
        _sluice("release", "--env", environment, cwd=released)

    expected, served = _relations(plain / file), _relations(released / file)
    assert sorted(served) == sorted(expected)
    for name in expected:
        assert served[name] == expected[name], name


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_releasing_it_again_builds_nothing(tmp_path: Path) -> None:
    """What was served already is left alone: same generation, exit code 0."""
    released = tmp_path / "released"
    _repository(released)
    _sluice("init", cwd=released)
    _sluice("release", cwd=released)
    again = _sluice("release", cwd=released)
    assert "generation 1" in again
    with duckdb.connect(str(released / "analytics" / "dev.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from sluice.generation").fetchall() == [(1,)]


def _repository(folder: Path) -> None:
    shutil.copytree(FIXTURE, folder)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "as it is"]):
        _run("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *command, cwd=folder)


def _sluice(*arguments: str, cwd: Path, also_fine: int = 0) -> str:
    return _run(sys.executable, "-m", "prefect_sluice.cli", *arguments, cwd=cwd, also_fine=also_fine)


def _run(program: str, *arguments: str, cwd: Path, also_fine: int = 0) -> str:
    found = Path(sys.executable).parent / program
    command = [str(found) if found.exists() and program == "dbt" else program, *arguments]
    environ = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}
    environ.pop("PREFECT_API_URL", None)
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode in {0, also_fine}, done.stdout + done.stderr
    return done.stdout


def _relations(file: Path) -> dict[str, tuple[list[tuple[str, str]], list[tuple[object, ...]]]]:
    """Return columns with types, and all rows, of each public relation."""
    with duckdb.connect(str(file), read_only=True) as connection:
        listed = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_catalog = current_database()"
            " and table_schema not in ('sluice', 'sluice_store') and not table_schema like '%dbt_test__audit'"
        ).fetchall()
        return {
            f"{schema}.{name}": _content(connection, f'"{file.stem}"."{schema}"."{name}"')
            for schema, name in listed
        }


def _content(
    connection: duckdb.DuckDBPyConnection, relation: str
) -> tuple[list[tuple[str, str]], list[tuple[object, ...]]]:
    described = connection.execute(f"describe select * from {relation}").fetchall()
    columns = [(str(row[0]), str(row[1])) for row in described]
    compared = ", ".join(f'"{name}"::varchar' for name, _ in columns if name not in OF_THE_RUN)
    rows = connection.execute(f"select {compared} from {relation} order by all").fetchall()
    return columns, rows
