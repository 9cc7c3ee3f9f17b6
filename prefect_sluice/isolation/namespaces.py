"""Namespaces: a process gets a network of its own, with nothing in it, and folders of sockets and temporary files of its own."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from prefect_sluice.isolation import kernel

_MOUNTS, _IPC, _USER, _NETWORK = 0x0002_0000, 0x0800_0000, 0x1000_0000, 0x4000_0000
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1
_NO_RIGHTS_BY_ROOT = 0b101111
"""Securebits: to be root gives no capabilities, and that cannot be undone (linux/securebits.h)."""
_CAPABILITY_VERSION = 0x2008_0522
_MOUNT_SETATTR, _HERE, _ALL_BELOW, _READ_ONLY = 442, -100, 0x8000, 1
_SHARE_OF_MEMORY, _MOST_FILES = "25%", 100_000
"""What an empty folder may hold, which lies in memory."""
COVERED = (Path("/run"), Path("/tmp"), Path("/dev/shm"))  # they are hidden, not written to
"""Folders in which other processes' sockets, temporary files and shared memory lie."""


def enter(*, network: bool) -> None:
    """Enter namespaces of one's own: users, mounts, shared memory and, unless `network`, the network with a loopback of its own.
    Of a process with one thread. Raises OSError where the system does not let an account do that."""
    user, group = os.getuid(), os.getgid()
    kinds = _USER | _MOUNTS | _IPC | (0 if network else _NETWORK)
    kernel.checked(kernel.libc().unshare(ctypes.c_int(kinds)), "unshare")
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    if not network:
        _switch_on_loopback()


def cover(keep: Iterable[Path]) -> None:
    """Lay empty folders over those of `COVERED`, with only what lies in them of `keep`. After `enter`. Raises OSError."""
    kept = sorted({path.resolve() for path in keep if path.exists()})
    for folder in COVERED:
        if folder.is_dir() and folder.resolve() == folder:
            _cover(folder, [path for path in kept if path.is_relative_to(folder) and path != folder])


def _cover(folder: Path, keep: list[Path]) -> None:
    held = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in keep]
    try:
        options = f"mode=1777,size={_SHARE_OF_MEMORY},nr_inodes={_MOST_FILES}"
        _mount("tmpfs", str(folder), "tmpfs", 0, options)
        for path, descriptor in held:
            if path.exists():  # below one that is there again
                continue
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            _mount(f"/proc/self/fd/{descriptor}", str(path), None, _BIND | _RECURSIVE)
    finally:
        for _, descriptor in held:
            os.close(descriptor)


def write_only_below(write: Iterable[Path]) -> None:
    """Make all folders read-only but those of `write`: modes, owners, times and attributes too, which Landlock does not look at.
    After `enter` and `cover`. Raises OSError where the kernel cannot do that (before Linux 5.12): then nothing is read-only."""
    # A device is written to on a read-only mount, too; its mode and its times are not for a change.
    kept = sorted({path.resolve() for path in write if path.is_dir() or path.is_file()})
    for path in kept:
        _mount(str(path), str(path), None, _BIND | _RECURSIVE)
    _set_attributes(Path("/"), _ALL_BELOW, to_set=_READ_ONLY)
    for path in kept:
        try:
            _set_attributes(path, _ALL_BELOW, to_clear=_READ_ONLY)
        except PermissionError:  # something below was read-only before, and stays
            _set_attributes(path, 0, to_clear=_READ_ONLY)
    os.chdir(Path.cwd())  # it was one of what lies below the new mounts


def _set_attributes(path: Path, flags: int, *, to_set: int = 0, to_clear: int = 0) -> None:
    attributes = struct.pack("=QQQQ", to_set, to_clear, 0, 0)
    kernel.system_call(
        _MOUNT_SETATTR,
        f"mount_setattr {path}",
        ctypes.c_int(_HERE),
        ctypes.c_char_p(bytes(path)),
        ctypes.c_uint(flags),
        ctypes.c_char_p(attributes),
        ctypes.c_size_t(len(attributes)),
    )


def give_up_capabilities() -> None:
    """Give up what root, or a namespace of one's own, lets a process do beyond an account's rights. Raises OSError."""
    kernel.prctl(kernel.SECURE_BITS, _NO_RIGHTS_BY_ROOT)
    header, none = struct.pack("=Ii", _CAPABILITY_VERSION, 0), bytes(24)
    kernel.checked(kernel.libc().capset(ctypes.c_char_p(header), ctypes.c_char_p(none)), "capset")


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    encoded = [text.encode() if text is not None else None for text in (source, target, kind, options)]
    origin, place, system, data = encoded
    kernel.checked(kernel.libc().mount(origin, place, system, ctypes.c_ulong(flags), data), f"mount {target}")


def _switch_on_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        request = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack("16xH14x", fcntl.ioctl(asking, _GET_FLAGS, request))
        fcntl.ioctl(asking, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _UP))
