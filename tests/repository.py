"""A git repository that a test starts from."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path


def repository(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files into a folder, make it a git repository, and commit them. Returns the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder
