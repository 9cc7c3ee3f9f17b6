"""Outlier test: whether a number is unusual, robustly judged by those before it, at a stated chance of a false alarm. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import combinations
from statistics import fmean, median

_HEAVIEST = 8.0
"""Degrees of freedom at most: real nights have heavier tails than the normal curve, however many of them are known."""
_WEEKS = 3
"""So many nights of each weekday make a weekly pattern worth looking for."""
_CLEARLY = 0.7
"""The weekdays are told apart where that leaves this share of the distances from the middle, or less."""


@dataclass(frozen=True, slots=True)
class UsualValues:
    """What numbers of the past say of the next: its `middle`, one unit of `spread` around it, and the degrees of freedom of
    that spread. `known` are single numbers that are no news: the latest of the same weekday, and the latest of all, but
    where weekdays were told apart (`weekday`)."""

    middle: float
    spread: float
    freedom: float
    known: tuple[float, ...]
    weekday: bool = False

    def reach(self, chance: float) -> float:
        """Return how far from the middle a number lies, to one side, at this chance."""
        return self.spread * t_quantile(chance, self.freedom)


def usual(past: Sequence[tuple[float, datetime]], at: datetime, floor: float) -> UsualValues:
    """Return what is usual at `at`, of at least two numbers, the newest first. `floor` is the least spread there can be."""
    today = [value for value, when in past if when.weekday() == at.weekday()]
    flat = _flat([value for value, _ in past], today, floor)
    return _weekly(past, today, floor) or flat


def _flat(values: Sequence[float], today: Sequence[float], floor: float) -> UsualValues:
    size = len(values)
    # Until weeks enough are known to tell weekdays apart, a Sunday is to be like the Sunday before.
    known = (values[0], *today[:1])
    return UsualValues(median(values), _predicted(scale(values), floor, size), _freedom(size), known)


def _weekly(
    past: Sequence[tuple[float, datetime]], today: Sequence[float], floor: float
) -> UsualValues | None:
    days: dict[int, list[float]] = {}
    for value, when in past:
        days.setdefault(when.weekday(), []).append(value)
    if len(days) < 2 or len(today) < _WEEKS or min(map(len, days.values())) < _WEEKS - 1:
        return None
    left = [value - median(own) for own in days.values() for value in own]
    # A middle for each weekday was taken out of them, which makes what is left smaller than it is.
    free = len(left) - len(days)
    middle, stretch = median(value for value, _ in past), math.sqrt(len(left) / free)
    # Not by the robust scale: two days of seven are just what that does not see.
    if stretch * sum(map(abs, left)) > _CLEARLY * sum(abs(value - middle) for value, _ in past):
        return None
    spread = scale(left) * math.sqrt(len(left) / (free - len(days) / 2))
    return UsualValues(
        median(today), _predicted(spread, floor, len(today)), _freedom(free), tuple(today[:1]), weekday=True
    )


def _predicted(spread: float, floor: float, middle_of: int) -> float:
    """Return the spread of the next number around a median of so many: the median is uncertain, too."""
    return max(spread, floor) * math.sqrt(1 + math.pi / (2 * middle_of))


def _freedom(numbers: int) -> float:
    # Fitted to simulated normal numbers (benchmarks/anomalies.py shows how well).
    return max(1.0, min(_HEAVIEST, 0.75 * numbers - 1.5))


def scale(values: Sequence[float]) -> float:
    """Return the spread of numbers, as a standard deviation: Qn of Rousseeuw and Croux, which half of them may not fool.

    Where most numbers are the same it is their mean distance from the median, and 0 only if all are the same.
    """
    size = len(values)
    if size < 2:
        return 0.0
    half = size // 2 + 1
    apart = sorted(abs(one - other) for one, other in combinations(values, 2))
    small_sample = size / (size + (1.4 if size % 2 else 3.8))
    found = 2.2219 * apart[half * (half - 1) // 2 - 1] * small_sample
    if found > 0:
        return found
    middle = median(values)
    return 1.2533 * fmean(abs(value - middle) for value in values)


def shared(chance: float, numbers: int) -> float:
    """Return the chance for each of so many numbers at which all of them together alarm at `chance` (Šidák)."""
    return -math.expm1(math.log1p(-chance) / max(numbers, 1))


@lru_cache(maxsize=4096)
def t_quantile(chance: float, freedom: float) -> float:
    """Return what Student's t exceeds, to one side, at `chance` (under a half). Raises ValueError for any other chance."""
    if not 0 < chance < 0.5:
        raise ValueError(f"{chance} is no chance of one tail")
    low, high = 0.0, 1.0
    while _tail(high, freedom) > chance:
        low, high = high, 2 * high
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _tail(middle, freedom) > chance else (low, middle)
    return high


def _tail(t: float, freedom: float) -> float:
    """Return the chance that Student's t exceeds `t` (not negative)."""
    x = freedom / (freedom + t * t)
    return 0.5 * _beta(x, freedom / 2, 0.5)


def _beta(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function, by its continued fraction."""
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(1 - x, b, a)
    front = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    ratio = 1.0
    # From its end: a hundred terms are many more than it needs on this side.
    for n in range(100, 0, -1):
        m = n // 2
        if n % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        ratio = 1 + term / ratio
    return math.exp(front) / (a * ratio)
