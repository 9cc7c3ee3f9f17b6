"""A quarter of a project's life on a clock that moves, with weekly collections: the last week costs what an early one did."""

from __future__ import annotations

import sqlite3
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from prefect_sluice.state import codec
from tests.cli.conftest import Run
from tests.cli.project_life import Life
from tests.moved_clock import MovedClock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WEEKS, EARLY = 13, 3
"""The early week is the third: the first collections have something to take by then."""
RUNS = 3
"""Promotions in a week: a release and two refreshes; each other week a rollback, too."""
GROWTH = 1.1
"""So many times the early week's figures the last one's may be, in statements and ledger entries; DuckDB openings are equal."""
BYTES = 24_000
"""Of the state store for each promotion, once collections have begun: its ledger entries and what stays of it for good."""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Generator[Counter[str]]:
    """Statements sent to the state store, ledger entries read from it, and openings of DuckDB since it was last cleared."""
    counts: Counter[str] = Counter()
    real_entry, real_connect = codec.entry, duckdb.connect

    def entry(row: Any) -> Any:
        counts["entries"] += 1
        return real_entry(row)

    def connect(*arguments: Any, **named: Any) -> Any:
        counts["openings"] += 1
        return real_connect(*arguments, **named)

    def statement(*_: object) -> None:
        counts["statements"] += 1

    monkeypatch.setattr(codec, "entry", entry)
    monkeypatch.setattr(duckdb, "connect", connect)
    event.listen(Engine, "before_cursor_execute", statement)
    yield counts
    event.remove(Engine, "before_cursor_execute", statement)


def bytes_of(state: Path) -> int:
    """Return the size of a state store with all that was written to it. The files' sizes are not that: beside the database lies a
    log that is kept for its next use, as large as it ever was, which depends on who read while somebody wrote."""
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as connection:
        (pages,), (size,) = (
            connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
        )
    return int(pages) * int(size)


def test_the_last_week_of_a_quarter_costs_what_an_early_one_did(
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    counted: Counter[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    life = Life(tmp_path / "shop", run, MovedClock(monkeypatch))
    state = life.folder / ".sluice" / "state.db"
    figures: dict[int, dict[str, Counter[str]]] = {}
    sizes: dict[int, int] = {}

    def costs(week: int, *words: str) -> None:
        counted.clear()
        answer = run(*words, "-C", life.folder, *(() if words[0] in {"status", "show"} else ("--as", "Ada")))
        assert answer.code == 0, (words, answer.out, answer.err)
        figures.setdefault(week, {})[words[0]] = Counter(counted)

    for week in range(1, WEEKS + 1):
        life.commit("models/version.sql", f"select {week} as version from {{{{ ref('rates') }}}}\n")
        costs(week, "release")
        for night in (1, 2):
            life.clock.pass_days(night)
            life.load(f"insert into raw.orders values ({10 * week + night})")
            costs(week, "refresh")
        if week % 2:
            costs(week, "rollback", "--no-hold")
        costs(week, "status")
        costs(week, "show")
        life.clock.pass_days(4)
        life.command("collect")
        sizes[week] = bytes_of(state)
    last, early = figures[WEEKS], figures[EARLY]
    grown = (sizes[WEEKS] - sizes[EARLY]) / ((WEEKS - EARLY) * (RUNS + 0.5))
    with capsys.disabled():
        for command in last:
            sys.stdout.write(f"\n{command}: {dict(early[command])} -> {dict(last[command])}")
        sys.stdout.write(f"\nbytes of the state store for each promotion: {grown:.0f}\n")
    for command, counts in last.items():
        assert counts["openings"] <= early[command]["openings"], (command, counts, early[command])
        for what in ("statements", "entries"):
            assert counts[what] <= early[command][what] * GROWTH + 2, (command, what, counts, early[command])
    assert grown < BYTES
