"""What the numbers of a refresh are asked: is each what it was in the refreshes before it? Pure, and without a warehouse."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import fmean, median
from typing import TypeAlias

from prefect_sluice.gates.anomalies.measure import BINS, RelationNumbers
from prefect_sluice.gates.statistics import UsualValues, shared, usual

Dated: TypeAlias = "tuple[float, datetime]"
Recall: TypeAlias = Callable[[str], Sequence[Dated]]
"""Given a metric, returns its numbers of earlier refreshes, the newest first."""


@dataclass(frozen=True, slots=True)
class NumberQuestion:
    """One number beside those of earlier refreshes. `now` and `past` are on the scale on which they are compared: `shown`
    leads back. `floor` is the least spread to reckon with, `least` the least difference that matters to anybody."""

    check: str
    column: str
    now: float
    past: tuple[Dated, ...]
    floor: float
    least: float
    upward_only: bool = False
    shown: Callable[[float], float] = float

    @property
    def first(self) -> bool:
        """Say whether it is about the relation, and not about one of its columns."""
        return not self.column

    def answer(self, at: datetime, chance: float) -> UsualRange:
        """Judge the number at a chance of a false alarm."""
        found = usual(self.past, at, self.floor)
        reach = max(found.reach(chance if self.upward_only else chance / 2), self.least)
        return UsualRange(self, found, reach)


@dataclass(frozen=True, slots=True)
class UsualRange:
    """What is usual of a number, and how far from that it may be."""

    question: NumberQuestion
    usual: UsualValues
    reach: float

    @property
    def unusual(self) -> bool:
        """Say whether it is too far from the middle, and from what was served last: a level that was let pass is known."""
        middle = self.usual.middle
        if not self._beyond(middle, self.reach):
            return False
        # What lies far off scatters more, too.
        return all(self._beyond(known, self.reach + 0.1 * abs(known - middle)) for known in self.usual.known)

    def _beyond(self, level: float, reach: float) -> bool:
        away = self.question.now - level
        return (away if self.question.upward_only else abs(away)) > reach

    @property
    def span(self) -> tuple[float, float]:
        """The usual range, as people read the number."""
        shown = self.question.shown
        return shown(self.usual.middle - self.reach), shown(self.usual.middle + self.reach)


def questions(found: RelationNumbers, recall: Recall, minimum: int) -> tuple[NumberQuestion, ...]:
    """Return a question for each number with at least `minimum` earlier ones."""
    asked: list[NumberQuestion] = []
    for metric, value in found.numbers.items():
        past = recall(metric)
        if len(past) >= minimum:
            asked.extend(_question(metric, value, past, found))
    return (*asked, *_shapes(found, recall, minimum))


def answers(asked: Iterable[NumberQuestion], at: datetime, false_alarms: float) -> tuple[UsualRange, ...]:
    """Judge all questions of one refresh: the chance that any of them is a false alarm is `false_alarms`.

    Half of it is for volume and freshness, however many columns there are; each half is shared out evenly.
    """
    every = tuple(asked)
    first = sum(question.first for question in every)
    half = false_alarms if first in {0, len(every)} else false_alarms / 2
    chances = {True: shared(half, first), False: shared(half, len(every) - first)}
    return tuple(question.answer(at, chances[question.first]) for question in every)


def _question(
    metric: str, value: float, past: Sequence[Dated], found: RelationNumbers
) -> Iterable[NumberQuestion]:
    of = metric.removeprefix("new ")
    word, _, column = of.partition(" ")
    middle = median(item for item, _ in past)
    if word == "rows":
        told = tuple((_count(item), at) for item, at in past)
        yield NumberQuestion(of, "", _count(value), told, 1.0, 0.05 * abs(_count(middle)), shown=_counted)
    elif word == "age":
        yield NumberQuestion("age", "", value, tuple(past), 0.25, _late(past), upward_only=True)
    elif word == "missing":
        rows = max(found.rows, 1)
        share = min(0.5, max(middle, fmean(item for item, _ in past), 1 / rows))
        noise = math.sqrt(share * (1 - share) / rows) + 0.0005
        yield NumberQuestion("missing", column, value, tuple(past), noise, 0.005, upward_only=True)
    elif word == "mean":
        least = abs(middle) * 0.05
        yield NumberQuestion("mean", column, value, tuple(past), _mean_floor(metric, past, found), least)
    elif word == "distinct":
        told = tuple((math.log1p(item), at) for item, at in past)
        yield NumberQuestion("distinct", column, math.log1p(value), told, 0.03, 0.41, shown=math.expm1)


def _count(value: float) -> float:
    """Counts of chance events scatter by 1 on this scale, however many there are (Anscombe)."""
    return math.copysign(2 * math.sqrt(abs(value) + 0.375), value)


def _counted(scaled: float) -> float:
    return math.copysign(max((scaled / 2) ** 2 - 0.375, 0), scaled)


def _late(past: Sequence[Dated]) -> float:
    """Return the hours that matter: half of what lies between two refreshes. One by hand at noon is not late."""
    gaps = [abs((newer - older).total_seconds()) / 3600 for (_, newer), (_, older) in pairwise(past)]
    return max(1.0, 0.5 * median(gaps or [0]))


def _mean_floor(metric: str, past: Sequence[Dated], found: RelationNumbers) -> float:
    values = [item for item, _ in past]
    floor = 0.005 * abs(median(values))
    if 2 * len(set(values)) > len(values):
        return floor
    # Nearly always the same: the first row that differs is no anomaly.
    return max(floor, found.ranges.get(metric, 0.0) / (2 * math.sqrt(max(found.rows, 1))))


def _shapes(found: RelationNumbers, recall: Recall, minimum: int) -> Iterable[NumberQuestion]:
    columns: dict[str, list[str]] = {}
    for metric in found.numbers:
        word, _, column = metric.removeprefix("new ").partition(" ")
        if word == "share":
            columns.setdefault(column.partition(" ")[2], []).append(metric)
    for column, metrics in columns.items():
        past = [recall(metric) for metric in metrics]
        nights = min(map(len, past))
        if len(metrics) == BINS and nights >= minimum:
            now = [found.numbers[metric] for metric in metrics]
            yield _shape(column, now, [item[:nights] for item in past], found.rows)


def _shape(column: str, now: Sequence[float], past: Sequence[Sequence[Dated]], rows: int) -> NumberQuestion:
    """Ask how far the shares are from the usual ones, beside how far those of earlier refreshes were."""
    middle = [median(value for value, _ in part) for part in past]
    nights = len(past[0])
    # Tonight is no part of that middle, and so is farther from it by chance alone.
    stretch = math.sqrt((1 + math.pi / (2 * nights)) / (1 - 1 / nights))
    before = tuple(
        (stretch * _distance([part[night][0] for part in past], middle), past[0][night][1])
        for night in range(nights)
    )
    floor = 0.005 + 0.2 / math.sqrt(max(rows, 1))
    return NumberQuestion("shape", column, _distance(now, middle), before, floor, 0.05, upward_only=True)


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the total variation: the share of rows that would have to have another value."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / 2
