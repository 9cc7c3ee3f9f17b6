"""The logic of the Python model, on flights that fit on a screen."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

MODEL = Path(__file__).parents[2] / "models" / "marts" / "aircraft_utilisation.py"


@pytest.fixture(scope="module")
def model() -> ModuleType:
    """The model's file as a module: dbt does not make it importable."""
    spec = spec_from_file_location("aircraft_utilisation", MODEL)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def flights(*rows: tuple[str | None, str, str]) -> pd.DataFrame:
    """Flights of 90 minutes and 500 miles from (tail number, date, status)."""
    table = pd.DataFrame(rows, columns=["tail_number", "flight_date", "flight_status"])
    table["flight_date"] = pd.to_datetime(table["flight_date"])
    table["flight_id"] = [str(number) for number in range(len(rows))]
    table["air_time_minutes"] = [90 if status == "completed" else None for _, _, status in rows]
    table["distance_miles"] = 500
    return table


@pytest.fixture
def planes() -> pd.DataFrame:
    """A register of one aircraft."""
    boeing = {
        "tail_number": "N1",
        "manufacturer": "BOEING",
        "model": "737",
        "year_built": 2001,
        "seat_count": 150,
    }
    return pd.DataFrame([boeing])


def test_sums_up_the_flights_of_an_aircraft(model: ModuleType, planes: pd.DataFrame) -> None:
    flown = flights(
        ("N1", "2013-01-01", "completed"),
        ("N1", "2013-01-01", "completed"),
        ("N1", "2013-01-03", "completed"),
    )
    (row,) = model.utilisation(flown, planes).to_dict("records")
    assert row == {
        "tail_number": "N1",
        "is_registered": True,
        "manufacturer": "BOEING",
        "model": "737",
        "year_built": 2001,
        "seat_count": 150,
        "flights": 3,
        "active_days": 2,
        "flights_per_active_day": 1.5,
        "longest_streak_days": 1,
        "air_hours": 4.5,
        "miles": 1500,
        "seats_flown": 450,
    }


def test_what_did_not_depart_or_has_no_aircraft_does_not_count(
    model: ModuleType, planes: pd.DataFrame
) -> None:
    flown = flights(
        ("N1", "2013-01-01", "completed"),
        ("N1", "2013-01-02", "cancelled"),
        (None, "2013-01-02", "completed"),
    )
    table = model.utilisation(flown, planes)
    assert table[["tail_number", "flights", "active_days"]].values.tolist() == [["N1", 1, 1]]


def test_a_diverted_flight_counts_but_its_air_time_is_not_known(
    model: ModuleType, planes: pd.DataFrame
) -> None:
    flown = flights(("N1", "2013-01-01", "completed"), ("N1", "2013-01-02", "diverted"))
    table = model.utilisation(flown, planes)
    assert table[["flights", "air_hours", "miles"]].values.tolist() == [[2, 1.5, 1000]]


def test_an_aircraft_that_is_not_registered_has_empty_details(
    model: ModuleType, planes: pd.DataFrame
) -> None:
    flown = flights(("N1", "2013-01-01", "completed"), ("N2", "2013-01-01", "completed"))
    table = model.utilisation(flown, planes).set_index("tail_number")
    assert table["is_registered"].to_dict() == {"N1": True, "N2": False}
    assert table.loc["N2", ["manufacturer", "seat_count", "seats_flown"]].isna().all()
    assert str(table["seat_count"].dtype) == "Int64"


@pytest.mark.parametrize(
    ("days", "longest"),
    [
        (["2013-01-05"], 1),
        (["2013-01-05", "2013-01-05"], 1),
        (["2013-01-01", "2013-01-03", "2013-01-04", "2013-01-05", "2013-01-07", "2013-01-08"], 3),
        (["2013-03-01", "2013-02-28", "2013-02-27"], 3),
    ],
    ids=["one day", "a day twice", "longest of three", "over a month's end, unsorted"],
)
def test_the_longest_streak_is_of_consecutive_days(model: ModuleType, days: list[str], longest: int) -> None:
    flown = flights(*[("N1", day, "completed") for day in days], ("N2", "2013-01-02", "completed"))
    assert model.longest_streaks(flown).to_dict() == {"N1": longest, "N2": 1}
