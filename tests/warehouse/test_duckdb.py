"""DuckDB's own: who holds the file, what the file is called, and what its readers see while it is published to."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.domain.errors import WarehouseBusy, WarehouseDamaged
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.warehouse.base import LinkedView, Publication
from prefect_sluice.warehouse.duckdb.database_file import DatabaseFile
from prefect_sluice.warehouse.duckdb.opening import CONFIG
from prefect_sluice.warehouse.duckdb.warehouse import DuckDB
from tests.warehouse.scenes import NOW, Scene, pointer, run_sql
from tests.warehouse.worker import NAMES

ROOT = Path(__file__).resolve().parents[2]
A = Name("main", "a")


@pytest.fixture
def shop(tmp_path: Path) -> Scene:
    return Scene(DuckDB(tmp_path / "shop.duckdb", patience=timedelta(0)), tmp_path)


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
    """Return the next line that the worker says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def publish_all(scene: Scene, value: int) -> int:
    return scene.publish(dict.fromkeys(NAMES, f"select {value} as v")).number


# ---- who holds the file --------------------------------------------------------------------------------


@pytest.mark.slow
def test_another_process_that_holds_the_file_is_named(shop: Scene) -> None:
    shop.publish({A: "select 1 as v"})
    publication = shop.publication({A: "select 2 as v"})
    unread = DuckDB(shop.file, patience=timedelta(0))
    assert shop.warehouse.generation("prod").number == 1
    with worker("hold", shop.file) as process:
        assert heard(process) == "held"
        assert shop.warehouse.generation("prod").number == 1, "nobody wrote since it was read"
        for attempt in (
            lambda: unread.generation("prod"),
            lambda: unread.relations(),
            lambda: shop.warehouse.prepare(shop.side(), ()),
            lambda: shop.warehouse.publish(publication),
        ):
            with pytest.raises(WarehouseBusy, match=f"held by process {process.pid} \\(python") as caught:
                attempt()
            assert caught.value.path == str(shop.file)
    assert shop.warehouse.publish(publication).number == 2, "it is free again"


@pytest.mark.slow
def test_a_candidate_that_is_held_is_busy_too(shop: Scene) -> None:
    publication = shop.publication({A: "select 1 as v"})
    assert publication.candidate is not None
    assert publication.candidate.file is not None
    with worker("hold", publication.candidate.file) as process:
        assert heard(process) == "held"
        with pytest.raises(WarehouseBusy) as caught:
            shop.warehouse.publish(publication)
        assert caught.value.path == str(publication.candidate.file)
    assert shop.warehouse.publish(publication).number == 1


@pytest.mark.slow
def test_patience_waits_for_the_holder(shop: Scene) -> None:
    shop.publish({A: "select 1 as v"})
    patient = DuckDB(shop.file, patience=timedelta(seconds=30))
    with worker("hold", shop.file) as process:
        assert heard(process) == "held"
        assert process.stdin is not None
        process.stdin.close()
        assert patient.generation("prod").number == 1


def test_our_own_process_may_be_the_holder(shop: Scene) -> None:
    shop.publish({A: "select 1 as v"})
    with (
        duckdb.connect(str(shop.file), config=dict(CONFIG)),
        pytest.raises(WarehouseBusy, match="held by this very process"),
    ):
        shop.warehouse.generation("prod")


@pytest.mark.parametrize("content", [b"", b"this is no database", b"\0" * 20_000])
def test_a_file_that_is_no_database(shop: Scene, content: bytes) -> None:
    shop.file.write_bytes(content)
    with pytest.raises(WarehouseDamaged, match=r"shop\.duckdb: .*; restore it from a backup"):
        shop.warehouse.generation("prod")
    assert shop.file.read_bytes() == content


def test_a_file_that_is_broken_in_the_middle(shop: Scene) -> None:
    shop.publish({A: "select * from range(100_000) t(v)"})
    content = bytearray(shop.file.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    shop.file.write_bytes(content)
    with pytest.raises(WarehouseDamaged):
        shop.warehouse.generation("prod")


def test_a_place_that_cannot_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder.duckdb").mkdir()
    with pytest.raises(WarehouseDamaged, match=r"folder\.duckdb: cannot be opened"):
        DuckDB(tmp_path / "folder.duckdb", patience=timedelta(0)).generation("prod")


# ---- what the file is called ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file",
    ["shop.duckdb", "shop.prod.duckdb", "main.duckdb", "temp.db", ".hidden.duckdb", "my-shop", "größe.db"],
)
def test_the_catalog_is_what_duckdb_calls_it(tmp_path: Path, file: str) -> None:
    with duckdb.connect(str(tmp_path / file)) as connection:
        name = connection.execute("select current_database()").fetchall()[0][0]
    assert DuckDB(tmp_path / file).catalog == name
    assert DatabaseFile(tmp_path / file).catalog == name


def test_the_file_can_be_copied_renamed_and_attached(shop: Scene) -> None:
    """No public view names the database."""
    publish_all(shop, 7)
    copy = shop.folder / "copy of it.duckdb"
    shutil.copy(shop.file, copy)
    assert Scene(DuckDB(copy), shop.folder).values(*NAMES) == [7, 7, 7]
    with duckdb.connect() as connection:
        connection.execute(f"attach '{copy}' as elsewhere (read_only)")
        assert connection.execute("from elsewhere.mart.c").fetchall() == [(7,)]
        assert connection.execute("select * from elsewhere.a join elsewhere.main.b using (v)").fetchall() == [
            (7,)
        ]


def test_a_schema_may_bear_the_name_of_the_database(shop: Scene) -> None:
    name = Name("shop", "a")
    shop.publish({name: "select 1 as v"})
    with shop.warehouse.reader() as reader:
        assert reader.query("from shop.shop.a").rows == ((1,),)


