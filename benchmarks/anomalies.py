"""How often the gate `anomalies` stops a night with nothing wrong in it, and how often it sees a fault: simulated refreshes.

Every night is numbers of one relation, as the gate reads them off a warehouse: rows, age, and per column missing values,
means, different values and shares. They go through the gate's own questions. A night that was stopped becomes no history.
The numbers are kept in benchmarks/results. The same for the same seed.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from prefect_sluice.gates.anomalies.gate import Settings
from prefect_sluice.gates.anomalies.measure import BINS, RelationNumbers, RelationPart
from prefect_sluice.gates.anomalies.questions import Dated, UsualRange, answers, questions

RESULTS = Path(__file__).resolve().parent / "results"
START = datetime(2026, 1, 5, 4, tzinfo=UTC)
STATED = Settings().false_alarms
MINIMUM = Settings().minimum
LENGTHS = (8, 20, 60)
ROWS, MEANS, MISSING, WORDS = 10_000, (50.0, 0.2, 1e6), (0.0, 0.002, 0.05), 2
NUMBERS_OF_A_FAULT = 200


@dataclass(frozen=True, slots=True)
class World:
    """What quiet nights are like: `noise` has about unit spread, `level` multiplies volume and means by night."""

    noise: Callable[[random.Random], float]
    level: Callable[[int], float] = lambda _: 1.0
    rows: int = ROWS
    within: float = 0.08
    walks: float = 0.0


def _heavy(rng: random.Random) -> float:
    """Student's t with 3 degrees of freedom, at unit spread: about one night in 100 is three spreads off."""
    return rng.gauss(0, 1) / math.sqrt(rng.gammavariate(1.5, 2) / 3) / math.sqrt(3)


def _skewed(rng: random.Random) -> float:
    return (math.exp(0.5 * rng.gauss(0, 1)) - math.exp(0.125)) / 0.6


def _normal(rng: random.Random) -> float:
    return rng.gauss(0, 1)


WEEK = (1.0, 1.02, 1.0, 0.98, 1.1, 0.45, 0.4)
WORLDS = {
    "normal": World(_normal),
    "skewed (log-normal)": World(_skewed),
    "heavy tails (t with 3)": World(_heavy),
    "few rows (Poisson 20)": World(_normal, rows=20, within=0.0),
    "weekly pattern": World(_normal, level=lambda night: WEEK[night % 7]),
    "trend (1 % a night)": World(_normal, level=lambda night: 1.01**night),
    "random walk": World(_normal, walks=0.02),
}


def nights(world: World, rng: random.Random) -> Callable[[int], RelationNumbers]:
    """Return what makes the nights of one relation, one after the other."""
    walk = [0.0]
    bins = [[rng.gammavariate(2, 1) for _ in range(BINS)] for _ in range(WORDS)]
    usual = [[part / sum(parts) for part in parts] for parts in bins]

    def make(night: int) -> RelationNumbers:
        walk[0] += world.walks * rng.gauss(0, 1)
        level = world.level(night) * math.exp(walk[0])
        rows = max(_poisson(world.rows * level * max(0.05, 1 + world.within * world.noise(rng)), rng), 0)
        numbers: dict[str, float] = {"rows new": rows, "rows added": rows, "age": 4 + abs(rng.gauss(0, 0.2))}
        if rows:
            numbers |= {f"new mean m{n}": _mean(at * level, world, rows, rng) for n, at in enumerate(MEANS)}
            numbers |= {f"new missing m{n}": _binomial(rows, at, rng) / rows for n, at in enumerate(MISSING)}
            numbers |= {
                f"new distinct m{n}": _different(rows, at, rng) for n, at in enumerate((30, 1e3, 1e9))
            }
            for n, shares in enumerate(usual):
                numbers |= _shares(n, shares, world, rows, rng)
        return _profile(numbers, rows)

    return make


