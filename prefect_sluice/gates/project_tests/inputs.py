"""What a pytest suite can see without leaving its machine, as one digest: files, interpreter, packages, variables."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from prefect_sluice.domain.digests import Json, digest, digest_file

_FORM = 1
SECTIONS = {
    "pytest.ini": "",
    ".pytest.ini": "",
    "pyproject.toml": "[tool.pytest",
    "setup.cfg": "[tool:pytest]",
    "tox.ini": "[pytest]",
}
"""Files that configure pytest, and the text that says that a shared one does."""
_SHELL = frozenset(
    {"_", "PWD", "OLDPWD", "SHLVL", "TERM", "COLUMNS", "LINES", "SLUICE_ACTOR", "SLUICE_REPORTS_URL"}
)
"""Variables that differ from call to call and are nobody's settings; so are Prefect's own of a run."""


def inputs_digest(
    root: Path, project: Path, reads: Sequence[str], variables: Mapping[str, str], command: Sequence[str]
) -> str:
    """Return the digest of what decides a suite's answer.

    `root` is the checkout, `reads` patterns of paths in `project` (none: every file of the checkout counts); Python files,
    pytest's settings and what lies in `tests` count always. What stands elsewhere (the network, the clock, a service, files
    outside) is not seen. Raises OSError, and ValueError for a pattern that no file matches.
    """
    files = _matching(project, reads) if reads else dict(_below(root, root))
    kept = {
        name: value
        for name, value in variables.items()
        if name not in _SHELL and not name.startswith("PREFECT__")
    }
    return digest({
        "form": _FORM,
        "files": cast(Json, files),
        "reads": list(reads),
        "variables": cast(Json, kept),
        "python": [sys.version, platform.platform()],
        "packages": sorted(_packages()),
        "command": list(command),
    })  # fmt: skip


def _matching(project: Path, reads: Sequence[str]) -> Mapping[str, str]:
    found = dict(_below(project, project))
    named = {one: [name for name in found if _matches(name, one)] for one in reads}
    empty = next((one for one, names in named.items() if not names), "")
    if empty:
        raise ValueError(f"{empty!r} is no file of the project")
    wanted = {name for names in named.values() for name in names}
    return {name: told for name, told in found.items() if name in wanted or _always(name)}


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or name.startswith(f"{pattern.rstrip('/')}/")


def _always(name: str) -> bool:
    return name.endswith(".py") or name in SECTIONS or name.startswith("tests/")


def _below(folder: Path, root: Path) -> Iterator[tuple[str, str]]:
    """Yield each file's path and digest; linked folders (data that git does not track) are gone into once."""
    entered: set[Path] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = Path(place).resolve()
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if name not in {"__pycache__", ".git"})
        for name in files:
            path = Path(place, name)
            if path.is_file():
                yield path.relative_to(root).as_posix(), digest_file(path)


def _packages() -> Iterator[str]:
    """Yield each installed package with its version; of one that is installed from a folder, what stands there now."""
    for one in distributions():
        place = _editable(one)
        yield f"{one.name} {one.version} {_state(place) if place else ''}"


def _editable(package: Distribution) -> Path | None:
    text = package.read_text("direct_url.json")
    told: Any = json.loads(text) if text else {}
    if not told.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(str(told["url"])).path))


def _state(folder: Path) -> str:
    found: list[Json] = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        for name in files:
            if name.endswith(".py"):
                about = Path(place, name).stat()
                found.append([place, name, about.st_size, about.st_mtime_ns])
    return digest(sorted(found, key=str))
