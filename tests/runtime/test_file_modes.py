"""Who may read what Sluice keeps, beside a warehouse that is private, shared by a team, or open to all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from prefect_sluice.runtime import file_modes
from prefect_sluice.state.bundles import BundleStore
from prefect_sluice.state.store import StateStore


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def usual_umask() -> object:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize(
    ("served", "expected"), [(0o600, 0o700), (0o640, 0o700), (0o644, 0o700), (0o660, 0o2770), (0o664, 0o2770)]
)
@pytest.mark.parametrize("before", [None, 0o755, 0o777])
def test_the_folder_is_for_those_who_may_write_the_warehouse(
    tmp_path: Path, served: int, expected: int, before: int | None
) -> None:
    file, folder = tmp_path / "shop.duckdb", tmp_path / ".sluice"
    file.touch()
    file.chmod(served)
    if before is not None:
        folder.mkdir()
        folder.chmod(before)
    file_modes.keep_private(folder, [tmp_path / "missing", file])
    file_modes.keep_private(folder, [file])
    assert (mode(folder), folder.stat().st_gid) == (expected, file.stat().st_gid)


def test_rights_that_somebody_gave_stay(tmp_path: Path) -> None:
    """A web server in a group of its own, for one, that shows the pages of reports."""
    folder = tmp_path / ".sluice"
    folder.mkdir()
    folder.chmod(0o750)
    file_modes.keep_private(folder, [])
    assert mode(folder) == 0o750


def test_a_state_store_elsewhere_is_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    StateStore.open(str(tmp_path / "new" / "state.db")).close()
    StateStore.open(str(tmp_path / "state.db")).close()
    assert (mode(tmp_path / "new"), mode(tmp_path / "state.db")) == (0o700, 0o600)
    assert mode(tmp_path / "new" / "state.db") == 0o600


@pytest.mark.parametrize(("folder", "file"), [(None, 0o400), (0o750, 0o440), (0o755, 0o444)])
def test_bundles_elsewhere_are_as_open_as_their_folder(tmp_path: Path, folder: int | None, file: int) -> None:
    place = tmp_path / "bundles"
    if folder is not None:
        place.mkdir()
        place.chmod(folder)
    key = BundleStore(str(place)).put(b"rows")
    assert mode(place) == (folder or 0o700)
    assert mode(place / key[:2]) == mode(place)
    assert mode(place / key[:2] / key) == file
