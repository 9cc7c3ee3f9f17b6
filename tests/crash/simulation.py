"""Seeded interleavings of actors on one environment: each may sleep, be killed or woken at any named point.

`python -m tests.crash.simulation --seconds 600 --seed 1` goes on for as long as asked; `--one` repeats one seed and shows
each step.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic

import duckdb

from prefect_sluice.domain.controls import ControlKind
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.generation import Cause
from prefect_sluice.promotions import controls
from prefect_sluice.runtime.faults import SLEEP, FaultPoint
from prefect_sluice.workspace.workspace import Workspace
from tests.crash.judged import Content, Judge, content
from tests.crash.watching import Ended, Nursery, is_locked, lease_runs_out, nursing, twin
from tests.policies import put_in_force

FENCED = {
    FaultPoint.DEPLOY_RELATIONS,
    FaultPoint.DEPLOY_VIEWS,
    FaultPoint.COLLECT_DROPPED,
}
"""Who sleeps there keeps both files locked: all others would only wait for it."""

COMMON = (
    FaultPoint.SOURCE_CHECKED_OUT,
    FaultPoint.BUILD_PLANNED,
    FaultPoint.STAGE_PREPARED,
    FaultPoint.STAGE_BUILT,
    FaultPoint.STAGE_JUDGED,
    FaultPoint.STAGE_RECORDED,
    FaultPoint.DEPLOY_INTENT,
    FaultPoint.DEPLOY_RELATIONS,
    FaultPoint.DEPLOY_VIEWS,
    FaultPoint.DEPLOY_FLIPPED,
    FaultPoint.DEPLOY_RECORDED,
    FaultPoint.MONITOR_JUDGED,
)
POINTS = {
    "release": (*COMMON, FaultPoint.TEST_JUDGED, FaultPoint.APPROVE_USED),
    "refresh": COMMON,
    "rollback": (
        FaultPoint.ROLLBACK_INTENT,
        FaultPoint.DEPLOY_RELATIONS,
        FaultPoint.ROLLBACK_FLIPPED,
        FaultPoint.ROLLBACK_HELD,
        FaultPoint.MONITOR_JUDGED,
    ),
    "collect": (
        FaultPoint.COLLECT_INTENT,
        FaultPoint.COLLECT_DROPPED,
        FaultPoint.COLLECT_COMMITTED,
        FaultPoint.COLLECT_FILES,
    ),
    "ask": (FaultPoint.STAGE_PREPARED, FaultPoint.STAGE_BUILT, FaultPoint.STAGE_RECORDED),
}
"""The actors, and where each may fall asleep."""

PASSES = {"LeaseHeld", "Skipped", "WarehouseBusy"}
"""How a command ends while another is at work, and is told so."""

LATE = {"LeaseLost", "EnvironmentMoved", "Stopped", "Refused", *PASSES}
"""How one may end that slept: what it had begun is not what is wanted any more."""


@dataclass
class Actor:
    """Somebody at work, asleep at a point. `may` is what a generation that he writes may hold."""

    what: str
    point: FaultPoint
    pid: int
    nursery: Nursery
    may: set[Content] = field(default_factory=set[Content])


class Simulation:
    """One history in one folder. Everything in it follows from the seed, but for what the machine's speed decides."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        nurseries: tuple[Nursery, Nursery],
        say: Callable[[str], object] = print,
    ) -> None:
        """Go on in `folder`, a copy of the scenario after its first release. `nurseries`: one who sleeps, one who works."""
        self.folder, self.random, self.say = folder, Random(seed), say
        self.dormitory, self.nursery = nurseries
        self.asleep: list[Actor] = []
        self.days, self.factor, self.held = 2, 1, False
        policy = "environments:\n  prod: {approvals: 1, keep: {generations: 2, age: 0s}}\n"
        put_in_force(folder, policy)
        self.judge = Judge(folder, content(1, 2))

    def play(self, rounds: int) -> None:
        """Play, and look after each step; settle at the end. Raises AssertionError where something does not hold."""
        try:
            for _ in range(rounds):
                self._world()
                self._round()
            self._settle()
        finally:
            for actor in self.asleep:
                os.kill(actor.pid, signal.SIGKILL)
                actor.nursery.answer()

    def _round(self) -> None:
        first = self._falls_asleep(self.random.choice([*POINTS, "release", "refresh"]), self.dormitory)
        if first is None:
            return
        if self._keeps_out(first):
            self._ends(first)
            return
        if first.what not in {"collect", "ask"} and self.random.random() < 0.6:
            lease_runs_out(self.folder)
            self.say("  the lease ran out")
        if self.random.random() < 0.4:
            self._hold()
        second = self.random.choice([name for name in POINTS if name != "ask"])
        other = self._falls_asleep(second, self.nursery) if self.random.random() < 0.5 else self._run(second)
        self._ends(first)
        if other is not None:
            self._ends(other)

    # ---- what happens in the world --------------------------------------------------------------------------

    def _world(self) -> None:
        """New orders, new code, code that nobody approves, or a night's load that is wrong."""
        match self.random.choice(["orders", "code", "both", "bad code", "bad load", "calm"]):
            case "orders":
                self._load()
            case "code":
                self._commit(self.factor + 1)
            case "both":
                self._load()
                self._commit(self.factor + 1)
            case "bad code":
                self._lift()
                self._commit(-1)
                self._run("ask")
                self._commit(self.factor + 1)
            case "bad load":
                self._spoiled()
            case _:
                self.say("nothing new")

    def _load(self) -> None:
        self.say(f"orders of day {self.days}")
        with duckdb.connect(str(self.folder / "shop.duckdb")) as connection:
            sql = "insert into raw.orders select i, {d}, i * 1.5 from range({d} * 10, {d} * 10 + 10) t(i)"
            connection.execute(sql.format(d=self.days))
        self.days += 1

    def _commit(self, factor: int) -> None:
        self.say(f"code with factor {factor}")
        path = self.folder / "models" / "revenue.sql"
        path.write_text(
            "{{ config(materialized='table') }}\n"
            f"select day, {factor} * sum(amount) as amount from {{{{ ref('orders') }}}} group by day\n"
        )
        subprocess.run(
            ["git", "commit", "-q", "--allow-empty", "-am", f"factor {factor}"], cwd=self.folder, check=True
        )
        if factor > 0:
            self.factor = factor

    def _spoiled(self) -> None:
        """Load a refund twice: a refresh has to be refused, and nobody ever reads it."""
        self._lift()
        file = str(self.folder / "shop.duckdb")
        with duckdb.connect(file) as connection:
            connection.execute("insert into raw.refunds values (1)")
        ended = self.nursery.run(self.folder, "refresh")
        self.say(f"a bad load: refresh ended {ended}")
        assert ended.code == 1, ended
        self._looks(set(), "refresh")
        with duckdb.connect(file) as connection:
            connection.execute("create or replace table raw.refunds as select 1 as id")

    def _hold(self) -> None:
        self.say("  prod is held")
        controls.place(Workspace.at(self.folder), ControlKind.HOLD, "prod", by="Linus", reason="simulated")

    def _lift(self) -> None:
        with suppress(Refused):
            controls.lift(Workspace.at(self.folder), "prod", by="Linus", reason="simulated")

    def _is_held(self) -> bool:
        return bool(controls.current(Workspace.at(self.folder)))

    # ---- what actors do -------------------------------------------------------------------------------------

    def _may(self, what: str) -> set[Content]:
        """Return what a generation may hold that this actor writes, if he begins now."""
        factor = self.judge.now[0]
        match what:
            case "release":
                return {(self.factor, self.days)}
            case "refresh":
                return {(factor, self.days)}
            case "rollback":
                return set(self.judge.contents.values())
            case _:
                return set()

    def _falls_asleep(self, what: str, nursery: Nursery) -> Actor | None:
        """Start an actor that is to sleep at a point; None when he never came there, and is done."""
        point = self.random.choice(POINTS[what])
        may, held, free = self._may(what), self._is_held(), not self.asleep
        ended = nursery.run(self.folder, what, SLEEP + point.value)
        if not ended.asleep:
            self.say(f"{what} did not come to {point.value}: {ended}")
            self._judged(what, ended, held=held, free=free)
            self._looks(may, what)
            return None
        self.say(f"{what} sleeps at {point.value}")
        actor = Actor(what, point, ended.asleep, nursery, may)
        self.asleep.append(actor)
        self._looks(may, what)
        return actor

    def _run(self, what: str) -> None:
        may, held, free = self._may(what), self._is_held(), not self.asleep
        ended = self.nursery.run(self.folder, what)
        self.say(f"{what}: {ended}")
        self._judged(what, ended, held=held, free=free)
        self._looks(may, what)

    def _judged(self, what: str, ended: Ended, *, held: bool, free: bool) -> None:
        """A command does what it is asked, or says which obstacle is in its way."""
        allowed = set[str]() if free else set(PASSES)
        if held and what in {"release", "refresh", "ask"}:
            allowed |= {"Skipped", "Stopped"}
        if what == "rollback":
            allowed |= {"Refused"}  # there may be nothing to go back to
        stays = what == "ask" and ended.code == 1  # nothing to ask for: it serves already
        assert ended.code == 0 or stays or ended.error in allowed, (what, ended, allowed)

    def _ends(self, actor: Actor) -> None:
        """Wake or kill who sleeps."""
        self.asleep.remove(actor)
        if self.random.random() < 0.5:
            self.say(f"{actor.what} is killed at {actor.point.value}")
            os.kill(actor.pid, signal.SIGKILL)
            assert actor.nursery.answer().code == -signal.SIGKILL
        else:
            os.kill(actor.pid, signal.SIGCONT)
            ended = actor.nursery.answer()
            self.say(f"{actor.what} wakes at {actor.point.value}: {ended}")
            assert ended.code == 0 or ended.error in LATE or ended.code == 1, (actor, ended)
        self._looks(actor.may, actor.what)

    def _keeps_out(self, actor: Actor) -> bool:
        return actor.point in FENCED or is_locked(self.folder / ".sluice" / "state.db")

    def _looks(self, may: set[Content], what: str) -> None:
        """Look at everything, unless who sleeps keeps the files locked."""
        if any(self._keeps_out(actor) for actor in self.asleep):
            return
        self.judge.looks(may, what)

    def _ages(self) -> None:
        """Let time go by: the collector leaves young files alone."""
        for path in (self.folder / ".sluice").rglob("*"):
            os.utime(path, (0, 0), follow_symlinks=False)

    def _settle(self) -> None:
        """Plain commands, one after the other, put everything in order."""
        self._lift()
        for what in ("release", "refresh", "collect"):
            if what == "collect":
                self._ages()
            ended = self.nursery.run(self.folder, what)
            self.say(f"at last {what}: {ended}")
            assert ended.code == 0, (what, ended)
            self._looks({(self.factor, self.days), (self.judge.now[0], self.days)}, what)
        assert self.judge.now == (self.factor, self.days), (self.judge.now, self.factor, self.days)
        self.judge.settled()