def _profile(numbers: Mapping[str, float], rows: int) -> RelationNumbers:
    ranges = {f"new mean m{n}": 8 * at for n, at in enumerate(MEANS)}
    return RelationNumbers(numbers, rows, RelationPart("new", "live", "at"), rows, rows, ranges)


def _mean(at: float, world: World, rows: int, rng: random.Random) -> float:
    """A mean moves by 3 % from night to night, and by the chance of its rows, whose spread is as large as itself."""
    return at * (1 + 0.03 * world.noise(rng) + rng.gauss(0, 1) / math.sqrt(rows))


def _different(rows: int, values: float, rng: random.Random) -> float:
    return max(1.0, round(values * -math.expm1(-rows / values) * (1 + 0.02 * rng.gauss(0, 1))))


def _shares(n: int, usual: Sequence[float], world: World, rows: int, rng: random.Random) -> dict[str, float]:
    drawn = [
        max(0.0, p * (1 + 0.05 * world.noise(rng)) + rng.gauss(0, 1) * math.sqrt(p * (1 - p) / rows))
        for p in usual
    ]
    whole = sum(drawn) or 1.0
    return {f"new share ab.{b} w{n}": part / whole for b, part in enumerate(drawn)}


def _poisson(mean: float, rng: random.Random) -> int:
    if mean > 200:
        return round(mean + math.sqrt(mean) * rng.gauss(0, 1))
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count, product = count + 1, product * rng.random()
    return count


def _binomial(rows: int, share: float, rng: random.Random) -> int:
    mean = rows * share
    return (
        min(rows, _poisson(mean, rng))
        if mean < 200
        else round(mean + math.sqrt(mean * (1 - share)) * rng.gauss(0, 1))
    )


class Past:
    """The nights that were served, the newest first."""

    def __init__(self, length: int) -> None:
        """Keep as many as the gate would look at."""
        self._length = length
        self._served: list[tuple[RelationNumbers, datetime]] = []

    def serve(self, night: RelationNumbers, at: datetime) -> None:
        """Make a night history."""
        self._served = [(night, at), *self._served[: self._length - 1]]

    def recall(self, metric: str) -> Sequence[Dated]:
        """See Recall."""
        return [(night.numbers[metric], at) for night, at in self._served if metric in night.numbers]


def alarms(night: RelationNumbers, past: Past, at: datetime) -> tuple[tuple[UsualRange, ...], int]:
    """Return what the gate finds unusual in a night, and how many numbers it looked at."""
    asked = questions(night, past.recall, MINIMUM)
    return tuple(answer for answer in answers(asked, at, STATED) if answer.unusual), len(asked)


def quiet(world: World, length: int, wanted: int, rng: random.Random) -> dict[str, object]:
    """Count the quiet nights that are stopped, with so many nights of history."""
    stopped, seen, numbers, which = 0, 0, 0, dict[str, int]()
    while seen < wanted:
        make, past = nights(world, rng), Past(length)
        for night in range(length):
            past.serve(make(night), START + timedelta(days=night))
        for night in range(length, length + 25):
            at, profile = START + timedelta(days=night), make(night)
            found, numbers = alarms(profile, past, at)
            seen += 1
            stopped += bool(found)
            for check in {answer.question.check for answer in found}:
                which[check] = which.get(check, 0) + 1
            if not found:
                past.serve(profile, at)
    low, high = _interval(stopped, seen)
    return {
        "history": length, "nights": seen, "numbers": numbers, "stopped": stopped, "rate": stopped / seen,
        "from": low, "to": high, "by": dict(sorted(which.items())),
    }  # fmt: skip


def _interval(hits: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    z, share = 1.96, hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, middle - half), middle + half


def _half(numbers: dict[str, float]) -> None:
    for name in ("rows new", "rows added"):
        numbers[name] = numbers[name] // 2


def _nulls(numbers: dict[str, float]) -> None:
    numbers["new missing m2"] = min(1.0, 10 * numbers["new missing m2"])


def _few_nulls(numbers: dict[str, float]) -> None:
    numbers["new missing m1"] = 10 * numbers["new missing m1"]


