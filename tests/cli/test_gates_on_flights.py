"""Every gate, seen saying yes, no and "I could not tell" on the demo's project, through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_sluice.gates.catalog import GATES
from tests.flights import QUICK_SUITE, WHOLE_SUITE, Answer, Flights

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flights")]

PUNCTUALITY, ROUTES = "models/marts/carrier_punctuality.sql", "models/marts/routes.sql"
MARTS = "contracts/marts.py"
TIGHTER = (
    PUNCTUALITY,
    "filter (where is_on_time) as on_time_flights",
    "filter (where arrival_delay_minutes < 10) as on_time_flights",
)
GROUPED = (ROUTES, "    group by origin, destination\n", "    group by origin, destination, carrier_code\n")
EMPTY = ("models/staging/stg_planes.sql", "\nfrom source\n", "\nfrom source\nwhere false\n")
BROKEN = ("models/staging/stg_airlines.sql", "    name as", "    cast(name as integer) as")
UNTESTED = ("[not_null, unique]\n      - name: flight_date", "[not_null]\n      - name: flight_date")
HOOKED = '{{{{ config(post_hook="{hook}") }}}}\n\nwith flights as (\n'

YES, NO, UNSURE = {"PASSED"}, {"FAILED"}, {"INCONCLUSIVE", "ERRORED"}
SEEN: dict[str, set[str]] = {}
"""What each gate was seen finding by the tests above the last one."""
ASKED: list[str] = []


@pytest.fixture
def flights(released_flights: Flights, tmp_path: Path) -> Flights:
    """A copy of the project, to change. Of its own tests it runs one file: `test_yes` runs all."""
    return released_flights.copied(tmp_path / "nyc")


def noted(answer: Answer) -> Answer:
    """Remember what each gate said."""
    for gate, verdicts in answer.found.items():
        SEEN.setdefault(gate, set()).update(verdicts)
    return answer


def release(flights: Flights, message: str) -> Answer:
    ASKED.append(message)
    flights.commit(message)
    return noted(flights.run("release", "--env", "dev"))


def that(answer: Answer, kinds: set[str]) -> set[str]:
    """Return the gates that found one of these."""
    return {gate for gate, found in answer.found.items() if found & kinds}


def test_yes(flights: Flights) -> None:
    """One model changes as its commit says, and everything that is looked at is good."""
    flights.edit(*TIGHTER)
    flights.edit("pytest.ini", QUICK_SUITE, WHOLE_SUITE)
    answer = release(
        flights,
        "Count a flight as on time below 10 minutes\n\nExpect: carrier_punctuality.on_time_* up to 100%",
    )
    assert answer.code == 0, answer.text
    assert set(answer.verdicts.values()) == YES, answer.said
    assert that(answer, YES) >= {*GATES} - {"parity", "anomalies", "budget"}


def test_no_before_anything_is_built(flights: Flights) -> None:
    flights.edit(ROUTES, "with flights as (\n    select", "with flights as (\n    SELECT")
    flights.write("etl/settings.py", 'API_KEY = "sk8ter0fTheNight-2013"\n')
    flights.edit("models/marts/aircraft_utilisation.py", "/ 60)", "/ 61)")
    flights.edit(PUNCTUALITY, "filter (where is_on_time)", "filter (where not is_on_time)")
    flights.edit("models/marts/_marts.yml", *UNTESTED)
    loose = "    on_time_share: float = pa.Field(ge=0, nullable=True)\n    cancelled_share"
    flights.edit(MARTS, "    on_time_share: float = pa.Field(in_range=SHARE)\n    cancelled_share", loose)
    answer = release(flights, "All at once")
    assert answer.code == 1, answer.text
    wanted = {"lint", "secrets", "coverage", "project_tests", "unit_tests", "promises"}
    assert that(answer, NO) == wanted, answer.said
    assert "sk8ter0fTheNight" not in answer.text
    # What safety refuses does not run: neither do the gates that would run it.
    flights.edit(ROUTES, "with flights as (\n", HOOKED.format(hook="copy {{ this }} to 'r.parquet'"))
    answer = release(flights, "And a hook that writes a file")
    assert answer.code == 1, answer.text
    assert that(answer, NO) == {"lint", "safety", "secrets", "coverage"}, answer.said


def test_could_not_tell_before_anything_is_built(flights: Flights) -> None:
    flights.edit(".sqlfluff", "[sqlfluff]\n", "[sqlfluff]\nlarge_file_skip_byte_limit = 1000\n")
    flights.edit(ROUTES, "with flights as (\n", "with flights as (\n\n")
    flights.write(".secrets.baseline", "{}")
    flights.write("sluice-coverage.json", "{}")
    flights.edit("pytest.ini", "=importlib\n", "=importlib -k nothing_of_this_name\n")
    flights.edit("models/staging/stg_flights.sql", "source('raw', 'flights')", "source('raw', 'flight_list')")
    flights.edit("models/staging/_sources.yml", "- name: flights\n", "- name: flight_list\n")
    flights.edit(MARTS, "class Routes(", "class Routes(pa.Nothing, ")
    answer = release(flights, "Nobody knows")
    assert answer.code == 1, answer.text
    wanted = {"lint", "secrets", "coverage", "project_tests", "unit_tests", "promises"}
    assert that(answer, UNSURE) == wanted, answer.said
    hook = "insert into {{ var('audit_log', 'x.y') }} select 1"
    flights.edit(ROUTES, "with flights as (\n", HOOKED.format(hook=hook))
    answer = release(flights, "And a hook that nobody can read")
    assert answer.code == 1, answer.text
    assert that(answer, UNSURE) == {"lint", "safety", "secrets", "coverage"}, answer.said


def test_no_on_the_candidate(flights: Flights) -> None:
    flights.edit(*GROUPED)
    flights.edit(ROUTES, "    counted.mean_air_time_minutes,\n", "")
    flights.edit(*EMPTY)
    flights.edit(*TIGHTER)
    answer = release(flights, "Split routes by carrier\n\nExpect: routes rows")
    assert answer.code == 1, answer.text
    assert that(answer, NO) == {"data_tests", "contracts", "diff", "impact", "budget"}, answer.said


def test_could_not_tell_on_the_candidate(flights: Flights) -> None:
    flights.edit(*EMPTY)
    flights.edit(ROUTES, "max(flight_date) as last", "cast(max(origin) as date) as last")
    flights.edit(*BROKEN)
    flights.edit(MARTS, "class Routes(pa.DataFrameModel):\n", ELEMENT_WISE)
    flights.write("sluice.yml", (flights.folder / "sluice.yml").read_text() + BUDGET)
    answer = release(flights, "Nobody knows either\n\nExpect: carrier_punctuality")
    assert answer.code == 1, answer.text
    wanted = {"data_tests", "contracts", "diff", "impact", "budget"}
    assert that(answer, UNSURE) >= wanted, (answer.message, answer.said)
    assert any("Could not convert" in said for said in answer.said["build"]), (
        "a view that cannot be read is not built"
    )


def test_what_reads_a_failed_model_is_not_known(flights: Flights) -> None:
    number = "cast(flights.destination as integer) as flight_number"
    flights.edit("models/marts/fct_flights.sql", "    flights.flight_number", f"    {number}")
    answer = release(flights, "Flights by number")
    assert answer.code == 1, answer.text
    assert answer.found["build"] == NO | {"INCONCLUSIVE"}
    assert not that(answer, NO) - {"build"}, "nobody blames what was not there to look at"


ELEMENT_WISE = """class Routes(pa.DataFrameModel):
    @pa.check("carriers", element_wise=True)
    def few(cls, value: int) -> bool:
        return value < 99

