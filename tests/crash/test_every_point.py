"""Kill -9 at every named point, then the same command again: the end is the same as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.domain.generation import Cause
from prefect_sluice.runtime.faults import FaultPoint
from tests.crash.watching import Before, Nursery, asleep, end, lease_runs_out, ledger_of, serves

ROLLBACK = {FaultPoint.ROLLBACK_INTENT, FaultPoint.ROLLBACK_FLIPPED, FaultPoint.ROLLBACK_HELD}
PROMOTION = {FaultPoint.PROMOTE_COMPOSED}
PARTIAL = {FaultPoint.STAGE_REDUCED}
MOVING = {
    FaultPoint.DEPLOY_ADOPTED,
    FaultPoint.COPY_MADE,
    FaultPoint.COPY_WRITTEN,
    FaultPoint.COPY_REPLACED,
    FaultPoint.LEAVE_WRITTEN,
    FaultPoint.LEAVE_DONE,
}
"""Points of adopting, leaving and publishing by a copy: `test_moving` tries them."""
COLLECT = {
    FaultPoint.COLLECT_INTENT,
    FaultPoint.COLLECT_DROPPED,
    FaultPoint.COLLECT_COMMITTED,
    FaultPoint.COLLECT_FILES,
}
"""Points of `sluice collect`, which `test_collect` kills: nothing is promoted there."""
SHARING = {FaultPoint.STAGE_SHARING, FaultPoint.STAGE_SHARED}
"""Points of a candidate that goes to a shared store: `test_shared` tries them."""
KEPT = {FaultPoint.APPROVE_KEPT}
"""Point of a yes that outlives a refresh: `tests/approvals/test_kept_yes.py` tries it."""
PREVIEW = {FaultPoint.PREVIEW_INTENT, FaultPoint.PREVIEW_SHOWN, FaultPoint.PREVIEW_GONE}
"""Points of what a check is shown in, and of its end: `tests/cli/test_preview.py` tries them."""
ELSEWHERE = PREVIEW | MOVING | COLLECT | PARTIAL | SHARING | KEPT
NOT_IN_REFRESH = (
    {FaultPoint.BUILD_PACKED, FaultPoint.TEST_JUDGED, FaultPoint.APPROVE_RECORDED, FaultPoint.APPROVE_USED}
    | ROLLBACK
    | PROMOTION
)

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300, func_only=True)]


CASES = [
    *((Cause.RELEASE, point) for point in FaultPoint if point not in ROLLBACK | PROMOTION | ELSEWHERE),
    *((Cause.PROMOTION, point) for point in FaultPoint if point not in ROLLBACK | ELSEWHERE),
    *((Cause.REFRESH, point) for point in FaultPoint if point not in NOT_IN_REFRESH | ELSEWHERE),
    (Cause.CHECK, FaultPoint.STAGE_JUDGED),
    *(
        (Cause.ROLLBACK, point)
        for point in (
            *sorted(ROLLBACK),
            FaultPoint.DEPLOY_RELATIONS,
            FaultPoint.DEPLOY_VIEWS,
            FaultPoint.DEPLOY_COMMITTED,
            FaultPoint.MONITOR_JUDGED,
            FaultPoint.MONITOR_CLOSED,
        )
    ),
]


@pytest.mark.parametrize(
    ("cause", "point"),
    [
        # In one process by way in: what is before it is prepared once.
        pytest.param(
            cause, point, id=f"{cause.value}-{point.value}", marks=pytest.mark.xdist_group(cause.value)
        )
        for cause, point in CASES
    ],
)
def test_killed_there_and_run_again(
    nursery: Nursery,
    before: Before,
    tmp_path: Path,
    cause: Cause,
    point: FaultPoint,
) -> None:
    """The process dies at the point (not elsewhere, not never); readers then see old or new; the rerun ends as undisturbed,
    and leaves no journal beside the warehouse: a plain copy of the file has everything."""
    folder = tmp_path / "shop"
    undisturbed = before.undisturbed(cause)
    shutil.copytree(before.near(cause, point), folder, symlinks=True)
    old = serves(folder)
    assert nursery.go(folder, cause, point) == -signal.SIGKILL
    assert serves(folder) in (old, undisturbed["serves"])
    assert nursery.go(folder, cause) == 0
    assert not list(folder.rglob("*.duckdb.wal"))
    assert end(folder) == undisturbed


@pytest.mark.xdist_group(Cause.RELEASE.value)
def test_a_journal_that_a_reader_keeps_is_left_to_the_next_command(
    nursery: Nursery, before: Before, tmp_path: Path
) -> None:
    """The rerun ends all the same; the one after it finds nothing to do, and writes the journal into the file."""
    folder, point = tmp_path / "shop", FaultPoint.DEPLOY_COMMITTED
    shutil.copytree(before.near(Cause.RELEASE, point), folder, symlinks=True)
    assert nursery.go(folder, Cause.RELEASE, point) == -signal.SIGKILL
    journal = folder / "shop.duckdb.wal"
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True):
        assert nursery.go(folder, Cause.RELEASE) == 0
        assert journal.stat().st_size
    assert nursery.go(folder, Cause.RELEASE) == 0
    assert not journal.exists()
    assert end(folder) == before.undisturbed(Cause.RELEASE)


@pytest.fixture(scope="session")
def spoiled(nursery: Nursery, released: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A repository before a refresh of which a part fails and the rest is published; and its undisturbed end."""
    folder = tmp_path_factory.mktemp("spoiled") / "shop"
    shutil.copytree(released, folder, symlinks=True)
    nursery.scene("spoil", folder)
    copy = tmp_path_factory.mktemp("partly") / "shop"
    shutil.copytree(folder, copy, symlinks=True)
    assert nursery.go(copy, Cause.REFRESH) == 0
    found = end(copy)
    assert found["serves"]["number"] == [(2,)]
    assert found["serves"]["rows"]["main.refunds"] == ["(1,)"]
    return folder, found


