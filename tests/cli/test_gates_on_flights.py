"""Every gate, seen saying yes, no and "I could not tell" on the demo's project, through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flights import Flights

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flights")]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Flights:
    """The project, released to dev."""
    made = Flights.made(tmp_path_factory.mktemp("flights") / "nyc", through="2013-01-04")
    answer = made.run("release", "--env", "dev")
    assert answer.code == 0, answer.text
    return made


@pytest.fixture
def flights(served: Flights, tmp_path: Path) -> Flights:
    """A copy of it, to change."""
    return served.copied(tmp_path / "nyc")


def test_yes(flights: Flights) -> None:
    flights.edit(
        "models/marts/carrier_punctuality.sql",
        "count(*) filter (where is_on_time) as on_time_flights",
        "count(*) filter (where arrival_delay_minutes < 10) as on_time_flights",
    )
    flights.commit("Count a flight as on time below 10 minutes")
    answer = flights.run("release", "--env", "dev")
    assert answer.code == 0, answer.text
    assert answer.verdicts == {
        "lint": "PASSED",
        "project_tests": "PASSED",
        "unit_tests": "PASSED",
        "build": "PASSED",
        "data_tests": "PASSED",
        "contracts": "PASSED",
        "diff": "PASSED",
        "monitor": "PASSED",
    }
