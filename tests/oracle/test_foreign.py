"""A foreign project, as a team really has it, released unchanged: what it serves is what `dbt build` gives."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest

from tests.warm_commands import Commands

FIXTURE = Path(__file__).parents[1] / "fixtures" / "foreign"
OF_THE_RUN = {"dbt_scd_id", "dbt_valid_from", "dbt_updated_at"}
"""Columns of a snapshot that hold the time of the run."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("plain-dbt")]

TARGETS = {"dev": ("analytics/dev.duckdb", "dev"), "production": ("analytics/shop.duckdb", "production")}


@pytest.mark.parametrize("target", TARGETS)
def test_an_unmodified_foreign_project_serves_what_a_plain_build_gives(
    warm_commands: Commands, tmp_path: Path, target: str
) -> None:
    """`sluice init && sluice release`, nothing else; table by table and type by type the same relations as dbt's own."""
    file, environment = TARGETS[target]
    plain, released = tmp_path / "plain", tmp_path / "released"
    shutil.copytree(FIXTURE, plain)
    _repository(released)

    built = warm_commands.dbt("--quiet", "build", "--target", target, folder=plain / "analytics")
    assert built.code == 0, built
    _sluice(warm_commands, released, "init")
    _sluice(warm_commands, released, "release", "--env", environment, also_fine=3)
    if target == "production":
        _sluice(warm_commands, released, "approve", "--as", "somebody else")
        _sluice(warm_commands, released, "release", "--env", environment)

    expected, served = _relations(plain / file), _relations(released / file)
    assert sorted(served) == sorted(expected)
    for name in expected:
        assert served[name] == expected[name], name


def test_releasing_it_again_builds_nothing(warm_commands: Commands, tmp_path: Path) -> None:
    """What was served already is left alone: same generation, exit code 0."""
    released = tmp_path / "released"
    _repository(released)
    _sluice(warm_commands, released, "init")
    _sluice(warm_commands, released, "release")
    again = _sluice(warm_commands, released, "release")
    assert "generation 1" in again
    with duckdb.connect(str(released / "analytics" / "dev.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from sluice.generation").fetchall() == [(1,)]


def _repository(folder: Path) -> None:
    shutil.copytree(FIXTURE, folder)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "as it is"]):
        subprocess.run(["git", *command], cwd=folder, check=True)


def _sluice(commands: Commands, folder: Path, *words: str, also_fine: int = 0) -> str:
    ran = commands.sluice(*words, folder=folder)
    assert ran.code in {0, also_fine}, ran
    return ran.out


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
