"""What forms offer, and what becomes of the line that was chosen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.release import Change, Release
from prefect_sluice.planning.choices import (
    FORMER,
    back_to,
    chosen,
    chosen_generation,
    generation_line,
    report_line,
)
from prefect_sluice.stages.rollback import choose

AT = datetime(2026, 11, 23, 4, 0, 30, tzinfo=UTC)
CHANGE = Change("a1b2c3d" + "0" * 33, "t", ".", "Ada", AT, "Add - and so on, - discounts")
RELEASE = Release(CHANGE, {}, {})


def generation(
    number: int, cause: Cause = Cause.RELEASE, *, gone: bool = False, release: str = ""
) -> Generation:
    """Return one of prod."""
    collected = AT if gone else None
    return Generation("prod", number, release or RELEASE.id, "p", 1, cause, number, AT, (), collected)


def test_a_generation_is_a_line_that_people_understand() -> None:
    line = generation_line(generation(7), RELEASE)
    assert line == "prod 7 - a1b2c3d Add - and so on, - discounts, 2026-11-23 04:00 UTC"
    assert "(refreshed)" in generation_line(generation(7, Cause.REFRESH), RELEASE)
    assert generation_line(generation(7), None) == f"prod 7 - {RELEASE.id[:7]}, 2026-11-23 04:00 UTC"


def test_a_line_goes_where_it_says() -> None:
    history = tuple(generation(number) for number in (9, 8, 7, 6))
    line = generation_line(generation(7), RELEASE)
    assert choose(history[0], history, line).number == 7
    assert choose(history[0], history, FORMER).number == choose(history[0], history, "").number
    assert chosen_generation("7", "prod") == "7"
    assert chosen_generation("a1b2c3d", "prod") == "a1b2c3d"


def test_a_line_of_another_environment_is_refused() -> None:
    with pytest.raises(
        BadInput, match="generation 7 is one of prod, and dev was to be rolled back; choose a line"
    ):
        chosen_generation(generation_line(generation(7), RELEASE), "dev")


def test_only_what_can_be_served_again_is_offered() -> None:
    history = (
        generation(5),
        generation(4, Cause.ROLLBACK),
        generation(3),
        generation(2, gone=True),
        generation(0),
    )
    assert [line.split(" - ")[0] for line in back_to(history, {RELEASE.id: RELEASE})] == ["prod 3"]
    assert back_to((), {}) == ()


@pytest.mark.parametrize(
    ("consumer", "line"),
    [
        (Consumer("e", "delays", "dashboard", "Delays by airport", "Ops"), "Delays by airport (dashboard), Ops [delays]"),
        (Consumer("e", "delays", "", "A - B, [sic]", "Ops"), "A - B, [sic], Ops [delays]"),
        (Consumer("e", "delays", owner="Ops"), "delays, Ops [delays]"),
        (Consumer("e", "delays"), "delays"),
    ],
)  # fmt: skip
def test_a_report_is_known_by_its_name_whatever_else_the_line_says(consumer: Consumer, line: str) -> None:
    assert report_line(consumer) == line
    assert chosen(line) == "delays"
