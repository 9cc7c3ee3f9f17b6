"""What is usual: the numbers of the statistics, against tables and simulated nights."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from prefect_sluice.gates.statistics import scale, shared, t_quantile, usual

MONDAY = datetime(2026, 3, 2, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("chance", "freedom", "table"),
    [(0.025, 10, 2.2281), (0.025, 3, 3.1824), (0.005, 5, 4.0321), (0.0005, 8, 5.0413), (0.25, 1, 1.0), (0.0005, 1, 636.62)],
)  # fmt: skip
def test_students_t_is_that_of_the_tables(chance: float, freedom: float, table: float) -> None:
    assert t_quantile(chance, freedom) == pytest.approx(table, rel=1e-4)


@pytest.mark.parametrize("chance", [0, 0.5, 1, -1, float("nan")])
def test_no_other_chance(chance: float) -> None:
    with pytest.raises(ValueError, match="no chance of one tail"):
        t_quantile(chance, 3)


def test_the_scale_is_that_of_normal_numbers() -> None:
    rng = random.Random(3)
    for size in (8, 9, 20, 45):
        found = [scale([rng.gauss(5, 2) for _ in range(size)]) for _ in range(400)]
        assert sum(found) / len(found) == pytest.approx(2, rel=0.1)


def test_the_scale_is_not_fooled_by_a_third() -> None:
    quiet = [float(n % 7) for n in range(20)]
    assert scale([*quiet, *([1e9] * 8)]) < 4 * scale(quiet)


def test_the_scale_of_what_is_nearly_always_the_same() -> None:
    assert scale([5.0] * 9) == 0
    assert 0 < scale([0.0] * 9 + [1.0]) < 0.2
    assert scale([1.0]) == 0


def test_a_chance_is_shared_out() -> None:
    assert 1 - (1 - shared(0.05, 40)) ** 40 == pytest.approx(0.05)
    assert shared(0.05, 0) == shared(0.05, 1) == pytest.approx(0.05)


def test_normal_numbers_alarm_no_more_often_than_stated() -> None:
    rng, alarms, trials = random.Random(5), 0, 4000
    for _ in range(trials):
        past = [(rng.gauss(0, 1), MONDAY) for _ in range(12)]
        found = usual(past, MONDAY, 0.0)
        alarms += abs(rng.gauss(0, 1) - found.middle) > found.reach(0.005)
    assert alarms / trials < 0.015


def test_weekdays_are_told_apart_once_there_are_weeks_enough() -> None:
    def past(nights: int) -> list[tuple[float, datetime]]:
        days = [MONDAY + timedelta(days=day) for day in range(nights)]
        level = {5: 400.0, 6: 300.0}
        return [(level.get(day.weekday(), 1000.0) + day.day % 5, day) for day in reversed(days)]

    saturday = MONDAY + timedelta(days=5)
    early = usual(past(12), saturday + timedelta(days=7), 1.0)
    assert not early.weekday
    assert any(abs(known - 400) < 5 for known in early.known), "the Saturday before is known"
    late = usual(past(35), saturday + timedelta(days=35), 1.0)
    assert late.weekday
    assert late.middle == pytest.approx(402, abs=3)
    assert late.reach(0.0001) < 50
