"""The job as people run it: its lines, its refusals and its exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from etl import load
from etl.source import Source

Spoil = Callable[[str, str, str], None]


def run(file: Path, source: Source, day: str) -> int:
    """Call the command line, and return its exit code."""
    return load.main(["--through", day, "--warehouse", str(file), "--source", str(source.folder)])


def test_says_what_it_wrote_and_then_that_there_is_nothing_new(
    source: Source, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(file, source, "2013-01-02") == 0
    assert capsys.readouterr().out == (
        "flights   1,785 rows for 2 days\n"
        "weather   139 rows for 2 days\n"
        "planes    3,322 rows\n"
        "airports  1,458 rows\n"
        "airlines  16 rows\n"
    )
    assert run(file, source, "2013-01-02") == 0
    assert capsys.readouterr().out.count("nothing new") == 5


def test_a_batch_that_breaks_its_contract_is_refused_with_the_rows_that_break_it(
    source: Source, spoil: Spoil, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil("flights.csv", ",EWR,IAH,227,", ",XXX,IAH,227,")
    spoil("flights.csv", ",JFK,MIA,160,1089,", ",JFK,MIA,160,-1089,")
    spoil("flights.csv", "2013,1,1,544,545,-1,", "2013,1,1,NA,545,-1,")
    spoil("flights.csv", ",DL,461,", ",DL,NA,")
    spoil("flights.csv", ",EV,5708,N829AS,LGA,IAD,", ",B6,507,N829AS,EWR,IAD,")
    assert run(file, source, "2013-01-01") == 1
    message = capsys.readouterr().err
    flight = "year=2013 month=1 day=1 carrier={} flight={} origin={}"
    expected = {
        "origin: isin(['EWR', 'JFK', 'LGA'])": flight.format("UA", 1545, "XXX"),
        "distance: in_range(1, 6000)": flight.format("AA", 1141, "JFK") + " distance=-1089",
        "flight: not_nullable": "year=2013 month=1 day=1 carrier=DL origin=LGA",
        "row: departure_has_time_and_delay": "year=2013 month=1 day=1 sched_dep_time=545 dep_delay=-1",
        "row: unique year, month, day, carrier, flight, origin": "carrier=B6 flight=507 tailnum=",
    }
    assert message.startswith(
        "error: the new rows of raw.flights break their contract; nothing was written\n"
    )
    for rule, row in expected.items():
        assert f"  {rule}\n" in message
        assert row in message.split(f"  {rule}\n")[1].split("\n")[0]
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.execute("select count(*) from duckdb_tables()").fetchall() == [(0,)]


def test_a_column_that_has_another_name_is_said(
    source: Source, spoil: Spoil, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil("airlines.csv", "carrier,name", "carrier,title")
    assert run(file, source, "2013-01-01") == 2
    assert "airlines.csv has the columns carrier, title; expected: carrier, name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("day", "complaint"),
    [
        ("2014-01-01", "the data is of 2013 only"),
        ("January", "not a date"),
        ("2013-02-30", "not a date"),
    ],
)
def test_a_day_that_is_not_in_the_data_is_refused_in_one_line(
    source: Source, file: Path, capsys: pytest.CaptureFixture[str], day: str, complaint: str
) -> None:
    assert run(file, source, day) == 2
    message = capsys.readouterr().err
    assert complaint in message
    assert message.count("\n") == 1
    assert not file.exists()


def test_a_warehouse_that_another_process_holds_is_refused_in_one_line(
    source: Source, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.parent.mkdir()
    hold = f"import duckdb; held = duckdb.connect({str(file)!r}); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            assert run(file, source, "2013-01-01") == 2
        finally:
            holder.kill()
    message = capsys.readouterr().err
    assert "another process holds it open" in message
    assert message.count("\n") == 1
