"""The actor of a command, for the ledger: a name that is typed or read from the machine, and proves nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def actor(given: str, folder: Path) -> str:
    """Return the name given, else SLUICE_ACTOR, else git's user.name in the folder, else the login."""
    from prefect_sluice.runtime import process

    return given.strip() or os.environ.get("SLUICE_ACTOR", "") or _git_name(folder) or process.user()


def _git_name(folder: Path) -> str:
    try:
        command = ["git", "config", "user.name"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
    except OSError:  # no git, or no such folder: the command itself will say so
        return ""
    return done.stdout.strip()
