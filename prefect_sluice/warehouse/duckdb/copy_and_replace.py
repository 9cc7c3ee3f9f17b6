"""Copy-and-replace: a DuckDB file changed as a copy and put in its own place, so that no reader ever waits.

What must never happen is that rows which somebody writes meanwhile are lost. So the original is read-locked from before the
copy until after the replacement: DuckDB gives a writer the file only when nobody has such a lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import TypeVar

from prefect_sluice.domain.errors import Refused, WarehouseBusy
from prefect_sluice.runtime import faults
from prefect_sluice.warehouse.duckdb.errors import describe_holder

SUFFIX = ".sluice-copy"
_LOCK = ".sluice-lock"
_FICLONE = 0x40049409
_LOCK_FORMAT = "hhqqi4x"
"""`struct flock` of Linux: kind, from where it counts, start, length (0: to the end), process."""
_CHUNK = 64 * 1024 * 1024
_OR_IN_PLACE = "make room, or set warehouse.publish to in_place and close what reads the file"
_STEP = 0.01
_GRACE = 0.2
"""Seconds for which the replaced file stays locked: a writer that opened it before, and asks for its lock now, is refused."""

_Answer = TypeVar("_Answer")


def replaced(
    path: Path,
    write: Callable[[Path], _Answer],
    *,
    room: int = 0,
    patience: timedelta = timedelta(0),
) -> _Answer:
    """Copy `path`, have `write` change the copy, put the copy in its place, and return what `write` returned.

    `room` is what `write` will add, in bytes; `patience` how long to try while a writer has the file. A symbolic link
    stays one: what it leads to is replaced. Killed anywhere, the file is the old one or the new one, whole. Raises
    WarehouseBusy while another process writes the file, Refused when it cannot be copied or was changed all the same.
    """
    real = path.resolve()
    copy = real.parent / (path.name + SUFFIX)
    with _alone(real), _still(path, real, patience) as (original, unchanged):
        _remove(copy)
        try:
            _cloned(original, copy, room)
            faults.reach(faults.FaultPoint.COPY_MADE)
            answer = write(copy)
            sync(copy)
            unchanged()
            faults.reach(faults.FaultPoint.COPY_WRITTEN)
            copy.replace(real)
            sync(real.parent)
            faults.reach(faults.FaultPoint.COPY_REPLACED)
            threading.Event().wait(_GRACE)
        finally:
            _remove(copy)
    return answer


def obstacle(path: Path) -> str:
    """Return why a file cannot be replaced by a copy of it, "" when it can. Who holds it is not asked."""
    real = path.resolve()
    if sys.platform == "win32":
        return "this system has no locks that readers share"
    if not os.access(real.parent, os.W_OK):
        return f"the folder {real.parent} cannot be written to"
    if journal := journal_of(path, real):
        return f"{journal.name} beside it holds rows that are not in the file yet"
    if real.stat().st_nlink > 1:
        return "it has more than one name (hard links), and the others would stay with the old rows"
    found = real.stat()
    if found.st_uid != os.geteuid() and os.geteuid() != 0:
        return "it belongs to another user, and a copy would not"
    if os.geteuid() != 0 and found.st_gid not in {os.getegid(), *os.getgroups()}:
        return "its group is none of yours, and a copy would be open to another one"
    return ""


def shares_blocks(path: Path) -> bool:
    """Say whether the file system can copy the file at no cost. Tries it, and leaves nothing behind."""
    import fcntl

    real = path.resolve()
    try:
        # A name of its own, gone at once: one that is known beforehand could be another's link.
        with real.open("rb") as original, tempfile.TemporaryFile(dir=real.parent) as target:
            fcntl.ioctl(target.fileno(), _FICLONE, original.fileno())
    except OSError:
        return False
    return True


def tidy(path: Path) -> None:
    """Remove the copy and the lock that a killed publish left, unless one is being made right now."""
    real = path.resolve()
    if any(
        place.exists() for place in (real.parent / (path.name + SUFFIX), real.with_name(real.name + _LOCK))
    ):
        with contextlib.suppress(WarehouseBusy), _alone(real):
            _remove(real.parent / (path.name + SUFFIX))


@contextmanager
def _alone(real: Path) -> Generator[None]:
    """Keep a second publish by copy away: the later of the two replacements would undo the other."""
    import fcntl

    place = real.with_name(real.name + _LOCK)
    lock = _opened(place, stat.S_IMODE(real.stat().st_mode) & 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not place.exists() or os.fstat(lock).st_ino != place.stat().st_ino:
            raise BlockingIOError  # it was another's, who has just removed it
        try:
            yield
        finally:
            place.unlink(missing_ok=True)
    except BlockingIOError as error:
        raise WarehouseBusy(str(real), "another publish") from error
    finally:
        os.close(lock)


def _opened(place: Path, mode: int) -> int:
    """Return a descriptor of a lock's file, which whoever may have the warehouse may have, too. Raises Refused for a link
    (what it leads to is none of ours), and for a file that is not open to us."""
    try:
        with contextlib.suppress(FileExistsError):
            made = os.open(place, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.fchmod(made, mode | 0o600)
            return made
        return os.open(place, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        why = "is a link" if place.is_symlink() else f"cannot be opened ({error.strerror})"
        raise Refused(
            f"{place}, the lock of publishes by copy, {why}", "see whose it is, and take it away"
        ) from error


@contextmanager
def _still(path: Path, real: Path, patience: timedelta) -> Generator[tuple[int, Callable[[], None]]]:
    """Give the original as a descriptor that keeps writers out, and a check that nothing changed it all the same."""
    original = locked(path, real, patience)
    try:
        if why := obstacle(path):
            raise Refused(
                f"{path} cannot be published by a copy: {why}", "close what holds it, and run it again"
            )
        seen = identity(os.fstat(original))

        def unchanged() -> None:
            if identity(real.stat()) != seen or journal_of(path, real):
                raise Refused(
                    f"{path} was changed while it was copied; nothing was published",
                    "run the command again: it plans anew",
                )

        unchanged()
        yield original, unchanged
    finally:
        os.close(original)


def identity(found: os.stat_result) -> tuple[int, int, int, int]:
    """Return what tells a file from the one that replaces it, and from itself once it was written to."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def locked(path: Path, real: Path, patience: timedelta) -> int:
    """Return a descriptor of the file that keeps writers out. Raises WarehouseBusy when one has it for longer than `patience`."""
    deadline = monotonic() + patience.total_seconds()
    while True:
        original = os.open(real, os.O_RDONLY)
        try:
            _keep_writers_out(original)
            return original
        except OSError as error:
            holder = _writer_of(original)
            os.close(original)
            if monotonic() > deadline:
                raise WarehouseBusy(str(path), holder) from error
            threading.Event().wait(_STEP)