@pytest.mark.xdist_group(Cause.REFRESH.value)
@pytest.mark.parametrize("point", [*sorted(PARTIAL), FaultPoint.STAGE_RECORDED, FaultPoint.DEPLOY_FLIPPED])
def test_killed_while_a_part_is_published(
    nursery: Nursery, spoiled: tuple[Path, Any], tmp_path: Path, point: FaultPoint
) -> None:
    """The rerun goes on with what is left, and does not take up what failed."""
    before, undisturbed = spoiled
    folder = tmp_path / "shop"
    shutil.copytree(before, folder, symlinks=True)
    old = serves(folder)
    assert nursery.go(folder, Cause.REFRESH, point) == -signal.SIGKILL
    assert serves(folder) in (old, undisturbed["serves"])
    assert nursery.go(folder, Cause.REFRESH) == 0
    assert end(folder) == undisturbed


def test_every_point_is_tried() -> None:
    """A new point gets its crash test by being there."""
    assert {point for _, point in CASES} | ELSEWHERE == set(FaultPoint)


SLEEPERS = [
    (Cause.RELEASE, FaultPoint.STAGE_BUILT),
    (Cause.RELEASE, FaultPoint.DEPLOY_INTENT),
    (Cause.RELEASE, FaultPoint.DEPLOY_FLIPPED),
    (Cause.REFRESH, FaultPoint.DEPLOY_INTENT),
    (Cause.ROLLBACK, FaultPoint.ROLLBACK_INTENT),
    (Cause.ROLLBACK, FaultPoint.ROLLBACK_FLIPPED),
]


@pytest.mark.parametrize(
    ("cause", "point"),
    [
        pytest.param(
            cause, point, id=f"{cause.value}-{point.value}", marks=pytest.mark.xdist_group(cause.value)
        )
        for cause, point in SLEEPERS
    ],
)
def test_who_slept_past_the_lease_writes_nothing(
    nursery: Nursery,
    dormitory: Nursery,
    before: Before,
    tmp_path: Path,
    cause: Cause,
    point: FaultPoint,
) -> None:
    """A real process, stopped (SIGSTOP) until its lease ran out and another did its work: woken, it changes nothing more."""
    folder, pid = asleep(dormitory, before.near(cause, point), tmp_path, cause, point)
    try:
        lease_runs_out(folder)
        assert nursery.go(folder, cause) == 0
        done, entries = end(folder), len(ledger_of(folder))
        assert done == before.undisturbed(cause)
    except BaseException:
        os.kill(pid, signal.SIGKILL)  # or the dormitory would wait for it for ever
        raise
    assert dormitory.wake(pid) == 70  # LeaseLost, as nursery.py tells any error
    assert end(folder) == done
    assert len(ledger_of(folder)) == entries