def _stuck(numbers: dict[str, float]) -> None:
    numbers["new distinct m1"] = 1.0


def _late(numbers: dict[str, float]) -> None:
    numbers.update({"rows new": 0, "rows added": 0, "age": numbers["age"] + 24})


def _unit(numbers: dict[str, float]) -> None:
    numbers["new mean m0"] *= 100


def _gone(numbers: dict[str, float]) -> None:
    """A value that a fifth of the rows have is not delivered."""
    largest = max(range(BINS), key=lambda b: numbers[f"new share ab.{b} w0"])
    left = 1 - min(0.2, numbers[f"new share ab.{largest} w0"])
    for b in range(BINS):
        name = f"new share ab.{b} w0"
        numbers[name] = (numbers[name] - (0.2 if b == largest else 0)) / left
    numbers[f"new share ab.{largest} w0"] = max(0.0, numbers[f"new share ab.{largest} w0"])


FAULTS: Mapping[str, Callable[[dict[str, float]], None]] = {
    "half of the rows": _half,
    "missing 5 % -> 50 %": _nulls,
    "missing 0.2 % -> 2 %": _few_nulls,
    "a column stuck at one value": _stuck,
    "the day is missing": _late,
    "a unit: times 100": _unit,
    "a fifth of the rows lost, of one value": _gone,
}


def faulty(world: World, fault: str, length: int, rng: random.Random) -> float:
    """Return the share of nights with this fault that are stopped."""
    seen = 0
    for _ in range(NUMBERS_OF_A_FAULT):
        make, past = nights(world, rng), Past(length)
        start = rng.randrange(7)
        for night in range(start, start + length):
            past.serve(make(night), START + timedelta(days=night))
        bad = make(start + length)
        numbers = dict(bad.numbers)
        FAULTS[fault](numbers)
        found, _ = alarms(_profile(numbers, bad.rows), past, START + timedelta(days=start + length))
        seen += bool(found)
    return seen / NUMBERS_OF_A_FAULT


def main() -> int:
    """Simulate, print two tables, keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--nights", type=int, default=2000, help="quiet nights per world and length of history"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the numbers in benchmarks/results")
    asked = parser.parse_args()
    rng, started = random.Random(asked.seed), perf_counter()
    print(f"stated: {STATED:.2%} of quiet refreshes are stopped\n")
    rates = {name: [quiet(world, n, asked.nights, rng) for n in LENGTHS] for name, world in WORLDS.items()}
    _print(
        "quiet nights stopped",
        {name: [float(str(one["rate"])) for one in row] for name, row in rates.items()},
        2,
    )
    seen = {
        f"{fault}, {name}": [faulty(WORLDS[name], fault, n, rng) for n in LENGTHS]
        for name in ("normal", "weekly pattern")
        for fault in FAULTS
    }
    _print("nights with a fault that are stopped", seen, 0)
    if asked.keep:
        _keep(asked, rates, seen, perf_counter() - started)
    return 0


def _print(title: str, table: Mapping[str, Sequence[float]], digits: int) -> None:
    print(f"{title:56}" + "".join(f"{f'{n} nights':>11}" for n in LENGTHS))
    for name, row in table.items():
        print(f"{name:56}" + "".join(f"{value:>10.{digits}%} " for value in row))
    print(flush=True)


def _keep(asked: argparse.Namespace, rates: object, seen: object, seconds: float) -> None:
    now = datetime.now(UTC)
    document = {
        "at": now.isoformat(timespec="seconds"),
        "seed": asked.seed,
        "stated": STATED,
        "minimum": MINIMUM,
        "python": platform.python_version(),
        "seconds": round(seconds),
        "lengths": LENGTHS,
        "quiet nights stopped": rates,
        "nights with a fault that are stopped": seen,
    }
    path = RESULTS / f"anomalies-{now:%Y-%m-%d}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


if __name__ == "__main__":
    sys.exit(main())
