"""Kill -9 while a candidate goes to the store that machines share, then the same command on another machine."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from prefect_sluice.domain.generation import Cause
from tests.crash.test_every_point import SHARING
from tests.crash.watching import Before, Nursery, end, serves

# With the releases that are killed elsewhere: what is before them is prepared once.
pytestmark = [
    pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group(Cause.RELEASE.value),
]  # fmt: skip


def share(folder: Path, shared: Path) -> None:
    """Move the bundles to where other machines see them."""
    if not shared.exists():
        shutil.move(folder / ".sluice" / "bundles", shared)
    with (folder / "sluice.yml").open("a", encoding="utf-8") as file:
        file.write(f"bundles: file://{shared}\n")


@pytest.mark.parametrize("point", sorted(SHARING))
def test_killed_while_it_shares(nursery: Nursery, before: Before, tmp_path: Path, point: str) -> None:
    """The next run has neither the candidate of the dead one nor half of it, and ends as undisturbed."""
    folder, shared = tmp_path / "shop", tmp_path / "bundles"
    undisturbed = before.undisturbed(Cause.RELEASE)
    shutil.copytree(before.folder(Cause.RELEASE), folder, symlinks=True)
    share(folder, shared)
    old = serves(folder)
    assert nursery.run(folder, Cause.RELEASE, point).code == -signal.SIGKILL
    assert serves(folder) == old
    assert [path for path in (shared / "candidates").rglob("*") if path.is_file()]
    shutil.rmtree(folder / ".sluice" / "candidates")  # the dead one's disk is out of reach
    assert nursery.go(folder, Cause.RELEASE) == 0
    assert end(folder) == undisturbed
    assert not list((shared / "candidates").iterdir())
