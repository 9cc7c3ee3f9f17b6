"""What a load leaves in the raw tables, whatever the contracts think of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl import warehouse
from etl.source import COLUMNS, Source, SourceError

Spoil = Callable[[str, str, str], None]

FLIGHTS_ON_1_JANUARY = 842
FLIGHTS_ON_2_JANUARY = 943


def accept(connection: duckdb.DuckDBPyConnection, table: str, batch: str) -> None:
    """Find nothing wrong with a batch."""


def load(file: Path, source: Source, day: int) -> tuple[warehouse.Loaded, ...]:
    """Load through a day of January."""
    with warehouse.opened(file) as connection:
        return warehouse.load(connection, source, date(2013, 1, day), accept)


def ask(file: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query on the warehouse."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_loads_the_days_up_to_the_one_asked_for(source: Source, file: Path) -> None:
    load(file, source, 2)
    by_day = ask(file, "select day, count(*) from raw.flights group by day order by day")
    assert by_day == [(1, FLIGHTS_ON_1_JANUARY), (2, FLIGHTS_ON_2_JANUARY)]
    assert ask(file, "select count(*) from raw.airlines") == [(16,)]


def test_every_row_says_that_it_came_on_the_morning_after(source: Source, file: Path) -> None:
    load(file, source, 2)
    mornings = [(1, datetime(2013, 1, 2, 10)), (2, datetime(2013, 1, 3, 10))]
    assert ask(file, "select distinct day, loaded_at from raw.flights order by day") == mornings
    assert ask(file, "select distinct day, loaded_at from raw.weather order by day") == mornings


def test_missing_values_and_utc_moments_arrive_as_such(source: Source, file: Path) -> None:
    load(file, source, 1)
    assert ask(file, "select time_hour from raw.flights where flight = 1545") == [(datetime(2013, 1, 1, 10),)]
    assert ask(file, "select count(*) from raw.flights where dep_time is null") == [(4,)]


def test_running_twice_is_running_once(source: Source, file: Path) -> None:
    load(file, source, 1)
    before = [ask(file, f"from raw.{table}") for table in COLUMNS]
    assert {loaded.rows for loaded in load(file, source, 1)} == {0}
    assert [ask(file, f"from raw.{table}") for table in COLUMNS] == before


def test_day_by_day_is_all_at_once(source: Source, file: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.duckdb"
    load(whole, source, 3)
    for day in (1, 2, 3):
        load(file, source, day)
    for table in COLUMNS:
        daily, at_once = (sorted(ask(each, f"from raw.{table}"), key=repr) for each in (file, whole))
        assert daily == at_once


def test_a_day_that_was_left_out_is_made_up_for(source: Source, file: Path) -> None:
    load(file, source, 3)
    with warehouse.opened(file) as connection:
        connection.execute("delete from raw.flights where day = 2")
    assert load(file, source, 3)[0] == warehouse.Loaded("flights", FLIGHTS_ON_2_JANUARY, 1)


def test_a_reference_table_is_written_again_when_it_differs(source: Source, spoil: Spoil, file: Path) -> None:
    load(file, source, 1)
    spoil("airlines.csv", "Endeavor Air Inc.", "Pinnacle Airlines")
    load(file, source, 2)
    renamed = ask(file, "select name, loaded_at from raw.airlines where carrier = '9E'")
    assert renamed == [("Pinnacle Airlines", datetime(2013, 1, 3, 10))]
    assert ask(file, "select distinct loaded_at from raw.planes") == [(datetime(2013, 1, 2, 10),)]


def test_a_refused_batch_leaves_everything_as_it_was(source: Source, file: Path) -> None:
    def refuse_weather(connection: duckdb.DuckDBPyConnection, table: str, batch: str) -> None:
        if table == "weather":
            raise ValueError(batch)

    load(file, source, 1)
    with warehouse.opened(file) as connection, pytest.raises(ValueError, match="new_weather"):
        warehouse.load(connection, source, date(2013, 1, 2), refuse_weather)
    assert ask(file, "select count(*), max(day) from raw.flights") == [(FLIGHTS_ON_1_JANUARY, 1)]


def test_a_row_without_a_date_is_part_of_the_batch(source: Source, spoil: Spoil, file: Path) -> None:
    spoil("flights.csv", "2013,1,1,517,515,2,", "2013,1,NA,517,515,2,")
    seen: dict[str, int] = {}

    def count(connection: duckdb.DuckDBPyConnection, table: str, batch: str) -> None:
        seen[table] = (
            len(connection.execute(f"from {batch} where day is null").fetchall()) if table == "flights" else 0
        )

    with warehouse.opened(file) as connection, pytest.raises(warehouse.WarehouseError, match="loaded_at"):
        warehouse.load(connection, source, date(2013, 1, 1), count)
    assert seen["flights"] == 1


def test_a_missing_file_is_named(source: Source, file: Path) -> None:
    (source.folder / "planes.csv").unlink()
    with pytest.raises(SourceError, match=r"^no planes\.csv in "):
        load(file, source, 1)


def test_a_file_that_cannot_be_read_is_named(source: Source, spoil: Spoil, file: Path) -> None:
    spoil("flights.csv", "2013,1,1,517,", "2013,1,1,a quarter past five,")
    with pytest.raises(SourceError, match=r"^flights\.csv cannot be read: "):
        load(file, source, 1)
