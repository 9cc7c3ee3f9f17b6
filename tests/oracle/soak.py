"""`make soak`: generated histories for as long as asked, each from a seed of its own; what fails is kept and can be repeated."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from time import monotonic

from prefect_sluice.runtime.process import QUIET
from tests.oracle.history import History, Player
from tests.oracle.planted import FAULTS


def main() -> int:
    """Play histories; 1 when one went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long to go on (default 600)")
    parser.add_argument("--seed", type=int, default=0, help="the first history's seed (default 0)")
    parser.add_argument("--steps", type=int, default=12, help="steps of one history (default 12)")
    parser.add_argument("--one", action="store_true", help="play this one seed only, and show each step")
    parser.add_argument("--keep", type=Path, help="play in this new folder, and leave it there")
    parser.add_argument(
        "--fault", choices=FAULTS, default="", help="plant this fault, to see how soon it is found"
    )
    chosen = parser.parse_args()
    os.environ.update(QUIET)
    player, until, seed, bad = Player.started(chosen.fault), monotonic() + chosen.seconds, chosen.seed, 0
    try:
        while True:
            bad += not played(player, seed, chosen.steps, show=chosen.one, keep=chosen.keep)
            print(f"seed {seed} played", file=sys.stderr, flush=True)
            seed += 1
            if chosen.one or monotonic() > until:
                break
    finally:
        player.close()
    print(
        f"{seed - chosen.seed} histories of {chosen.steps} steps, seeds {chosen.seed} to {seed - 1}: {bad} went wrong"
    )
    return 1 if bad else 0


def played(player: Player, seed: int, steps: int, *, show: bool, keep: Path | None) -> bool:
    """Play one history; say whether all was right, and if not, what and how to repeat it."""
    folder = keep or Path(tempfile.mkdtemp(prefix="sluice-soak-"))

    def say(line: str) -> None:
        if show:
            print(line, flush=True)

    try:
        History(folder, seed, player, say=say).play(steps)
    except Exception as error:
        print(f"\nseed {seed}: {type(error).__name__}: {error}", flush=True)
        print(f'repeat: make soak ARGS="--one --seed {seed} --steps {steps}"', flush=True)
        return False
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
