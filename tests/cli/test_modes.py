"""What others can read after a whole story of releases beside a private warehouse: what they could before, and no more."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Commit = Callable[..., None]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def usual_umask() -> Generator[None]:
    """The umask that most people have: what is made is readable by all."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> set[str]:
    """Return the files below a folder that another user can come to and read, or write."""
    found: set[str] = set()
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if Path(place, name).lstat().st_mode & stat.S_IXOTH]
        for name in files:
            path = Path(place, name)
            if not path.is_symlink() and path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
                found.add(path.relative_to(folder).as_posix())
    return found


def test_a_story_beside_a_private_warehouse(run: Run, commit: Commit, released: Path) -> None:
    """Released in place and by a copy, refused, waiting for an approval, refreshed, rolled back, reported, backed up."""
    (released / ".sluice").chmod(0o755)  # as an older version left it
    (released / "dev.duckdb").chmod(0o600)
    commit(released, "Mended", orders="select range as id, range * 9 as amount from range(30)\n")
    (released / "sluice.yml").write_text(
        (released / "sluice.yml").read_text().replace("patience: 1s", "patience: 1s, publish: copy")
    )
    assert run("release", "-C", released).code == 0
    before = {path for path in open_to_others(released) if not path.startswith(".git/")}
    commit(released, "Dearer", orders="select range as id, range * 11 as amount from range(30)\n")
    (released / "sluice.yml").write_text(
        (released / "sluice.yml").read_text().replace(", publish: copy", ", publish: in_place")
    )
    for command in (
        ["release"],
        ["refresh"],
        ["rollback", "--reason", "too dear"],
        ["backup", released / "state.backup"],
    ):
        answer = run(*command, "-C", released)
        assert answer.code == 0, answer.err
    assert {path for path in open_to_others(released) if not path.startswith(".git/")} == before
    assert not any("duckdb" in path or path.startswith(".sluice") for path in before)
    modes = {
        name: stat.S_IMODE((released / name).stat().st_mode)
        for name in (".sluice", "dev.duckdb", "state.backup")
    }
    assert modes == {".sluice": 0o700, "dev.duckdb": 0o600, "state.backup": 0o600}
