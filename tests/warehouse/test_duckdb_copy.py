"""Publishing by a copy: nobody who reads ever waits, and nobody who writes ever loses a row."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from prefect_sluice.domain.errors import Refused, WarehouseBusy
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.duckdb import copy_and_replace
from prefect_sluice.warehouse.duckdb.opening import CONFIG
from prefect_sluice.warehouse.duckdb.publish_weight import PublishWeight, forecast
from prefect_sluice.warehouse.duckdb.warehouse import DuckDB
from prefect_sluice.warehouse.publishing import Published, PublishMode, PublishRule
from tests.warehouse.scenes import Scene, run_sql
from tests.warehouse.worker import NAMES

ROOT = Path(__file__).resolve().parents[2]
A = Name("main", "a")
COPY = PublishRule(PublishMode.COPY)


@pytest.fixture
def shop(tmp_path: Path) -> Scene:
    scene = Scene(DuckDB(tmp_path / "shop.duckdb", patience=timedelta(0)), tmp_path)
    scene.publish(dict.fromkeys(NAMES, "select 1 as v"))
    return scene


def by(rule: PublishRule, scene: Scene, *, patience: float = 0) -> DuckDB:
    """Return the scene's warehouse, publishing by a rule."""
    warehouse = DuckDB(scene.file, patience=timedelta(seconds=patience), rule=rule)
    scene.warehouse = warehouse
    return warehouse


def publish(scene: Scene, value: int) -> list[Published]:
    """Publish a value under all names; return how it went."""
    how: list[Published] = []
    scene.warehouse.publish(scene.publication(dict.fromkeys(NAMES, f"select {value} as v")), told=how.append)
    return how


@contextmanager
def worker(what: str, file: Path) -> Generator[subprocess.Popen[str]]:
    """Run the worker in a process of its own; it ends when its standard input does."""
    command = [sys.executable, "-m", "tests.warehouse.worker", what, str(file)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def asked(process: subprocess.Popen[str], sql: str) -> str:
    assert process.stdin is not None
    process.stdin.write(f"{sql}\n")
    process.stdin.flush()
    return heard(process)


def left_behind(scene: Scene) -> list[str]:
    return sorted(path.name for path in scene.folder.iterdir() if path.is_file() and path != scene.file)


# ---- which way -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "weight", "way"),
    [
        (PublishRule(), PublishWeight(0, 10, 10**12), PublishMode.IN_PLACE),
        (PublishRule(), PublishWeight(10**9, 10, 10**9), PublishMode.COPY),
        (PublishRule(lock=timedelta(seconds=60)), PublishWeight(10**9, 10, 10**9), PublishMode.IN_PLACE),
        (PublishRule(lock=timedelta(0)), PublishWeight(0, 1, 1), PublishMode.COPY),
        (PublishRule(PublishMode.IN_PLACE), PublishWeight(10**12, 10, 10**12), PublishMode.IN_PLACE),
        (PublishRule(PublishMode.COPY), PublishWeight(0, 1, 10**6), PublishMode.COPY),
    ],
)
def test_readers_never_wait_longer_than_the_limit(
    rule: PublishRule, weight: PublishWeight, way: PublishMode
) -> None:
    found = forecast(rule, weight, free=0)
    assert found.way is way
    assert (found.lock == timedelta(0)) == (way is PublishMode.COPY)
    assert found.takes >= found.lock
    assert found.needs >= weight.bring + (weight.file if way is PublishMode.COPY else 0)


def test_how_long_it_locks_follows_the_change_and_not_the_warehouse() -> None:
    small, large = PublishWeight(10**6, 10, 10**7), PublishWeight(10**6, 10, 10**12)
    assert forecast(PublishRule(), small, free=0).lock == forecast(PublishRule(), large, free=0).lock


# ---- a reader that never lets go -----------------------------------------------------------------------


