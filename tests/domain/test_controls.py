"""Which hold, freeze or block forbids what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.config.base import parse_end
from prefect_sluice.domain.controls import (
    EVERYWHERE,
    Control,
    ControlKind,
    all_forbidding,
    blocked,
    forbidding,
    in_force,
    of_release,
    on,
)
from prefect_sluice.domain.generation import Cause

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
BAD = "bad" + "0" * 61
HOLD = Control("h", ControlKind.HOLD, "prod", "Grace", "close of books", NOW)
FREEZE = Control("f", ControlKind.FREEZE, "prod", "Ada", "peak", NOW, until=NOW + timedelta(hours=2))
ALL = replace(FREEZE, id="a", target=EVERYWHERE, until=None)
BLOCK = Control("b", ControlKind.BLOCK, BAD, "Bo", "counts twice", NOW)
CHANGING = [cause for cause in Cause if cause not in {Cause.ROLLBACK, Cause.CHECK}]


@pytest.mark.parametrize("cause", CHANGING)
@pytest.mark.parametrize(
    ("control", "environment", "release", "forbidden"),
    [
        (HOLD, "prod", "", True),
        (HOLD, "dev", "", False),
        (FREEZE, "prod", "", True),
        (FREEZE, "dev", "", False),
        (ALL, "prod", "", True),
        (ALL, "dev", BAD, True),
        (BLOCK, "prod", BAD, True),
        (BLOCK, "dev", BAD, True),
        (BLOCK, "prod", "good", False),
        (BLOCK, "prod", "", False),
    ],
)
def test_what_stops_a_change(
    cause: Cause, control: Control, environment: str, release: str, forbidden: bool
) -> None:
    found = forbidding([control], cause, environment, release)
    assert found == (control if forbidden else None)


@pytest.mark.parametrize("control", [HOLD, FREEZE, ALL])
def test_going_back_is_stopped_by_a_block_only(control: Control) -> None:
    """Who is on call must be able to."""
    assert forbidding([control], Cause.ROLLBACK, "prod", "good") is None
    assert forbidding([control, BLOCK], Cause.ROLLBACK, "prod", BAD) == BLOCK


@pytest.mark.parametrize("control", [HOLD, FREEZE, ALL, BLOCK])
def test_nothing_stops_a_check(control: Control) -> None:
    assert forbidding([control], Cause.CHECK, "prod", BAD) is None


def test_a_catch_up_passes_the_hold_of_its_own_rollback_and_no_other() -> None:
    mine = replace(HOLD, id="m", promotion="p1")
    assert forbidding([mine], Cause.REFRESH, "prod", past="p1") is None
    assert forbidding([mine], Cause.REFRESH, "prod") == mine
    assert forbidding([mine], Cause.REFRESH, "prod", past="p2") == mine
    assert forbidding([mine, HOLD], Cause.REFRESH, "prod", past="p1") == HOLD
    assert forbidding([mine, ALL], Cause.REFRESH, "prod", past="p1") == ALL
    assert forbidding([mine, BLOCK], Cause.REFRESH, "prod", BAD, past="p1") == BLOCK
    assert all_forbidding([mine, HOLD, ALL, BLOCK], Cause.REFRESH, "prod", BAD, past="p1") == (
        HOLD,
        ALL,
        BLOCK,
    )


def test_a_freeze_ends_by_itself_and_what_was_lifted_is_over() -> None:
    assert FREEZE.until is not None
    assert in_force([FREEZE], FREEZE.until - timedelta(microseconds=1)) == (FREEZE,)
    assert in_force([FREEZE], FREEZE.until) == ()
    assert in_force([replace(HOLD, lifted_at=NOW)], NOW) == ()


CONTROLS = st.lists(
    st.builds(
        Control,
        id=st.uuids().map(str),
        kind=st.sampled_from(ControlKind),
        target=st.sampled_from(["prod", "dev", EVERYWHERE, BAD, "good"]),
        by=st.just("Ada"),
        reason=st.just("why"),
        at=st.integers(0, 9).map(lambda minutes: NOW + timedelta(minutes=minutes)),
        promotion=st.sampled_from(["", "p1"]),
    ),
    max_size=6,
)


@given(CONTROLS, CONTROLS, st.sampled_from(Cause), st.sampled_from(["", "p1"]))
def test_one_more_never_allows_more(
    some: list[Control], more: list[Control], cause: Cause, past: str
) -> None:
    """Whatever the order: what is forbidden stays so when others are placed, and only lifting allows it."""
    if forbidding(some, cause, "prod", BAD, past=past) is not None:
        assert forbidding([*more, *some], cause, "prod", BAD, past=past) is not None
        assert forbidding([*some, *more], cause, "prod", BAD, past=past) is not None
    assert {item.id for item in on(some, "prod", BAD)} <= {item.id for item in some}


def test_what_it_says() -> None:
    assert HOLD.told == "prod is held by Grace since 2026-03-04 12:00 UTC: close of books"
    assert FREEZE.told == "prod is frozen until 2026-03-04 14:00 UTC by Ada since 2026-03-04 12:00 UTC: peak"
    assert ALL.told.startswith("every environment is frozen by Ada")
    assert BLOCK.told == "release bad0000 is blocked by Bo since 2026-03-04 12:00 UTC: counts twice"
    assert HOLD.lift == "sluice unhold prod --reason WHY"
    assert ALL.lift == "sluice unfreeze --all --reason WHY"
    assert BLOCK.lift == "sluice unblock bad000000000 --reason WHY"
    assert replace(HOLD, target="my prod").lift == "sluice unhold 'my prod' --reason WHY"


def test_the_blocked_releases() -> None:
    assert blocked([HOLD, BLOCK, ALL]) == {BAD}
    assert of_release([HOLD, BLOCK, ALL], BAD) == (BLOCK,)
    assert of_release([HOLD, BLOCK, ALL], EVERYWHERE) == ()


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("12h", NOW + timedelta(hours=12)),
        ("2026-12-24", datetime(2026, 12, 24, tzinfo=UTC)),
        ("2026-12-24T18:00+01:00", datetime(2026, 12, 24, 17, tzinfo=UTC)),
        ("2026-03-04T12:01", NOW + timedelta(minutes=1)),
    ],
)
def test_the_end_of_a_freeze(text: str, end: datetime) -> None:
    assert parse_end(text, NOW) == end


@pytest.mark.parametrize("text", ["2026-03-04T12:00", "2020-01-01", "0s", "soon", "", "9999999999d", "12"])
def test_what_is_no_end(text: str) -> None:
    with pytest.raises(ValueError, match=r"is past|is no time"):
        parse_end(text, NOW)
