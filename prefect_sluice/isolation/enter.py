"""How this process shuts itself in: namespaces, limits, Landlock. There is no way back, for it and all that it starts."""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prefect_sluice.isolation import kernel, landlock, namespaces
from prefect_sluice.isolation.sandbox import Limits, Protection, Sandbox


def enter(sandbox: Sandbox) -> Protection:
    """Shut this process in, as far as the system lets an account do that, and return how far that is. It must have one thread
    and hold no descriptor that the code is not to use: what is open stays open. Raises OSError where a rule that the kernel
    knows cannot be set: then the code must not run."""
    if not kernel.is_linux():
        _limit(sandbox.limits)
        return Protection(why="only Linux is known to isolate")
    _be_ended_first()
    no_namespaces = _tried(lambda: namespaces.enter(network=sandbox.network))
    no_covers = no_namespaces or _tried(lambda: namespaces.cover((*sandbox.read, *sandbox.write)))
    no_modes = no_namespaces or _tried(lambda: namespaces.write_only_below(sandbox.write))
    with suppress(OSError):  # an account without any has none to give up
        namespaces.give_up_capabilities()
    _limit(sandbox.limits)
    version = landlock.abi()
    if version < landlock.TRUNCATION_ABI:
        why = f"Landlock {landlock.TRUNCATION_ABI} is needed, and this kernel has {version or 'none'}"
        return Protection(why=why)
    landlock.restrict(sandbox.read, sandbox.write, network=sandbox.network or not no_namespaces)
    is_scoped = version >= landlock.SCOPE_ABI
    gaps = {
        f"no namespaces ({no_namespaces}): modes and times of files can be changed": no_namespaces,
        f"sockets in the file system can be reached ({no_covers})": no_covers and not no_namespaces,
        f"modes and times of files can be changed ({no_modes})": no_modes and not no_namespaces,
        f"Landlock {version} lets it signal processes of the same account": not is_scoped,
    }
    return Protection(
        files=True,
        network=sandbox.network or not no_namespaces or version >= landlock.TCP_ABI,
        signals=is_scoped,
        sockets=not no_covers,
        modes=not no_modes,
        why="; ".join(gap for gap, is_there in gaps.items() if is_there),
    )


def _tried(act: Callable[[], None]) -> str:
    """Return why it could not be done, "" where it was."""
    try:
        act()
    except OSError as error:
        return str(error)
    return ""


def _be_ended_first() -> None:
    """Have the kernel end this process, and what it starts, before any other one when the machine has no memory left."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _limit(limits: Limits) -> None:
    wanted = {
        resource.RLIMIT_CPU: limits.seconds,
        resource.RLIMIT_DATA: limits.memory,
        resource.RLIMIT_NPROC: limits.processes,
        resource.RLIMIT_FSIZE: limits.file_size,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in wanted.items():
        if most is not None:
            _, hard = resource.getrlimit(kind)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))