@pytest.mark.slow
def test_a_reader_that_never_lets_go_keeps_its_generation_and_nobody_out(shop: Scene) -> None:
    by(PublishRule(), shop)
    with worker("read", shop.file) as reader:
        assert heard(reader) == "reading"
        (how,) = publish(shop, 2)
        assert (how.way, how.locked) == (PublishMode.COPY, timedelta(0))
        assert f"process {reader.pid}" in how.why
        assert asked(reader, "select v from main.a") == "1"
        assert asked(reader, "select max(number) from sluice.generation") == "1"
        with worker("read", shop.file) as newcomer:
            assert heard(newcomer) == "reading"
            assert asked(newcomer, "select v from mart.c") == "2"
            (how,) = publish(shop, 3)
            assert how.way is PublishMode.COPY
        assert asked(reader, "select v from main.b") == "1"
    assert shop.values(*NAMES) == [3, 3, 3]
    assert left_behind(shop) == []
    assert publish(shop, 4)[0].way is PublishMode.IN_PLACE, "nobody holds it any more"


@pytest.mark.slow
def test_in_place_only_is_in_place_only(shop: Scene) -> None:
    by(PublishRule(PublishMode.IN_PLACE), shop)
    with worker("read", shop.file) as reader:
        assert heard(reader) == "reading"
        with pytest.raises(WarehouseBusy, match=f"held by process {reader.pid}"):
            publish(shop, 2)
    assert shop.values(*NAMES) == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("rule", [PublishRule(), COPY])
def test_a_writer_that_never_lets_go_is_named_and_nothing_is_lost(shop: Scene, rule: PublishRule) -> None:
    by(rule, shop)
    publication = shop.publication({A: "select 2 as v"})
    with worker("hold", shop.file) as writer:
        assert heard(writer) == "held"
        with pytest.raises(WarehouseBusy, match=f"held by process {writer.pid}"):
            shop.warehouse.publish(publication)
    assert left_behind(shop) == []
    assert shop.values(*NAMES) == [1, 1, 1]


@pytest.mark.slow
def test_rows_of_a_foreign_writer_are_never_lost(shop: Scene) -> None:
    """It writes all the time, one connection after the other; each row it was told is written is there at the end."""
    run_sql(shop.file, "create schema raw", "create table raw.log (n integer)")
    by(COPY, shop, patience=30)
    with worker("insist", shop.file) as writer:
        assert heard(writer) == "writing"
        for value in range(2, 9):
            publish(shop, value)
        written = int(writer.communicate("")[0])
    assert written > 20, "it was busy all the while"
    assert shop.read("select count(*), count(distinct n) from raw.log").rows == ((written, written),)
    assert shop.values(*NAMES) == [8, 8, 8]


@pytest.mark.slow
def test_a_journal_of_a_writer_at_work_is_waited_for(shop: Scene) -> None:
    """It may come back between the look at what is served and the write: only the write is asked here."""
    warehouse = by(COPY, shop, patience=30)
    with worker("journal", shop.file) as writer:
        assert heard(writer) == "held"
        assert shop.file.with_name("shop.duckdb.wal").stat().st_size
        assert writer.stdin is not None
        threading.Timer(0.3, writer.stdin.close).start()
        warehouse._writer.write(more, PublishWeight(0, 0, 0), None)  # pyright: ignore[reportPrivateUsage]
    assert shop.read("from theirs").rows == ((8,),)


