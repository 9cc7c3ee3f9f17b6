"""An error (no space left) at every named point, one after the other, then the command again: it ends as undisturbed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prefect_sluice.domain import ledger
from prefect_sluice.domain.generation import Cause
from prefect_sluice.runtime.faults import ERROR, FaultPoint
from prefect_sluice.workspace.workspace import Workspace
from tests.crash import test_collect, test_moving
from tests.crash.test_collect import full, undisturbed  # noqa: F401  # pyright: ignore[reportUnusedImport]  # fixtures
from tests.crash.test_every_point import CASES
from tests.crash.test_moving import Ways, public, ways  # noqa: F401  # pyright: ignore[reportUnusedImport]  # a fixture
from tests.crash.watching import Before, Nursery, end, serves

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(600)]

UNEXPECTED = 70
"""The exit code by which nursery.py tells an error."""


@dataclass(frozen=True)
class Walk:
    """One way in, struck at its points in order: in one folder for as long as its work is not done."""

    nursery: Nursery
    before: Callable[[FaultPoint], Path]
    """The repository just before the command that passes a point."""
    command: Cause | str
    look: Callable[[Path], Any]
    end: Callable[[Path], Any]
    undisturbed: Any
    looks: tuple[Any, ...]
    """What readers may see after an error: all of the old, or all of the new."""

    def through(self, points: tuple[FaultPoint, ...], base: Path) -> list[FaultPoint]:
        """Strike at each point; return those that a rerun did not pass, its work being done: each has been struck
        first thing in a folder of its own instead."""
        missed: list[FaultPoint] = []
        rest, turn = list(points), 0
        while rest:
            folder = base / str(turn) / "shop"
            shutil.copytree(self.before(rest[0]), folder, symlinks=True)
            struck = self._struck(folder, rest)
            assert struck, f"{rest[0]} is never reached, not even in a fresh folder"
            rest = [point for point in rest if point not in struck]
            missed += rest[:1]
            turn += 1
        return missed

    def _struck(self, folder: Path, points: list[FaultPoint]) -> list[FaultPoint]:
        struck: list[FaultPoint] = []
        for point in points:
            ended = self.nursery.run(folder, self.command, ERROR + point.value)
            if ended.code == 0:
                assert self.end(folder) == self.undisturbed
                return struck
            assert (ended.code, ended.error) == (UNEXPECTED, "OSError"), (point, ended)
            assert self.look(folder) in self.looks, point
            state_is_sound(folder)
            struck.append(point)
        assert self.nursery.go(folder, self.command) == 0
        assert self.end(folder) == self.undisturbed
        return struck


def state_is_sound(folder: Path) -> None:
    """The ledger is whole, and who failed gave its lease back."""
    store = Workspace.at(folder).store
    ledger.verify(store.entries())
    lease = store.lease("prod")
    store.close()
    assert lease is None


ROLLBACK = (
    FaultPoint.ROLLBACK_INTENT,
    FaultPoint.DEPLOY_RELATIONS,
    FaultPoint.DEPLOY_VIEWS,
    FaultPoint.DEPLOY_COMMITTED,
    FaultPoint.ROLLBACK_FLIPPED,
    FaultPoint.ROLLBACK_HELD,
    FaultPoint.MONITOR_JUDGED,
    FaultPoint.MONITOR_CLOSED,
)


def of(cause: Cause) -> tuple[FaultPoint, ...]:
    """Return the points of a way in, in the order in which it passes them."""
    here = {point for way, point in CASES if way is cause}
    order = ROLLBACK if cause is Cause.ROLLBACK else (FaultPoint.PROMOTE_COMPOSED, *FaultPoint)
    return tuple(dict.fromkeys(point for point in order if point in here))


DONE_BEFORE = {
    Cause.RELEASE: [FaultPoint.DEPLOY_FLIPPED, FaultPoint.DEPLOY_RECORDED],
    Cause.PROMOTION: [FaultPoint.DEPLOY_FLIPPED, FaultPoint.DEPLOY_RECORDED],
    Cause.REFRESH: [FaultPoint.DEPLOY_FLIPPED, FaultPoint.DEPLOY_RECORDED],
    Cause.ROLLBACK: [FaultPoint.ROLLBACK_FLIPPED, FaultPoint.ROLLBACK_HELD],
}
"""The points that a rerun passes no more after an error at the flip: what it wrote is recorded at the start then."""


def test_every_point_of_a_way_is_walked() -> None:
    for cause in DONE_BEFORE:
        assert set(of(cause)) == {point for way, point in CASES if way is cause}


@pytest.mark.parametrize(
    "cause",
    [pytest.param(cause, marks=pytest.mark.xdist_group(cause.value)) for cause in DONE_BEFORE],
)
def test_an_error_at_each_point_and_then_again(
    nursery: Nursery, before: Before, tmp_path: Path, cause: Cause
) -> None:
    """Whatever fails where: readers see old or new, and the same command, run again, ends as if nothing had been."""
    done = before.undisturbed(cause)
    looks = (serves(before.folder(cause)), done["serves"])
    walk = Walk(nursery, partial(before.near, cause), cause, serves, end, done, looks)
    assert walk.through(of(cause), tmp_path) == DONE_BEFORE[cause]


@pytest.mark.xdist_group("collect")
def test_an_error_at_each_point_of_a_collection(
    nursery: Nursery,
    full: Path,  # noqa: F811
    undisturbed: dict[str, Any],  # noqa: F811
    tmp_path: Path,
) -> None:
    looks = (undisturbed["reads"],)
    walk = Walk(nursery, lambda _: full, "collect", test_collect.reads, test_collect.end, undisturbed, looks)
    assert walk.through(test_collect.POINTS, tmp_path) == []


MOVES = {
    way: tuple(point for name, point in test_moving.CASES if name == way) for way, _ in test_moving.CASES
}


@pytest.mark.xdist_group("moving")
@pytest.mark.parametrize("way", MOVES)
def test_an_error_at_each_point_of_moving(ways: Ways, tmp_path: Path, way: str) -> None:  # noqa: F811
    """Adopting, leaving and publishing by a copy: the same."""
    undisturbed = test_moving.ended(ways.after(way), way)  # noqa: F811
    looks = (public(ways.before(way)), undisturbed["public"])

    def ended(folder: Path) -> dict[str, Any]:
        return test_moving.ended(folder, way)

    command = test_moving.command(way)
    walk = Walk(ways.nursery, lambda _: ways.before(way), command, public, ended, undisturbed, looks)
    assert walk.through(MOVES[way], tmp_path) == []
