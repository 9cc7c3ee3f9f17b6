"""An answer is remembered while nobody writes, and never longer."""

from __future__ import annotations

import os
import time
from pathlib import Path

from prefect_sluice.warehouse.duckdb.remembered import Answers, remembered


class Asked:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> int:
        self.times += 1
        return self.times


def aged(path: Path, seconds: float = 10) -> None:
    """Make a file look as if it was written some seconds ago."""
    at = time.time() - seconds
    os.utime(path, (at, at))


def test_a_file_at_rest_is_read_once(tmp_path: Path) -> None:
    answers: Answers = {}
    file, ask = tmp_path / "w.duckdb", Asked()
    file.write_text("one")
    aged(file)
    assert [remembered(answers, file, "what", ask) for _ in range(3)] == [1, 1, 1]
    assert remembered(answers, file, "another question", ask) == 2


def test_any_write_is_seen(tmp_path: Path) -> None:
    """To the file, or to its journal; an equal size is no excuse."""
    answers: Answers = {}
    file, ask = tmp_path / "w.duckdb", Asked()
    file.write_text("one")
    aged(file)
    assert remembered(answers, file, "what", ask) == 1
    file.write_text("two")
    aged(file, 5)
    assert remembered(answers, file, "what", ask) == 2
    journal = tmp_path / "w.duckdb.wal"
    journal.write_text("more")
    aged(journal, 5)
    assert remembered(answers, file, "what", ask) == 3
    journal.unlink()
    file.unlink()
    file.write_text("two")
    aged(file, 4)
    assert remembered(answers, file, "what", ask) == 4


def test_a_file_just_written_is_always_read(tmp_path: Path) -> None:
    """It may be written to again within one tick of the file system's clock."""
    answers: Answers = {}
    file, ask = tmp_path / "w.duckdb", Asked()
    file.write_text("one")
    aged(file, -5)  # the clock of a machine that is slow may pass the tick before the question
    assert [remembered(answers, file, "what", ask) for _ in range(2)] == [1, 2]


def test_where_a_clock_counts_whole_seconds_it_is_read_for_two_of_them(tmp_path: Path) -> None:
    answers: Answers = {}
    file, ask = tmp_path / "w.duckdb", Asked()
    file.write_text("one")
    os.utime(file, (int(time.time()), int(time.time())))
    assert [remembered(answers, file, "what", ask) for _ in range(2)] == [1, 2]
    os.utime(file, (int(time.time()) - 3, int(time.time()) - 3))
    assert [remembered(answers, file, "what", ask) for _ in range(2)] == [3, 3]