def play(released: Path, base: Path, seed: int, nurseries: tuple[Nursery, Nursery], rounds: int) -> None:
    """Play one seed in a copy of `released`. Raises AssertionError that names the seed and tells the schedule."""
    lines: list[str] = []
    folder = base / str(seed) / "shop"
    shutil.copytree(released, folder, symlinks=True)
    try:
        Simulation(folder, seed, nurseries, lines.append).play(rounds)
    except Exception as error:
        told = "\n".join(lines)
        again = f"PYTHONPATH=. python -P -m tests.crash.simulation --one --seed {seed} --rounds {rounds}"
        raise AssertionError(
            f"seed {seed}: {type(error).__name__}: {error}\n{told}\nrepeat: {again}"
        ) from error


def main() -> int:
    """Play seeds; 1 when one went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long to go on (default 600)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of one seed (default 4)")
    parser.add_argument("--one", action="store_true", help="play this one seed only, and show each step")
    chosen = parser.parse_args()
    until, seed, bad = monotonic() + chosen.seconds, chosen.seed, 0
    with tempfile.TemporaryDirectory(prefix="sluice-sim-") as base, nursing() as works, twin(works) as sleeps:
        released = Path(base) / "released" / "shop"
        works.scene("make", released)
        assert works.go(released, Cause.RELEASE) == 0
        while True:
            if chosen.one:
                folder = Path(base) / str(seed) / "shop"
                shutil.copytree(released, folder, symlinks=True)
                Simulation(folder, seed, (sleeps, works), lambda line: print(line, flush=True)).play(
                    chosen.rounds
                )
                break
            try:
                play(released, Path(base), seed, (sleeps, works), chosen.rounds)
                print(f"seed {seed} played", flush=True)
            except AssertionError as error:
                bad += 1
                print(error, flush=True)
            shutil.rmtree(Path(base) / str(seed), ignore_errors=True)
            seed += 1
            if monotonic() > until:
                break
    print(f"{seed - chosen.seed} seeds from {chosen.seed}: {bad} went wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