# ---- what a publish writes -----------------------------------------------------------------------------


def test_only_what_changed_is_written(shop: Scene) -> None:
    publish_all(shop, 1)
    run_sql(shop.file, "comment on view main.a is 'first'", "comment on view main.b is 'first'")
    shop.publish({A: "select 2 as v"})
    sql = "select view_name, comment from duckdb_views() where not internal order by all"
    assert shop.read(sql).rows == (("a", None), ("b", "first"), ("c", None))
    sql = "select identifier, since, until from sluice.pointer order by all"
    assert shop.read(sql).rows == (("a", 1, 2), ("a", 2, None), ("b", 1, None), ("c", 1, None))


def test_a_new_file_has_small_blocks(shop: Scene) -> None:
    """With DuckDB's own 256 KiB, a thousand small tables take 250 MB."""
    publish_all(shop, 1)
    assert shop.file.stat().st_size < 400_000
    assert [path.name for path in shop.folder.iterdir() if path.is_file()] == [shop.file.name]


def test_rare_types_arrive_as_they_were_built(shop: Scene) -> None:
    side = shop.build({})
    kinds = "'a'::size as kind, {'x': [1, 2]} as nested, 1.5::decimal(9, 3) as amount, map {'k': 1} as pairs"
    run_sql(side, "create type size as enum ('a', 'b')", f"create table main.a as select {kinds}")
    publication = shop.publication({A: "select 1 as v"})
    with shop.warehouse.candidate(side) as reader:
        built = reader.columns("main.a")
    shop.warehouse.publish(replace(publication, candidate=side))
    with shop.warehouse.reader() as reader:
        assert reader.columns("main.a") == built


# ---- what readers see ----------------------------------------------------------------------------------


ENOUGH = 30
"""How many generations a reader is to have seen, while they are published one after the other."""


def test_a_reader_in_the_same_process_never_sees_two_generations(shop: Scene) -> None:
    shop.warehouse.publish(constants(1))
    over, mixed, seen = threading.Event(), list[tuple[object, ...]](), set[object]()

    def look(connection: duckdb.DuckDBPyConnection) -> None:
        while not over.is_set():
            connection.execute("begin transaction")
            number = connection.execute("select max(number) from sluice.generation").fetchall()[0][0]
            values = [connection.execute(f"from {name}").fetchall()[0][0] for name in NAMES]
            connection.execute("commit")
            seen.add(number)
            if set(values) != {number}:
                mixed.append((number, *values))

    with duckdb.connect(str(shop.file), config=dict(CONFIG)) as connection:
        reader = threading.Thread(target=look, args=(connection,))
        reader.start()
        try:
            for number in range(2, 202):
                shop.warehouse.publish(constants(number))
                if len(seen) >= ENOUGH:
                    break
        finally:
            over.set()
            reader.join()
    assert mixed == []
    assert len(seen) >= ENOUGH, "the reader was busy all the while"


def constants(number: int) -> Publication:
    """Return the publication of generation `number`, whose relations all say so; nothing has to be built for it."""
    pointers = tuple(pointer(name, f"{number:06}", NodeKind.VIEW) for name in NAMES)
    generation = Generation("prod", number, "r", f"p{number}", 1, Cause.RELEASE, number, NOW, pointers)
    views = tuple(LinkedView(item.address, f"select {number} as v") for item in pointers)
    return Publication(generation, number - 1, views=views)


@pytest.mark.slow
def test_readers_in_another_process_never_see_two_generations(shop: Scene) -> None:
    shop.warehouse.publish(constants(1))
    patient = DuckDB(shop.file, patience=timedelta(seconds=30))
    with worker("poll", shop.file) as process:
        assert heard(process) == "polling"
        with looked_at(process) as states:
            for number in range(2, 202):
                patient.publish(constants(number))
                if len(states) >= ENOUGH:
                    break
    assert len(states) >= ENOUGH, "the reader saw hardly anything"
    assert [state for state in states if len(set(state.split())) != 1] == []


@contextlib.contextmanager
def looked_at(process: subprocess.Popen[str]) -> Generator[set[str]]:
    """Return the states that a reader tells of, more with each that it sees; all of them once the block is over."""
    states = set[str]()

    def listen() -> None:
        assert process.stdout is not None
        states.update(iter(process.stdout.readline, ""))

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield states
    finally:
        assert process.stdin is not None
        process.stdin.close()
        listener.join()


@pytest.mark.slow
def test_a_publish_that_is_killed_leaves_the_old_generation_or_the_new_one(shop: Scene) -> None:
    publish_all(shop, 1)
    chance = random.Random(20260301)
    for _ in range(10):
        begun, ended = killed(shop.file, after=chance.uniform(0.0, 0.25))
        number = shop.warehouse.generation("prod").number
        assert number in {begun - 1, begun}
        assert number >= ended, "what was told to be published is"
        assert shop.values(*NAMES) == [number] * len(NAMES)
        counts = shop.read(
            "select (select count(*) from a), (select count(*) from b), (select count(*) from mart.c)"
        )
        assert len(set(counts.rows[0])) == 1
    publish_all(shop, 99)
    assert shop.values(*NAMES) == [99, 99, 99]


def killed(file: Path, *, after: float) -> tuple[int, int]:
    """Have a process publish, kill it `after` seconds into a publish; return the last number begun and the last ended."""
    with worker("publish", file) as process:
        begun = int(heard(process).split()[1])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=after)
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        told = [line.split() for line in process.stdout.read().splitlines()]
    begun = max([begun, *(int(number) for word, number in told if word == "begin")])
    return begun, max([0, *(int(number) for word, number in told if word == "end")])
