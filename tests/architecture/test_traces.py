"""No file tells on which machine it was written, or which package registry that machine used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Put together here, so that this file does not hold what it looks for.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("conda", "anaconda", "org"),
        ("crates", "io"),
    )
)
INDEX_VARIABLES = (
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_URL",
)
COMMON = ("/", "/app", "/home", "/opt", "/srv", "/usr", "/usr/local", "/tmp", "/var", tempfile.gettempdir())
"""Folders that documentation may speak of, whatever machine it was written on."""


def folders_of_this_machine() -> tuple[str, ...]:
    """Return the folders that would tell where a file was written: the checkout, the home, Python's own."""
    folders = {ROOT, ROOT.parent, Path.home(), Path(sys.prefix), Path(sys.base_prefix)}
    return tuple(sorted(f"{folder}/" for folder in folders if str(folder) not in COMMON))


def leaks(text: str, places: Sequence[str]) -> list[str]:
    """Return the hosts of registries and the places of this machine in `text`."""
    hosts = [host for host in REGISTRIES if host in text]
    return hosts + [
        environment for environment in places if re.search(rf"(?<![\w.~}}-]){re.escape(environment)}", text)
    ]


def files() -> list[Path]:
    """Return every file that git holds, or would hold after `git add --all`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file() and not path.is_symlink()]


def test_no_file_holds_a_registry_or_a_path_of_this_machine() -> None:
    indexes = [value for name in INDEX_VARIABLES for value in os.environ.get(name, "").split()]
    places = (*folders_of_this_machine(), *indexes)
    found = [
        f"{path.relative_to(ROOT)}: {leak}"
        for path in files()
        for leak in leaks(path.read_text(encoding="utf-8", errors="replace"), places)
    ]
    assert not found, "\n".join(found)


def test_the_lock_holds_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert not re.search(r"^-", lock, re.MULTILINE)


def test_a_planted_leak_is_found() -> None:
    assert leaks(f"pip install -i https://{REGISTRIES[0]}/simple x", ()) == [REGISTRIES[0]]
    assert leaks(f"see '{ROOT}/x.py'", (f"{ROOT}/",)) == [f"{ROOT}/"]


def test_a_like_path_is_not_a_leak() -> None:
    assert leaks("see ~/there/x, some/there/x, ${HOME}/there/x and /there-2/x", ("/there/",)) == []
