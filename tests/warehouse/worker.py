"""What the tests run in processes of their own: `worker.py WORD FILE`. They speak by lines on pipes."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import duckdb

from prefect_sluice.domain.errors import WarehouseBusy
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.duckdb.warehouse import DuckDB
from tests.warehouse.scenes import Scene

NAMES = (Name("main", "a"), Name("main", "b"), Name("mart", "c"))


def say(word: str) -> None:
    """Tell the test."""
    print(word, flush=True)


def hold(file: Path) -> None:
    """Hold the file open for writing until the test closes the pipe."""
    with duckdb.connect(str(file)):
        say("held")
        sys.stdin.read()


def journal(file: Path) -> None:
    """Hold the file with a row that is in its journal only, until the test closes the pipe."""
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table theirs as select 7 as x")
        say("held")
        sys.stdin.read()


def read(file: Path) -> None:
    """Hold the file open for reading for good, and answer each line, a query, by its only value."""
    with duckdb.connect(str(file), read_only=True) as connection:
        say("reading")
        for line in sys.stdin:
            say(str(connection.execute(line).fetchall()[0][0]))


def insist(file: Path) -> None:
    """Write one row after the other, each in a connection of its own, until the test closes the pipe; then tell how many."""
    import threading

    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    written = 0
    say("writing")
    while not over.is_set():
        try:
            with duckdb.connect(str(file)) as connection:
                connection.execute("insert into raw.log values (?)", [written])
            written += 1
        except duckdb.IOException:
            pass
        over.wait(0.002)
    say(str(written))


def poll(file: Path) -> None:
    """Read one state after the other, each in a transaction of its own, and tell each new one, until the test closes the pipe."""
    import threading

    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    seen: set[str] = set()
    warehouse = DuckDB(file, patience=timedelta(0))
    say("polling")
    while not over.is_set():
        try:
            with warehouse.reader() as reader:
                sql = "select (from a), (from b), (from mart.c), (select max(number) from sluice.generation)"
                state = " ".join(str(value) for value in reader.query(sql).rows[0])
            if state not in seen:
                seen.add(state)
                say(state)
        except WarehouseBusy:
            pass
        over.wait(0.02)  # a reader that never lets go would keep the publisher out for good


def publish(file: Path) -> None:
    """Publish one generation after the other, and tell each number, until killed."""
    scene = Scene(DuckDB(file, patience=timedelta(seconds=30)), file.parent)
    scene.runs = 1000 * (scene.warehouse.generation("prod").number + 1)
    number = scene.warehouse.generation("prod").number
    while True:
        number += 1
        publication = scene.publication(dict.fromkeys(NAMES, f"select {number} as v from range(500)"))
        say(f"begin {number}")
        scene.warehouse.publish(publication)
        say(f"end {number}")


if __name__ == "__main__":
    words = (hold, journal, read, poll, insist, publish)
    {word.__name__: word for word in words}[sys.argv[1]](Path(sys.argv[2]))
