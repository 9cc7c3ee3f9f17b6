"""Ignored inputs: files that the code reads and that are in the working tree only, since git does not track them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from glob import has_magic
from pathlib import Path, PurePosixPath

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.errors import BadInput, DbtFailed
from prefect_sluice.domain.node import Node
from prefect_sluice.source.relative_paths import is_there

_DBT_READS = frozenset({".csv", ".sql", ".py", ".yml", ".yaml", ".md"})
_NEVER = frozenset({".git", ".sluice", "target", "logs", "dbt_packages"})


def refuse(
    nodes: Mapping[str, Node],
    release: Path,
    tree: Path,
    project: str,
    included: Collection[str],
    made: Collection[str],
) -> None:
    """Raise BadInput for files that nodes open, and that are in the working tree only: it names the line of sluice.yml.

    `release` and `tree` are the dbt project's folder in the checkout and in the working tree, `project` its path from
    sluice.yml; `included` is what `source.include` names already, `made` are paths that the project itself writes.
    """
    readers: dict[str, list[str]] = {}
    for node in nodes.values():
        for path in node.files:
            if _is_left_out(path, release, tree) and path not in made:
                readers.setdefault(path, []).append(node.short)
    if not readers:
        return
    first, *more = sorted(readers)
    rest = count(len(more), "more file is read that is", "more files are read that are")
    others = f" (and {rest} not there)" if more else ""
    raise BadInput(
        f"{readers[first][0]} reads {first}, which is not in the release: git does not track it{others}",
        _path_of(nodes, readers[first][0]),
        f"commit it, or write in sluice.yml: {_line(readers, release, project, included)}",
    )


def explained(
    error: DbtFailed, release: Path, tree: Path, project: str, included: Collection[str]
) -> DbtFailed:
    """Return an error of dbt's with the line of sluice.yml to write, where what it misses is a file that git does not track."""
    words = set(re.findall(r"\w+", error.what))
    missing = [path for path in _untracked(release, tree) if PurePosixPath(path).stem in words]
    if not missing:
        return error
    line = _line(missing, release, project, included)
    what = f"{error.what} ({missing[0]} is not in the release: git does not track it)"
    return DbtFailed(what, error.where, f"commit it, or write in sluice.yml: {line}")


def _path_of(nodes: Mapping[str, Node], short: str) -> str:
    """Return the file of the node that people call so."""
    return next((node.path for node in nodes.values() if node.short == short), "")


def _is_left_out(path: str, release: Path, tree: Path) -> bool:
    if "://" in path or Path(path).is_absolute():
        return False
    return not is_there(path, release) and is_there(path, tree)


def _untracked(release: Path, tree: Path) -> Iterator[str]:
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree)
        if path.suffix in _DBT_READS and not _NEVER & {*name.parts} and not (release / name).exists():
            yield name.as_posix()


def _line(paths: Collection[str], release: Path, project: str, included: Collection[str]) -> str:
    """Return the line of sluice.yml that links these paths: the topmost folder of each that the release does not have."""
    tops = {posixpath.normpath(PurePosixPath(project) / _top(path, release)) for path in paths}
    return f"source: {{include: [{', '.join([*included, *sorted(tops)])}]}}"


def _top(path: str, release: Path) -> PurePosixPath:
    top = PurePosixPath()
    for part in PurePosixPath(path).parts:
        if has_magic(part):
            break
        top /= part
        if not (release / top).exists():
            break
    return top