"""
BUDGET = "gates:\n  budget: {models: {rotues: {rows: 500}}}\n"


def test_parity_says_all_three(flights: Flights) -> None:
    def promoted() -> Answer:
        ASKED.append("promote")
        return noted(flights.run("promote", "--to", "prod"))

    assert promoted().found["parity"] == YES
    flights.sql(flights.production, "alter table raw.weather rename to weather_old")
    assert promoted().found["parity"] & NO
    flights.sql(flights.production, "alter table raw.weather_old rename to weather")
    # The first one still waits, as it was judged: nothing that it was made from is another.
    assert flights.run("reject", "--as", "Grace").code == 0
    assert flights.run("promote", "--to", "prod").code == 1
    flights.forget("sluice_conditions")
    assert promoted().found["parity"] & UNSURE


@pytest.mark.timeout(900)
def test_anomalies_and_budget_know_what_is_usual(flights: Flights) -> None:
    def night(day: int) -> Answer:
        ASKED.append(f"night {day}")
        flights.load(f"2013-01-{day:02}")
        return flights.run("refresh", "--env", "dev")

    flights.write("sluice.yml", (flights.folder / "sluice.yml").read_text() + USUAL)
    for day in range(5, 11):
        answer = noted(night(day))
        assert answer.code == 0, answer.text
    assert {"anomalies", "budget"} <= {gate for gate, found in SEEN.items() if found & YES}
    flights.load("2013-01-11")
    flights.sql(flights.warehouse, "update raw.flights set distance = distance * 100 where day = 11")
    answer = noted(flights.run("refresh", "--env", "dev"))
    assert answer.code == 1
    assert that(answer, NO) >= {"anomalies"}, answer.said
    flights.edit("sluice.yml", "minimum: 5", "minimum: 5, time: {stg_flights: carrier_code}")
    assert "anomalies" in that(noted(flights.run("refresh", "--env", "dev")), UNSURE)


USUAL = "gates:\n  anomalies: {minimum: 5}\n"


def test_all_gates_were_seen_saying_all_three() -> None:
    if len(ASKED) < 12:
        pytest.skip("only some of the tests above ran")
    kinds = {"yes": YES, "no": NO, "could not tell": UNSURE}
    missing = [
        f"{gate}: {kind}"
        for gate in GATES
        for kind, found in kinds.items()
        if not SEEN.get(gate, set()) & found
    ]
    assert missing == []
