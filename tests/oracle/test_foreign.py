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

TARGETS = {"dev": "analytics/dev.duckdb", "production": "analytics/shop.duckdb"}
"""dbt's targets, after which the environments are called, and the file of each."""


@pytest.fixture(scope="module")
def in_dev(warm_commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, released to dev. Read only."""
    folder = tmp_path_factory.mktemp("in_dev") / "released"
    _repository(folder)
    _sluice(warm_commands, folder, "init")
    _sluice(warm_commands, folder, "release", "--env", "dev")
    return folder


@pytest.fixture(scope="module")
def in_production(warm_commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, released to production, which asks for a yes. Read only."""
    folder = tmp_path_factory.mktemp("in_production") / "released"
    _repository(folder)
    _sluice(warm_commands, folder, "init")
    _sluice(warm_commands, folder, "release", "--env", "production", also_fine=3)
    _sluice(warm_commands, folder, "approve", "--as", "somebody else")
    _sluice(warm_commands, folder, "release", "--env", "production")
    return folder


@pytest.mark.parametrize("target", TARGETS)
def test_an_unmodified_foreign_project_serves_what_a_plain_build_gives(
    warm_commands: Commands, request: pytest.FixtureRequest, tmp_path: Path, target: str
) -> None:
    """`sluice init && sluice release`, nothing else; table by table and type by type the same relations as dbt's own."""
    plain, released = tmp_path / "plain", request.getfixturevalue(f"in_{target}")
    shutil.copytree(FIXTURE, plain)
    built = warm_commands.dbt("--quiet", "build", "--target", target, folder=plain / "analytics")
    assert built.code == 0, built
    expected, served = _relations(plain / TARGETS[target]), _relations(released / TARGETS[target])
    assert sorted(served) == sorted(expected)
    for name in expected:
        assert served[name] == expected[name], name


def test_releasing_it_again_builds_nothing(warm_commands: Commands, in_dev: Path, tmp_path: Path) -> None:
    """What was served already is left alone: same generation, exit code 0."""
    released = tmp_path / "released"
    shutil.copytree(in_dev, released, symlinks=True)
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
