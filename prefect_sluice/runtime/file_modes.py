"""Modes of Sluice's files: readable by their owner, and by the group of a team that shares the warehouse. Never by everybody."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

_OWNER, _GROUP, _OTHERS = 0o700, 0o070, 0o007


def keep_private(folder: Path, served: Iterable[Path]) -> None:
    """Make a folder of ours, or close one that is open to everybody: it is for its owner, and for the group that may write a
    served file.

    Whoever may not write the warehouse has no use for it, and finds candidates, evidence and approvals in it. What lies in it
    needs no rights of its own. Rights for a group, or by an access list, that somebody gave it stay. Repeatable.
    """
    is_new = not folder.exists()
    folder.mkdir(mode=_OWNER, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.geteuid() or not (is_new or status.st_mode & _OTHERS):
        return
    team = _team(served)
    if team not in (None, status.st_gid):
        with contextlib.suppress(PermissionError):
            os.chown(folder, -1, team)
    # A group that is not ours to give it to gets nothing.
    shared = team is not None and folder.stat().st_gid == team
    with contextlib.suppress(PermissionError):
        folder.chmod(_OWNER | (_GROUP | stat.S_ISGID if shared else 0))


def _team(served: Iterable[Path]) -> int | None:
    """Return the group of the first served file that its group may write, None where there is none."""
    for path in served:
        with contextlib.suppress(OSError):
            status = path.stat()
            if status.st_mode & stat.S_IWGRP:
                return status.st_gid
    return None


def make_private(folder: Path) -> None:
    """Make a folder, with those above it that are missing, open to its owner only; one that is there stays as it is.

    Raises OSError where it cannot be made, or something else stands there.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=_OWNER, exist_ok=True)


def follows(folder: Path, mode: int) -> int:
    """Return the mode of a file of ours in a folder: `mode`, for those only to whom the folder is open."""
    folder_mode = stat.S_IMODE(folder.stat().st_mode)
    # A class that may enter may read; the owner always.
    return mode & (0o700 | (0o070 if folder_mode & 0o010 else 0) | (0o007 if folder_mode & 0o001 else 0))


def made_private(file: Path) -> None:
    """Make an empty file for its owner, and for the group to whom its folder is open to write; one that is there stays."""
    folder_mode = stat.S_IMODE(file.parent.stat().st_mode)
    mode = 0o660 if folder_mode & 0o020 and not folder_mode & 0o007 else 0o600
    with contextlib.suppress(FileExistsError):
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.fchmod(handle, mode)
        finally:
            os.close(handle)
