"""What a file says of itself is remembered while nobody writes to it, and never longer."""

from __future__ import annotations

import os
import shutil
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.duckdb import served_state
from prefect_sluice.warehouse.duckdb.file_state import Opening, settle, stamp
from prefect_sluice.warehouse.duckdb.warehouse import DuckDB
from tests.warehouse.scenes import Scene, run_sql

A = Name("main", "a")


@pytest.fixture
def shop(tmp_path: Path) -> Scene:
    """A warehouse that serves generation 1, and is at rest."""
    scene = Scene(DuckDB(tmp_path / "shop.duckdb", patience=timedelta(0)), tmp_path)
    scene.publish({A: "select 1 as v"})
    settle(scene.file)
    return scene


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that the state of a file was read."""
    counted: list[int] = []
    read = served_state.read

    def counting(connection: duckdb.DuckDBPyConnection) -> served_state.ServedState:
        counted.append(1)
        return read(connection)

    monkeypatch.setattr(served_state, "read", counting)
    return counted


def replaced(scene: Scene, value: int) -> None:
    """Have the file replaced by one that serves a generation more, as a publish by copy does from another process."""
    folder = scene.folder / "elsewhere"
    folder.mkdir()
    other = Scene(DuckDB(folder / "shop.duckdb"), folder, runs=scene.runs)
    shutil.copy(scene.file, other.file)
    other.publish({A: f"select {value} as v"})
    other.file.replace(scene.file)
    settle(scene.file)


def test_a_file_at_rest_is_read_once(shop: Scene, reads: list[int]) -> None:
    for _ in range(2):
        assert shop.warehouse.generation("prod").number == 1
        assert [generation.number for generation in shop.warehouse.history("prod")] == [1]
        assert [pointer.name for pointer in shop.warehouse.kept("prod")] == [A]
        assert [relation.name for relation in shop.warehouse.relations()] == [A]
        assert shop.warehouse.holders() == {A: "prod"}
        assert shop.warehouse.displaced("prod") == ()
        with shop.warehouse.reader() as reader:
            assert reader.generation("prod").number == 1
    assert len(reads) == 1


def test_any_write_is_seen(shop: Scene, reads: list[int]) -> None:
    assert shop.warehouse.generation("prod").number == 1
    run_sql(shop.file, "create table other as select 1 as v")
    settle(shop.file)
    assert Name("main", "other") in {relation.name for relation in shop.warehouse.relations()}
    shop.publish({A: "select 2 as v"})
    settle(shop.file)
    assert shop.warehouse.generation("prod").number == 2
    replaced(shop, 3)
    assert shop.warehouse.generation("prod").number == 3
    assert len(reads) > 3


def test_a_reader_answers_of_the_file_that_it_opened(shop: Scene) -> None:
    """Another is put in its place while it is open; the stamp that is taken then is the other one's."""
    with shop.warehouse.reader() as reader:
        before = reader.stamp()
        assert before == shop.warehouse.stamp() != ""
        replaced(shop, 2)
        assert shop.warehouse.stamp() not in {"", before}
        assert reader.stamp() == before
        assert reader.generation("prod").number == 1
        assert reader.query("select v from main.a").rows == ((1,),)
        # DuckDB does not open a file that this process has open under the same name: this is the old one, too.
        shop.warehouse.generation("prod")
        with shop.warehouse.reader() as second:
            assert second.stamp() == ""
    assert shop.warehouse.generation("prod").number == 2
    with shop.warehouse.reader() as reader:
        assert reader.generation("prod").number == 2
        assert reader.query("select v from main.a").rows == ((2,),)


def test_what_was_opened_is_told_by_its_handle(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    file.write_text("one")
    settle(file)
    look = Opening(file)
    assert look.stamp() == "", "nobody has opened it"
    with file.open("rb"):
        assert look.stamp() == stamp(file) != ""
        assert Opening(file).stamp() == "", "that was opened before"
    look = Opening(file)
    with file.open("rb"):
        file.write_text("two")
        settle(file)
        assert look.stamp() == "", "it was written to"


def test_an_equal_size_and_a_time_that_was_set_back_are_no_excuse(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    file.write_text("one")
    at = time.time() - 10
    os.utime(file, (at, at))
    assert stamp(file) == "", "its time was set this very moment: the next write may set it, too"
    settle(file)
    first = stamp(file)
    file.write_text("two")
    os.utime(file, (at, at))
    settle(file)
    assert stamp(file) not in {"", first}


def test_beside_a_journal_nothing_is_known(tmp_path: Path) -> None:
    """Under whichever name the file was opened by whoever left it."""
    real, link = tmp_path / "real" / "w.duckdb", tmp_path / "w.duckdb"
    real.parent.mkdir()
    real.write_text("one")
    link.symlink_to(real)
    settle(real)
    assert stamp(link) == stamp(real) != ""
    for journal in (real.with_name("w.duckdb.wal"), link.with_name("w.duckdb.wal")):
        journal.write_text("more")
        assert stamp(link) == ""
        journal.unlink()
    assert stamp(link)


def test_a_file_just_written_is_always_read(tmp_path: Path) -> None:
    """It may be written to again within one tick of the file system's clock."""
    file = tmp_path / "w.duckdb"
    file.write_text("one")
    at = time.time() + 5  # the clock of a machine that is slow may pass the tick before the question
    os.utime(file, (at, at))
    assert stamp(file) == ""


def test_where_a_clock_counts_whole_seconds_it_is_read_for_two_of_them(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    file.write_text("one")
    os.utime(file, (int(time.time()), int(time.time())))
    settle(file)
    assert stamp(file) == ""
    os.utime(file, (int(time.time()) - 3, int(time.time()) - 3))
    settle(file)
    assert stamp(file)