def more(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("update theirs set x = 8")


@pytest.mark.slow
def test_readers_never_see_two_generations(shop: Scene) -> None:
    for number in range(2, 4):
        assert publish(shop, number)
    by(COPY, shop, patience=30)
    with worker("poll", shop.file) as process:
        assert heard(process) == "polling"
        for number in range(4, 12):
            publish(shop, number)
        states = process.communicate("")[0].split("\n")[:-1]
    assert len(states) > 3, "the reader was busy all the while"
    assert [state for state in states if len(set(state.split())) != 1] == []


def test_a_connection_of_this_very_process_stays_in_the_way(shop: Scene) -> None:
    """It would go on showing this process the old file, and Monitor with it."""
    by(PublishRule(), shop)
    with (
        duckdb.connect(str(shop.file), read_only=True, config=dict(CONFIG)),
        pytest.raises(WarehouseBusy, match="this very process"),
    ):
        publish(shop, 2)


# ---- while it is copied --------------------------------------------------------------------------------


def meanwhile(scene: Scene, act: Callable[[], object]) -> None:
    """Replace the file by a copy with one more table in it, and act after the copy was made."""

    def write(copy: Path) -> None:
        run_sql(copy, "create table mine as select 1 as x")
        act()

    copy_and_replace.replaced(scene.file, write)


WRITES = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('create table theirs as select 1')"


@pytest.mark.slow
@pytest.mark.parametrize("other_reader", [False, True])
def test_writers_are_kept_out_from_the_copy_to_the_replacement(shop: Scene, other_reader: bool) -> None:
    """Also when another process reads, and when a connection of ours to the original is closed in between."""

    def try_to_write() -> None:
        duckdb.connect(str(shop.file), read_only=True).close()
        command = [sys.executable, "-c", WRITES, str(shop.file)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Could not set lock on file" in answer.stderr

    if other_reader:
        with worker("read", shop.file) as reader:
            assert heard(reader) == "reading"
            meanwhile(shop, try_to_write)
    else:
        meanwhile(shop, try_to_write)
    assert {item.name.identifier for item in shop.warehouse.relations()} == {"a", "b", "c", "mine"}


def test_a_second_publish_by_copy_is_told_to_wait(shop: Scene) -> None:
    def again() -> None:
        with pytest.raises(WarehouseBusy, match="another publish"):
            copy_and_replace.replaced(shop.file, lambda _: None)

    meanwhile(shop, again)
    assert left_behind(shop) == []


def test_a_file_that_changed_all_the_same_is_not_replaced(shop: Scene) -> None:
    """Somebody who asks for no lock: an rsync onto it, an editor."""

    def overwrite() -> None:
        other = shop.folder / "other"
        shutil.copy(shop.file, other)
        other.replace(shop.file)

    with pytest.raises(Refused, match="was changed while it was copied; nothing was published"):
        meanwhile(shop, overwrite)
    assert left_behind(shop) == []
    assert "mine" not in {item.name.identifier for item in shop.warehouse.relations()}


def test_what_fails_in_the_copy_leaves_the_file_alone(shop: Scene) -> None:
    before = shop.file.read_bytes()

    def fail() -> None:
        raise Refused("no")

    with pytest.raises(Refused):
        meanwhile(shop, fail)
    assert shop.file.read_bytes() == before
    assert left_behind(shop) == []


# ---- what cannot be copied -----------------------------------------------------------------------------


def test_a_journal_of_a_killed_writer_is_written_into_the_file_first(shop: Scene) -> None:
    killed_writer(shop.file)
    assert shop.file.with_name("shop.duckdb.wal").exists()
    by(COPY, shop)
    assert publish(shop, 2)[0].way is PublishMode.COPY
    assert shop.read("from theirs").rows == ((7,),)
    assert left_behind(shop) == []


@pytest.mark.slow
@pytest.mark.parametrize("rule", [PublishRule(), COPY])
def test_a_journal_that_a_reader_keeps_from_being_written_is_a_refusal(
    shop: Scene, rule: PublishRule
) -> None:
    killed_writer(shop.file)
    by(rule, shop)
    with worker("read", shop.file) as reader:
        assert heard(reader) == "reading"
        assert asked(reader, "from theirs") == "7"
        with pytest.raises(
            Refused, match=r"shop\.duckdb\.wal beside it holds rows that are not in the file yet"
        ):
            publish(shop, 2)
    assert shop.read("from theirs").rows == ((7,),)
    assert shop.values(A) == [1]


def killed_writer(file: Path) -> None:
    """Leave a journal beside the file, as a writer does that is killed after its commit."""
    code = (
        "import duckdb, os, signal, sys; c = duckdb.connect(sys.argv[1]);"
        "c.execute('create table theirs as select 7 as x'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(file)], check=False).returncode == -signal.SIGKILL


def test_a_disk_without_room_is_a_refusal(shop: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        total: int
        used: int
        free: int

    by(COPY, shop)
    publication = shop.publication({A: "select 2 as v"})

    def usage(_: object) -> Usage:
        return Usage(10, 9, 1)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.setattr(copy_and_replace, "_FICLONE", 0)  # as on a file system that cannot share bytes
    with pytest.raises(Refused, match=r"a copy of the warehouse needs .* and 0 MB are free; make room"):
        shop.warehouse.publish(publication)
    assert left_behind(shop) == []
    assert shop.values(A) == [1]


def test_a_file_with_two_names_is_published_in_place(shop: Scene) -> None:
    os.link(shop.file, shop.folder / "second name")
    by(PublishRule(lock=timedelta(0)), shop)
    (how,) = publish(shop, 2)
    assert how.way is PublishMode.IN_PLACE
    assert "more than one name" in how.why
    by(COPY, shop)
    with pytest.raises(Refused, match="more than one name"):
        publish(shop, 3)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_a_refusal(shop: Scene) -> None:
    by(COPY, shop)
    publication = shop.publication({A: "select 2 as v"})
    shop.file.parent.chmod(0o500)
    try:
        with pytest.raises(Refused, match="cannot be written to"):
            shop.warehouse.publish(publication)
    finally:
        shop.file.parent.chmod(0o700)


def test_a_symbolic_link_stays_one(shop: Scene) -> None:
    elsewhere = shop.folder / "disk2"
    elsewhere.mkdir()
    shop.file.rename(elsewhere / "real.duckdb")
    shop.file.symlink_to(elsewhere / "real.duckdb")
    by(COPY, shop)
    publish(shop, 2)
    assert shop.file.is_symlink()
    assert shop.values(*NAMES) == [2, 2, 2]
    assert [path.name for path in elsewhere.iterdir()] == ["real.duckdb"]


def test_rights_are_those_of_the_original(shop: Scene) -> None:
    shop.file.chmod(0o640)
    by(COPY, shop)
    publish(shop, 2)
    assert shop.file.stat().st_mode & 0o7777 == 0o640


def _access_list() -> bytes:
    """Return an access list as Linux keeps it: the owner writes, one more user reads, nobody else does."""
    owner, user, group, mask, other, nobody = 0x01, 0x02, 0x04, 0x10, 0x20, 0xFFFFFFFF
    entries = (
        (owner, 6, nobody),
        (user, 4, 65534),
        (group, 0, nobody),
        (mask, 4, nobody),
        (other, 0, nobody),
    )
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_attributes_and_access_lists_are_those_of_the_original(shop: Scene) -> None:
    if not hasattr(os, "setxattr"):
        return  # this system has none
    kept: dict[str, bytes] = {}
    for name, value in (("system.posix_acl_access", _access_list()), ("user.origin", b"ours")):
        with suppress(OSError):  # not every file system has both
            os.setxattr(shop.file, name, value)
            kept[name] = value
    before = shop.file.stat()
    by(COPY, shop)
    publish(shop, 2)
    after = shop.file.stat()
    assert {name: os.getxattr(shop.file, name) for name in kept} == kept
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


def test_a_lock_is_no_link_and_is_open_to_whoever_may_have_the_warehouse(shop: Scene) -> None:
    """Its name is known beforehand: in a folder that others may write to, somebody can put a link there."""
    lock, victim = shop.file.with_name(f"{shop.file.name}.sluice-lock"), shop.folder / "victim"
    for there in (False, True):
        if there:
            victim.write_text("precious")
        lock.symlink_to(victim)
        by(COPY, shop)
        with pytest.raises(
            Refused, match=r"\.sluice-lock, the lock of publishes by copy, is a link; see whose it is"
        ):
            publish(shop, 2)
        lock.unlink()
        assert victim.exists() is there
    assert victim.read_text() == "precious"
    victim.unlink()

    def looked() -> None:
        assert lock.stat().st_mode & 0o777 == 0o640

    shop.file.chmod(0o640)
    meanwhile(shop, looked)


def test_a_copy_that_a_killed_publish_left_goes_with_the_next(shop: Scene) -> None:
    for name in ("shop.duckdb.sluice-copy", "shop.duckdb.sluice-copy.wal", "shop.duckdb.sluice-lock"):
        (shop.folder / name).write_bytes(b"half a database")
    publish(shop, 2)
    assert [name for name in left_behind(shop) if "copy" in name] == []
    by(COPY, shop)
    publish(shop, 3)
    assert left_behind(shop) == []


def test_publishing_twice_copies_once(shop: Scene) -> None:
    by(COPY, shop)
    publication = shop.publication({A: "select 2 as v"})
    shop.warehouse.publish(publication)
    inode = shop.file.stat().st_ino
    how: list[Published] = []
    assert shop.warehouse.publish(publication, told=how.append).number == 2
    assert (shop.file.stat().st_ino, how) == (inode, [])