def _writer_of(original: int) -> str:
    """Return who keeps the read lock from us, in words: by its number where the system tells it."""
    import fcntl
    import struct

    if sys.platform == "linux":
        lock = struct.pack(_LOCK_FORMAT, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        with contextlib.suppress(OSError):
            kind, *_, pid = struct.unpack(_LOCK_FORMAT, fcntl.fcntl(original, fcntl.F_GETLK, lock))
            if kind != fcntl.F_UNLCK and pid > 0:  # 0: a process of another container
                return describe_holder(pid, _program(pid))
    return "a process that writes it"


def _program(pid: int) -> str:
    with contextlib.suppress(OSError):  # another user's process does not tell
        return str(Path(f"/proc/{pid}/exe").readlink())
    return ""


def _keep_writers_out(original: int) -> None:
    """Take the lock that DuckDB's readers take. Raises OSError while a writer has the file."""
    import fcntl

    # Two locks. The first lets DuckDB tell a writer who we are, but ends when any connection of this process
    # to the file is closed; the second, where there is such a thing, ends with our descriptor only.
    fcntl.lockf(original, fcntl.LOCK_SH | fcntl.LOCK_NB)
    if sys.platform == "linux":
        import struct

        whole = struct.pack(_LOCK_FORMAT, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(original, fcntl.F_OFD_SETLK, whole)


def journal_of(path: Path, real: Path) -> Path | None:
    """Return DuckDB's journal of the file, if there is one: it lies beside the name by which the file was opened."""
    for name in (path, real):
        journal = name.with_name(name.name + ".wal")
        if journal.exists() and journal.stat().st_size:
            return journal
    return None


def _cloned(original: int, copy: Path, room: int) -> None:
    """Copy the bytes. Rights and owner are those of the original."""
    target = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fill(original, target, copy.parent, room, fix=_OR_IN_PLACE)
        share_as(original, target)
    finally:
        os.close(target)


def fill(original: int, target: int, folder: Path, room: int = 0, *, fix: str = "make room") -> None:
    """Copy the bytes of one descriptor to another, at no cost where the file system can share them. Raises Refused, with `fix`,
    where `folder` has no room for them and for `room` bytes more."""
    import fcntl

    size = os.fstat(original).st_size
    try:
        fcntl.ioctl(target, _FICLONE, original)
    except OSError:
        _has_room(folder, size + room, fix)
        _copied(original, target, size)


def share_as(original: int, target: int) -> None:
    """Give the copy the owner, group, rights, access lists and extended attributes of the original. Raises Refused where one
    cannot be given: the copy would be open to others."""
    found = os.fstat(original)
    try:
        made = os.fstat(target)
        if (found.st_uid, found.st_gid) != (made.st_uid, made.st_gid):
            os.fchown(target, found.st_uid, found.st_gid)
        os.fchmod(target, found.st_mode & 0o7777)
        # After the rights, which would change an access list.
        for name in _attributes(original):
            if not name.startswith("security."):  # the system gives its own
                os.setxattr(target, name, os.getxattr(original, name))
    except OSError as error:
        raise Refused(
            f"the copy of the warehouse cannot have its owner, group, rights or attributes ({error.strerror})",
            "set warehouse.publish to in_place, or publish as the user whose file it is",
        ) from error


def _attributes(original: int) -> list[str]:
    """Return the names of a file's extended attributes, its access list among them; none where there are no such things."""
    if not hasattr(os, "listxattr"):
        return []
    try:
        return os.listxattr(original)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise


def _has_room(folder: Path, needed: int, fix: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Refused(
            f"a copy of the warehouse needs {needed / 1e6:.0f} MB in {folder}, and {free / 1e6:.0f} MB are free",
            fix,
        )


def _copied(original: int, target: int, size: int) -> None:
    done = 0
    while done < size:
        chunk = os.pread(original, min(_CHUNK, size - done), done)
        if not chunk:
            break
        at = 0
        while at < len(chunk):
            at += os.pwrite(target, chunk[at:], done + at)
        done += len(chunk)


def sync(place: Path) -> None:
    """Have a file, or what a folder lists, written to the disk."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(copy: Path) -> None:
    copy.unlink(missing_ok=True)
    copy.with_name(copy.name + ".wal").unlink(missing_ok=True)
