"""A survey of a dbt project, from its files and from git, without dbt: what `sluice init` shows and writes settings for."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, cast

from prefect_sluice.cli.build_needs import BuildNeeds, build_needs
from prefect_sluice.cli.called_from import CalledFrom, called_from
from prefect_sluice.config import yaml_file
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.untrusted_text import is_text
from prefect_sluice.gates.lint.project_files import describe, folders
from prefect_sluice.gates.safety.hooks_outside import HOOKS, OutsideEffect, leaving
from prefect_sluice.source import git

_READS = frozenset({".csv", ".sql", ".py", ".yml", ".yaml", ".parquet", ".json"})
_PLACES = {
    "model-paths": "models",
    "seed-paths": "seeds",
    "snapshot-paths": "snapshots",
    "macro-paths": "macros",
}
_LISTS = ("packages.yml", "dependencies.yml")
_CALLING = (
    "Makefile", "justfile", "Taskfile.yml", "mise.toml", "tox.ini", ".env", ".gitlab-ci.yml", "azure-pipelines.yml",
    ".github/workflows/*.y*ml", ".circleci/config.yml", "bitbucket-pipelines.yml",
)  # fmt: skip
"""Where projects write down how dbt is called."""
_SQLFLUFF = {
    ".sqlfluff": "",
    "setup.cfg": "[sqlfluff",
    "tox.ini": "[sqlfluff",
    "pyproject.toml": "[tool.sqlfluff",
}


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found. `rules` is the file with sqlfluff's rules, "" for none, `linter` whether sqlfluff is installed;
    `packages` are those that are named, and `missing` whether none is installed; `ignored` are inputs that git leaves
    alone, by path in the repository, a folder where all of it is; `needs` is what its code reaches outside of it;
    `hooks` where dbt_project.yml runs statements, `leaving` what hooks do outside the warehouse; `calls` the file that has
    dbt called from the repository's top, with --project-dir, `called_from` what tells it by paths that are there only from
    above; `authors` the addresses of who committed, the most frequent first."""

    rules: str = ""
    linter: bool = False
    packages: tuple[str, ...] = ()
    missing: bool = False
    ignored: tuple[str, ...] = ()
    needs: BuildNeeds = field(default_factory=BuildNeeds)
    hooks: tuple[str, ...] = ()
    leaving: tuple[OutsideEffect, ...] = ()
    authors: tuple[str, ...] = ()
    calls: str = ""
    called_from: CalledFrom | None = None


def survey(project: Path, top: Path, targets: Iterable[Mapping[str, Any]] = ()) -> Survey:
    """Look at a dbt project's folder in the repository `top`, and the settings of its profile's targets. What cannot be read is
    left out: dbt says what is wrong with it."""
    packages, described, settings = _packages(project), describe(project), list(targets)
    return Survey(
        rules=_rules(project, top),
        linter=find_spec("sqlfluff") is not None,
        packages=packages,
        missing=bool(packages) and not any((project / "dbt_packages").glob("*/dbt_project.yml")),
        ignored=_ignored(project, top),
        needs=build_needs(project, top, settings),
        hooks=_hooks(described),
        leaving=leaving(project, top, described, _places(project, project)),
        authors=authors(top),
        calls=_calls(project, top),
        called_from=called_from(project, top, settings),
    )


def _calls(project: Path, top: Path) -> str:
    """Return the file that has dbt build a project below `top` from there; "" where none is found."""
    if project == top:
        return ""
    name = re.escape(project.relative_to(top).as_posix())
    dbt_call = r"DBT_PROJECT_DIR[\"']?\s*[:=]|dbt\s+(?:build|run|seed|test)\b[^\n]*--project-dir[ =]"
    says = re.compile(rf"\b(?:{dbt_call})\s*[\"']?(?:\./)?{name}/?(?![\w/-])")
    files = sorted(path for pattern in _CALLING for path in top.glob(pattern) if path.is_file())
    callers = (path for path in files if says.search(path.read_text("utf-8", errors="replace")))
    return next((path.relative_to(top).as_posix() for path in callers), "")


def authors(folder: Path) -> tuple[str, ...]:
    """Return the addresses of who committed the last 1,000 commits here, in small letters, the most frequent first."""
    addresses = _git(folder, "log", "--max-count=1000", "--format=%aE").casefold().split()
    listed = [address for address in addresses if is_text(address)]
    return tuple(sorted(set(listed), key=lambda address: (-listed.count(address), address)))


def unignored(file: Path, top: Path) -> str:
    """Return the path in the repository of a file that git would take along; "" where it is told not to, or is not in it."""
    if not file.is_relative_to(top):
        return ""
    path = file.relative_to(top).as_posix()
    return "" if git.ignores(top, path) or _git(top, "ls-files", "--", path) else path


def _rules(project: Path, top: Path) -> str:
    for folder in (project, *project.parents):
        for name, section in _SQLFLUFF.items():
            file = folder / name
            if file.is_file() and section in file.read_text("utf-8", errors="replace"):
                return file.relative_to(top).as_posix()
        if folder == top:
            break
    return ""


def _packages(project: Path) -> tuple[str, ...]:
    packages: list[str] = []
    for name in _LISTS:
        listed = _read(project / name).get("packages")
        for entry in cast("list[object]", listed) if isinstance(listed, list) else []:
            if isinstance(entry, dict):
                packages += [
                    str(value) for key, value in cast("dict[str, object]", entry).items() if key in _SOURCES
                ]
    return tuple(packages)


_SOURCES = frozenset({"package", "git", "local", "tarball"})


def _read(file: Path) -> Mapping[str, Any]:
    try:
        document: object = yaml_file.parsed(file.read_text("utf-8"), str(file)) if file.is_file() else None
    except (BadInput, OSError, ValueError):
        return {}
    return cast("Mapping[str, Any]", document) if isinstance(document, dict) else {}


def _ignored(project: Path, top: Path) -> tuple[str, ...]:
    """Return the inputs of dbt that git leaves alone, as far as they are there."""
    places = _places(project, top)
    if not places:
        return ()
    listed = _git(
        top, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory", "--", *places
    )
    names = {name.rstrip("/") for name in listed.split("\0") if is_text(name) and _is_input(top, name)}
    return tuple(
        sorted(name for name in names if not names & {str(up) for up in PurePosixPath(name).parents})
    )


def _places(project: Path, within: Path) -> list[str]:
    """Return the project's folders of code and seeds that exist, by their paths from `within`; those elsewhere are left out."""
    folders_named = [place for key, default in _PLACES.items() for place in folders(project, key, default)]
    there = [Path(os.path.normpath(place)) for place in folders_named]
    return [place.relative_to(within).as_posix() for place in there if place.is_relative_to(within)]


def _is_input(top: Path, name: str) -> bool:
    if not name or "__pycache__" in name:
        return False
    place = top / name
    files = place.rglob("*") if place.is_dir() else (place,)
    return any(PurePosixPath(file).suffix in _READS for file in files)


def _hooks(described: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the kinds of hooks that dbt_project.yml has, at whatever depth."""
    kinds: set[str] = set()
    todo: list[object] = [described]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            for key, value in cast("dict[object, object]", one).items():
                name = str(key).lstrip("+").replace("_", "-")
                if name in HOOKS and value:
                    kinds.add(name)
                todo.append(value)
    return tuple(name for name in HOOKS if name in kinds)


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return os.fsdecode(done.stdout)
