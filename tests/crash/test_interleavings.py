"""Two or three actors on one environment, asleep, killed and woken by a seed: what always holds, holds after each step.

SLUICE_SEEDS="7 8 9" plays these seeds instead of the few of every run.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash import simulation
from tests.crash.watching import Nursery

SEEDS = [int(word) for word in os.environ.get("SLUICE_SEEDS", "1 2").split()]
ROUNDS = 3

pytestmark = [
    pytest.mark.crash,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("release"),
]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_always_holds(
    nursery: Nursery, dormitory: Nursery, released: Path, tmp_path: Path, seed: int
) -> None:
    simulation.play(released, tmp_path, seed, (dormitory, nursery), ROUNDS)
