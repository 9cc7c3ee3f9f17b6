"""What a plain copy of the served file has after a kill, and the copy that has everything."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from prefect_sluice.domain.errors import BadInput, Refused, WarehouseBusy
from prefect_sluice.domain.node import Name
from prefect_sluice.runtime.faults import VARIABLE, FaultPoint
from prefect_sluice.warehouse.duckdb import copy_and_replace
from prefect_sluice.warehouse.duckdb.warehouse import DuckDB
from tests.warehouse.scenes import Scene
from tests.warehouse.test_duckdb_copy import ROOT, asked, heard, worker
from tests.warehouse.worker import NAMES

A = Name("main", "a")


@pytest.fixture
def shop(tmp_path: Path) -> Scene:
    scene = Scene(DuckDB(tmp_path / "shop.duckdb", patience=timedelta(0)), tmp_path)
    scene.publish(dict.fromkeys(NAMES, "select 1 as v"))
    return scene


@pytest.fixture
def killed(shop: Scene) -> Scene:
    """A warehouse whose second generation is in its journal only: its publisher was killed after the commit."""
    environ = {**os.environ, VARIABLE: FaultPoint.DEPLOY_COMMITTED.value}
    command = [sys.executable, "-m", "tests.warehouse.worker", "publish", str(shop.file)]
    done = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, check=False)
    assert done.returncode == -signal.SIGKILL
    assert journal(shop).stat().st_size
    assert shop.warehouse.generation("prod").number == 2
    assert alone(shop) == 1
    return shop


def journal(scene: Scene) -> Path:
    return scene.file.with_name("shop.duckdb.wal")


def alone(scene: Scene) -> int:
    """Return the generation that a plain copy of the file has, without its journal."""
    folder = scene.folder / "alone"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copyfile(scene.file, folder / "shop.duckdb")
    return DuckDB(folder / "shop.duckdb").generation("prod").number


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_a_journal_that_a_killed_publisher_left_is_written_into_the_file(killed: Scene) -> None:
    assert killed.warehouse.empty_journal()
    assert not journal(killed).exists()
    assert alone(killed) == 2
    assert killed.warehouse.empty_journal(), "again is no change"


def test_a_publish_that_was_done_already_writes_it_into_the_file(killed: Scene) -> None:
    current = killed.warehouse.generation("prod")
    again = killed.publication({})
    asked_again = replace(again, generation=replace(again.generation, promotion=current.promotion))
    assert killed.warehouse.publish(asked_again).number == 2
    assert not journal(killed).exists()
    assert alone(killed) == 2


def test_a_reader_keeps_the_journal_and_is_no_error(killed: Scene) -> None:
    with worker("read", killed.file) as reader:
        assert heard(reader) == "reading"
        assert not killed.warehouse.empty_journal()
        assert asked(reader, "select count(*) from a") == "500"
    assert killed.warehouse.empty_journal()
    assert alone(killed) == 2


def test_of_a_writer_at_work_it_is_his_to_write(shop: Scene) -> None:
    with worker("journal", shop.file) as writer:
        assert heard(writer) == "held"
        assert not shop.warehouse.empty_journal()


def test_where_nothing_is_there_is_no_journal(tmp_path: Path) -> None:
    assert DuckDB(tmp_path / "none.duckdb").empty_journal()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("reads", [False, True])
def test_a_backup_has_what_is_in_the_journal(killed: Scene, tmp_path: Path, reads: bool) -> None:
    """The served file is not written to, whoever reads it goes on, and the copy is whole without a journal of its own."""
    file = tmp_path / "kept.duckdb"
    before, mode = killed.file.read_bytes(), 0o640
    killed.file.chmod(mode)
    with worker("read", killed.file) as reader:
        assert heard(reader) == "reading"
        if not reads:
            reader.communicate("")
        done = killed.warehouse.back_up("prod", file)
        if reads:
            assert asked(reader, "select count(*) from a") == "500"
    assert (done.generation.number, done.journal, done.size) == (2, True, file.stat().st_size)
    assert stat.S_IMODE(file.stat().st_mode) == mode
    assert killed.file.read_bytes() == before
    assert journal(killed).exists()
    assert sorted(path.name for path in tmp_path.glob("kept*")) == ["kept.duckdb"]
    assert left_behind(tmp_path) == []
    kept = DuckDB(file)
    assert kept.generation("prod") == killed.warehouse.generation("prod")
    with kept.reader() as reader:
        assert reader.query("select count(*), max(v) from mart.c").rows == ((500, 2),)


def test_a_backup_without_a_journal_is_the_file(shop: Scene, tmp_path: Path) -> None:
    file = tmp_path / "kept.duckdb"
    assert not shop.warehouse.back_up("prod", file).journal
    assert file.read_bytes() == shop.file.read_bytes()
    assert shop.warehouse.back_up("nobody", tmp_path / "other").generation.number == 0


def test_a_backup_waits_for_a_writer_and_names_him(shop: Scene, tmp_path: Path) -> None:
    patient = DuckDB(shop.file, patience=timedelta(seconds=30))
    with worker("journal", shop.file) as writer:
        assert heard(writer) == "held"
        with pytest.raises(WarehouseBusy, match=f"held by process {writer.pid} "):
            shop.warehouse.back_up("prod", tmp_path / "kept.duckdb")
        assert left_behind(tmp_path) == []
        assert writer.stdin is not None
        threading.Timer(0.1, writer.stdin.close).start()
        patient.back_up("prod", tmp_path / "kept.duckdb")
    with DuckDB(tmp_path / "kept.duckdb").reader() as reader:
        assert reader.query("from theirs").rows == ((7,),)


def test_a_backup_never_replaces_anything(
    shop: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kept.duckdb"
    copied = copy_and_replace.sync

    def taken(place: Path) -> None:
        if place != tmp_path:
            file.write_text("somebody else's")
        copied(place)

    monkeypatch.setattr(copy_and_replace, "sync", taken)
    for _ in range(2):  # while it is made, and before
        with pytest.raises(BadInput, match="is there already"):
            shop.warehouse.back_up("prod", file)
    assert file.read_text() == "somebody else's"
    with pytest.raises(BadInput, match="is there already"):
        shop.warehouse.back_up("prod", shop.file)
    with pytest.raises(BadInput, match="there is no such folder"):
        shop.warehouse.back_up("prod", tmp_path / "nowhere" / "kept.duckdb")
    with pytest.raises(BadInput, match="there is no warehouse yet"):
        DuckDB(tmp_path / "none.duckdb").back_up("prod", tmp_path / "more.duckdb")
    assert left_behind(tmp_path) == []


def test_a_copy_that_cannot_be_read_back_is_not_kept(shop: Scene, tmp_path: Path) -> None:
    shop.file.write_bytes(b"no database")
    with pytest.raises(Refused, match="cannot be read back, and was not kept"):
        shop.warehouse.back_up("prod", tmp_path / "kept.duckdb")
    assert not (tmp_path / "kept.duckdb").exists()
    assert left_behind(tmp_path) == []


def test_a_backup_is_put_back_whole_and_over_nothing(shop: Scene, tmp_path: Path) -> None:
    file, other = tmp_path / "kept.duckdb", DuckDB(tmp_path / "deeper" / "else.duckdb")
    shop.warehouse.back_up("prod", file)
    for _ in range(2):
        other.put_back(file)
        assert other.generation("prod").number == 1
        with other.reader() as reader:
            assert reader.query("select v from a").rows == ((1,),)
    assert stat.S_IMODE(other.path.stat().st_mode) == stat.S_IMODE(file.stat().st_mode)

    shop.publish(dict.fromkeys(NAMES, "select 2 as v"))
    with pytest.raises(BadInput, match="is there already"):
        shop.warehouse.put_back(file)
    assert shop.warehouse.generation("prod").number == 2
    left = DuckDB(tmp_path / "left.duckdb")
    (tmp_path / "left.duckdb.wal").write_bytes(b"of another database")
    with pytest.raises(BadInput, match=r"left\.duckdb\.wal: is there already"):
        left.put_back(file)
    assert left_behind(tmp_path) == []
