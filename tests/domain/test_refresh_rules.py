"""When a refresh that was due needs no doing any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.domain.refresh_rules import SKIPPED, RefreshAttempt, ScheduledTime, answered

FOUR = datetime(2026, 3, 4, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
DONE = RefreshAttempt(FOUR + HOUR, FOUR + 2 * HOUR, "done", "prod serves generation 7", "other")
MINE = ScheduledTime(FOUR, "mine")


def test_what_was_due_before_the_last_one_began_was_caught_up() -> None:
    assert answered(MINE, DONE) == (
        "the refresh that was due at 2026-03-04 04:00 UTC was caught up by the refresh of 2026-03-04 05:00 UTC:"
        " prod serves generation 7"
    )


def test_a_night_that_was_left_out_answers_for_those_before_it() -> None:
    held = replace(DONE, status=SKIPPED, message="prod is held by Grace")
    assert answered(MINE, held) == (
        "the refresh that was due at 2026-03-04 04:00 UTC was skipped with the one of 2026-03-04 05:00 UTC:"
        " prod is held by Grace"
    )


def test_what_is_to_be_done() -> None:
    assert answered(None, DONE) == "", "nobody scheduled it: somebody wants it"
    assert answered(MINE, None) == "", "there was none"
    assert answered(MINE, replace(DONE, ended=None)) == "", "it is at work, or died"
    assert answered(MINE, replace(DONE, by="mine")) == "", "it is this very run, tried again"
    assert answered(MINE, replace(DONE, at=FOUR - timedelta(seconds=1))) == "", (
        "it began before this one was due"
    )


@given(st.permutations(range(7)))
def test_of_seven_late_ones_one_does_the_work_in_whatever_order_they_start(order: list[int]) -> None:
    last: RefreshAttempt | None = None
    worked = 0
    for step, night in enumerate(order):
        occasion = ScheduledTime(FOUR + night * timedelta(days=1), f"run {night}")
        if not answered(occasion, last):
            at = FOUR + timedelta(days=7, minutes=step)
            last, worked = RefreshAttempt(at, at, "done", "", occasion.by), worked + 1
    assert worked == 1
