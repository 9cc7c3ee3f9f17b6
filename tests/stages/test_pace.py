"""What is left of a build: by what its relations usually take, at the pace of those that are done."""

from __future__ import annotations

import pytest

from prefect_sluice.stages.candidate.pace import BuildPace, estimate_rest, remaining


def test_the_rest_is_told_at_the_pace_of_what_is_done() -> None:
    assert estimate_rest(done=10.0, rest=30.0, elapsed=5.0) == 15.0, "two threads, or a faster machine"
    assert estimate_rest(done=0.0, rest=30.0, elapsed=5.0) == 0.0, "nothing is known yet"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, ""), (4.9, ""), (7, "about 5 s left"), (43, "about 45 s left"), (61, "about 1 min left"), (200, "about 3 min left")],
)  # fmt: skip
def test_the_rest_in_words(seconds: float, told: str) -> None:
    assert remaining(seconds) == told


def test_what_has_no_past_is_counted_and_not_guessed() -> None:
    pace = BuildPace(2, {})
    assert [pace.done("a"), pace.done("b")] == [("1/2", ""), ("2/2", "")]
