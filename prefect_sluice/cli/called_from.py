"""The folder in which dbt is called, as the relative paths in a project's code and profile tell: they start there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path, PurePosixPath
from typing import Any, cast

from prefect_sluice.cli.build_needs import project_texts
from prefect_sluice.source.relative_paths import folder_above, is_there

_OPENED = re.compile(
    r"""(?:\bread_\w+\s*\(\s*\[?\s*|\b(?:glob|open)\s*\(\s*|\bfrom\s+|\battach\s+(?:database\s+)?(?:if\s+not\s+exists\s+)?)"""
    r"""(['"])(?P<path>[^\n]+?)\1""",
    re.IGNORECASE,
)
_LOCATION = re.compile(
    r"""\bexternal_location\s*[:=]\s*(['"]?)(?P<path>[^\n(]+?)\1\s*$""", re.IGNORECASE | re.MULTILINE
)
_DEFAULT = re.compile(r"""\{\{-?\s*(?:env_)?var\(\s*['"][^'"]*['"]\s*,\s*['"]([^'"]*)['"]\s*\)\s*-?\}\}""")
_RENDERED = re.compile(r"\{\{.*?\}\}")
_FORMATTED = re.compile(r"\{[^{}]*\}")
_SCHEME = re.compile(r"^(?:(?:ducklake|duckdb|sqlite):)*", re.IGNORECASE)
_ELSEWHERE = re.compile(r"^[/~]|^\w+:|^$")
_PACKAGES, _PROFILE = "dbt_packages", "profiles.yml"


@dataclass(frozen=True, slots=True)
class CalledFrom:
    """A folder above the project, a path that is there from it and not from the project's folder, and the file that names it."""

    folder: Path
    path: str
    named_in: str


def called_from(project: Path, top: Path, targets: Iterable[Mapping[str, Any]] = ()) -> CalledFrom | None:
    """Return where dbt is called, where that is above the project's folder in the repository `top`. `targets` are the settings of
    its profile's. None where one path is there from the project's folder, and where nothing tells, not even a profile above."""
    readers = {path: name for name, path in (*_paths_in_code(project), *_paths_of(targets))}
    above = folder_above(readers, project, top)
    if above is None and not any(is_there(path, project) for path in readers):
        above = folder_above([_PROFILE], project, top)  # dbt looks for it where it is called
    return CalledFrom(*above, readers.get(above[1], "dbt")) if above else None


def _paths_in_code(project: Path) -> Iterator[tuple[str, str]]:
    """Yield each relative path that code of the project opens, after the file that names it. Programs beside it are no models,
    and may be called elsewhere; texts of packages say nothing of this project."""
    for name, text in project_texts(project):
        is_program = name.endswith(".py") and "def model(" not in text
        if is_program or PurePosixPath(name).parts[0] == _PACKAGES:
            continue
        rendered = _RENDERED.sub("*", _DEFAULT.sub(r"\1", text))
        for pattern in (_OPENED, _LOCATION):
            for match in pattern.finditer(rendered):
                path = _FORMATTED.sub("*", match["path"].strip())
                if _is_relative(path):
                    yield name, path


def _paths_of(targets: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the targets' own files, which are where dbt was called before, and those that they attach."""
    for settings in targets:
        attached = cast("list[Any]", settings.get("attach") or [])
        for entry in (settings, *attached):
            place = cast("dict[str, Any]", entry).get("path", "") if isinstance(entry, Mapping) else entry
            path = _SCHEME.sub("", str(place))
            if _is_relative(path):
                yield _PROFILE, path


def _is_relative(path: str) -> bool:
    """Say whether a path is one from the folder in which dbt is called, and names something of its own there."""
    first = next((part for part in PurePosixPath(path).parts if part != ".."), "")
    is_named = "/" in path or "." in path.strip(".")  # a single word in quotes is a table's name, most often
    return bool(first) and is_named and not has_magic(first) and not _ELSEWHERE.search(path)
