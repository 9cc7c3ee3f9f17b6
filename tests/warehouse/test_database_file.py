"""What is known of a DuckDB file from its settings alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.warehouse.duckdb.database_file import DatabaseFile
from prefect_sluice.warehouse.engines import ADAPTERS


def test_two_ways_to_one_file_are_one_database(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    one, other = DatabaseFile(tmp_path / "data/shop.duckdb"), DatabaseFile(tmp_path / "link/shop.duckdb")
    assert one.identity == other.identity
    assert one.identity != DatabaseFile(tmp_path / "data/other.duckdb").identity
    assert (one.place, other.place) == (str(one.path), str(other.path))


def test_a_file_below_is_shown_as_people_type_it(tmp_path: Path) -> None:
    database = DatabaseFile(tmp_path / "data/shop.duckdb")
    assert database.place_from(tmp_path) == "data/shop.duckdb"
    assert database.place_from(tmp_path / "elsewhere") == str(database.path)


def test_before_it_is_there_it_has_no_bytes(tmp_path: Path) -> None:
    database = DatabaseFile(tmp_path / "data/shop.duckdb")
    assert (database.exists(), database.size(), database.journal(), database.unfinished()) == (
        False,
        0,
        None,
        (),
    )
    database.path.parent.mkdir()
    database.path.write_bytes(b"12345")
    assert (database.exists(), database.size()) == (True, 5)


def test_a_journal_without_a_byte_is_none(tmp_path: Path) -> None:
    journal = tmp_path / "shop.duckdb.wal"
    journal.touch()
    assert DatabaseFile(tmp_path / "shop.duckdb").journal() is None
    journal.write_bytes(b"x")
    assert DatabaseFile(tmp_path / "shop.duckdb").journal() == journal


def test_only_what_a_dead_process_made_is_unfinished(tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], check=True, capture_output=True
    )
    gone = tmp_path / f".shop.duckdb.{int(dead.stdout)}"
    for file in (
        gone,
        tmp_path / f".shop.duckdb.{os.getpid()}",
        tmp_path / ".shop.duckdb.wal",
        tmp_path / ".sho.9",
    ):
        file.touch()
    assert DatabaseFile(tmp_path / "shop.duckdb").unfinished() == (gone,)


def test_a_name_of_our_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="bears the name of a schema"):
        DatabaseFile(tmp_path / "Sluice.duckdb").refuse_its_name("prod", {"sluice"}, "profiles.yml")


def test_a_link_of_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop.duckdb").touch()
    (tmp_path / "store.duckdb").symlink_to(tmp_path / "shop.duckdb")
    DatabaseFile(tmp_path / "shop.duckdb").refuse_its_name("prod", {"sluice"}, "profiles.yml")
    with pytest.raises(ConfigInvalid, match=r"is a link to shop\.duckdb") as refused:
        DatabaseFile(tmp_path / "store.duckdb").refuse_its_name("prod", {"sluice"}, "profiles.yml")
    assert "in profiles.yml, or call the link shop.duckdb" in str(refused.value)


@pytest.mark.parametrize("path", [":memory:", ":memory:shop", "md:shop", "ducklake:shop.ducklake"])
def test_what_is_no_file_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigInvalid, match="which is no file"):
        ADAPTERS["duckdb"].database({"path": path}, tmp_path, target="dev", place="profiles.yml")


def test_a_relative_path_starts_where_dbt_is_called(tmp_path: Path) -> None:
    found = ADAPTERS["duckdb"].database({"path": "../shop.duckdb"}, tmp_path / "in", target="dev", place="")
    assert found == DatabaseFile(tmp_path / "shop.duckdb")
