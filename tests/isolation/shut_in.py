"""Python code that runs shut in."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from prefect_sluice.isolation import run_command as module
from prefect_sluice.isolation.interpreter import DEVICES, readable
from prefect_sluice.isolation.run_command import Ended, reached, run_command
from prefect_sluice.isolation.sandbox import Limits, Sandbox

MISSING = reached().why
needs_landlock = pytest.mark.skipif(bool(MISSING), reason=f"this machine does not isolate: {MISSING}")


def run(folder: Path, code: str, *, seconds: float = 60, limits: Limits | None = None) -> tuple[Ended, str]:
    """Run Python code that may write below `folder`; return how it ended, and what it printed."""
    folder.mkdir(exist_ok=True)
    sandbox = Sandbox(readable(), (*DEVICES, folder), limits=limits or Limits())
    with (folder / "output").open("wb") as output:
        ended = run_command(
            [sys.executable, "-c", code],
            sandbox,
            folder=folder,
            variables={"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder)},
            output=output.fileno(),
            timeout=timedelta(seconds=seconds),
        )
    return ended, (folder / "output").read_text(encoding="utf-8")


NO_NAMESPACES = (
    "def none(**_): raise OSError(1, 'Operation not permitted')\n"
    "import prefect_sluice.isolation.namespaces as own; own.enter = none\n"
)
OLD = "import prefect_sluice.isolation.landlock as older; older.abi = lambda: 3\n"
KERNELS = {"this": "", "no namespaces": NO_NAMESPACES, "6.2": OLD, "6.2, no namespaces": NO_NAMESPACES + OLD}
"""What other machines lack is taken from the launcher, which is a process of its own."""


def pretend(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands run as on a machine of `KERNELS`."""
    imports, _, starts = module.LAUNCH.partition("from prefect_sluice")
    monkeypatch.setattr(module, "LAUNCH", f"{imports}\n{KERNELS[kernel]}from prefect_sluice{starts}")
