"""The dbt packages of a release: local ones as links inside the release, installed ones by content. None is read from a
working tree once the release is packed, so that one release id stands for one set of bytes."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from prefect_sluice.config import yaml_file
from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.source import git
from prefect_sluice.source.git import TreeFile

FOLDER = "dbt_packages"
"""Where `dbt deps` installs, in the project's folder."""
_LISTS = ("packages.yml", "dependencies.yml")
_NEVER = frozenset({".git", "__pycache__"})
_AT_THE_TOP = frozenset({"target", "logs", FOLDER})
"""What dbt leaves in a project's folder when it runs there: no part of the package."""

Read = Callable[[str], str | None]
"""Returns the text of a release's file by its path in the repository, None where it has no such file."""


def names_packages(project: str, read: Read) -> bool:
    """Say whether the dbt project in the folder `project` of a release names any package that it is to be installed with."""
    return any(_listed(_joined(project, name), read) for name in _LISTS)


def packed(repository: Path, project: str, paths: Collection[str], read: Read) -> Iterator[TreeFile]:
    """Yield what a release of these `paths` needs below `dbt_packages`, as files of the repository.

    A package that the release itself holds (`local:` in packages.yml, or a link that `dbt deps` made to a folder of the
    repository) is a link to it; any other is taken from where it is installed, byte for byte. Nothing is yielded where
    the release holds `dbt_packages` itself. Raises Refused for a package with a link that leads out of it.
    """
    base = _joined(project, FOLDER)
    if any(path.startswith(f"{base}/") for path in paths):
        return
    own = _local(project, read)
    for name, folder in sorted(own.items()):
        yield _link(base, name, folder)
    installed = repository / base
    for package in sorted(installed.iterdir()) if installed.is_dir() else ():
        if package.name in own or not (package / "dbt_project.yml").is_file():
            continue
        place = _inside(package, repository) if package.is_symlink() else ""
        if place and any(path.startswith(f"{place}/") for path in paths):
            yield _link(base, package.name, place)
        elif not place or git.ignores(repository, place):
            yield from _content(package.resolve(), f"{base}/{package.name}")


def _local(project: str, read: Read) -> Mapping[str, str]:
    """Return the folder of each package that a project names by its path and the release holds, by the package's name;
    also of those that these name: dbt looks for all of them from the project's folder."""
    folders: dict[str, str] = {}
    todo = [project]
    while todo:
        folder = todo.pop()
        for package in (package for name in _LISTS for package in _listed(_joined(folder, name), read)):
            place = _joined(project, str(package.get("local") or "/"))
            name = str(_mapping(read(_joined(place, "dbt_project.yml"))).get("name") or "")
            if name and name not in folders:
                folders[name] = place
                todo.append(place)
    return folders


def _listed(path: str, read: Read) -> list[dict[str, Any]]:
    items = _mapping(read(path)).get("packages")
    return (
        [package for package in cast(list[Any], items) if isinstance(package, dict)]
        if isinstance(items, list)
        else []
    )


def _mapping(text: str | None) -> dict[str, Any]:
    try:
        document: Any = yaml_file.parsed(text or "", "")
    except BadInput:  # dbt says what is wrong with it
        return {}
    return cast(dict[str, Any], document) if isinstance(document, dict) else {}


def _joined(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


def _link(base: str, name: str, folder: str) -> TreeFile:
    return TreeFile(f"{base}/{name}", "link", posixpath.relpath(folder, base).encode())


def _inside(package: Path, repository: Path) -> str:
    """Return the path in the repository that an installed package is a link to, "" where it leads elsewhere."""
    target, top = package.resolve(), repository.resolve()
    return target.relative_to(top).as_posix() if target.is_relative_to(top) else ""


def _content(package: Path, base: str) -> Iterator[TreeFile]:
    for folder, names, files in os.walk(package):
        left_out = _NEVER | _AT_THE_TOP if Path(folder) == package else _NEVER
        names[:] = sorted(name for name in names if name not in left_out)
        linked = [name for name in names if Path(folder, name).is_symlink()]
        for name in sorted([*linked, *(name for name in files if name not in left_out)]):
            path = Path(folder, name)
            yield _file(path, package, f"{base}/{path.relative_to(package).as_posix()}")


def _file(path: Path, package: Path, place: str) -> TreeFile:
    if path.is_symlink() and not path.readlink().is_absolute() and path.resolve().is_relative_to(package):
        return TreeFile(place, "link", os.fsencode(path.readlink()))
    if not path.is_file():
        raise Refused(
            f"{place} leads out of its package, to {path.resolve()}", "install it anew: dbt clean && dbt deps"
        )
    return TreeFile(place, "755" if path.stat().st_mode & 0o100 else "644", path.read_bytes())
