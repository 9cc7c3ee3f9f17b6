"""What a dbt project's files say that a template needs to render: macros, its packages' included, and variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from prefect_sluice.config import yaml_file
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.untrusted_text import parsing
from prefect_sluice.warehouse.engines import ASSUMED, functions

_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_MACRO = re.compile(r"\{%[-+]?\s*macro\s+(\w+)\s*\(.*?\{%[-+]?\s*endmacro\s*[-+]?%\}", re.DOTALL)

Macros = Mapping[str, str]
"""Texts of macros by name, each from `macro` to `endmacro`."""


@dataclass(frozen=True, slots=True)
class Package:
    """The project or one of its packages: its macros, and the variables that its own dbt_project.yml gives."""

    macros: Macros = field(default_factory=dict[str, str])
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class TemplateProject:
    """A dbt project as templates see it. `packages` are by name, the project itself is `project`; `given` are the
    variables that stand above those of any dbt_project.yml; `adapter` is dbt's name of the warehouse's kind, by which it finds
    macros, whatever dialect sqlfluff is told to read."""

    project: str = ""
    packages: Mapping[str, Package] = field(default_factory=dict[str, Package])
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    adapter: str = ASSUMED

    @property
    def fingerprint(self) -> str:
        """Return the digest of all of it, and of dbt's version, whose own macros are used, too."""
        return digest([cast(Json, _plain(asdict(self))), _versions(self.adapter)])

    def variable(self, name: str, package: str) -> tuple[bool, Any]:
        """Say whether a variable has a value for code of `package`, and which, looked for in dbt's order."""
        own = self.packages.get(package, Package()).variables
        root = self.packages.get(self.project, Package()).variables
        for scope in (self.given.get(package), self.given, root.get(package), root, own.get(package), own):
            if isinstance(scope, dict) and name in cast(Mapping[str, Any], scope):
                return True, cast(Mapping[str, Any], scope)[name]
        return False, None


def read_template_project(project: Path, given: Mapping[str, Any], adapter: str = ASSUMED) -> TemplateProject:
    """Read a project's folder and its `dbt_packages`. What cannot be read is left out: dbt says what is wrong with it."""
    described = describe(project)
    own, installed = str(described.get("name") or ""), project / "dbt_packages"
    packages = {
        str(describe(path).get("name") or path.name): _package(path)
        for path in sorted(installed.glob("*"))
        if path.is_dir()
    }
    return TemplateProject(own, {**packages, own: _package(project)}, given, adapter)


def describe(project: Path) -> Mapping[str, Any]:
    """Return what dbt_project.yml says; nothing if it cannot be read."""
    file = project / "dbt_project.yml"
    try:
        with parsing("is no text", str(file), ""):
            text = file.read_text("utf-8")
        told: object = yaml_file.parsed(text, str(file))
    except BadInput:
        return {}
    return cast(Mapping[str, Any], told) if isinstance(told, dict) else {}


def folders(project: Path, key: str, default: str) -> tuple[Path, ...]:
    """Return the project's folders of one kind (`model-paths`) that exist."""
    told: object = describe(project).get(key)
    names = [str(name) for name in cast("list[object]", told)] if isinstance(told, list) else [default]
    return tuple(path for name in names if (path := project / name).is_dir())


@cache
def dbts_own(adapter: str) -> Macros:
    """Return dbt's own macros, those of an adapter in front; none where dbt is not installed.

    dbt is not imported for that, only its files are read.
    """
    spec = find_spec("dbt")
    folders = [Path(folder) / "include" for folder in (spec.submodule_search_locations or ())] if spec else []
    found: dict[str, str] = {}
    for name in ("global_project", adapter):
        for folder in folders:
            found |= _macros(folder / name / "macros")
    return found


def _package(folder: Path) -> Package:
    found: dict[str, str] = {}
    for place in folders(folder, "macro-paths", "macros"):
        found |= _macros(place)
    variables: object = describe(folder).get("vars")
    return Package(found, cast(Mapping[str, Any], variables) if isinstance(variables, dict) else {})


def _macros(folder: Path) -> Macros:
    return {
        name: text
        for path in sorted(folder.rglob("*.sql"))
        for name, text in _in_file(path)
        if path.is_file()
    }


def _in_file(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return
    for found in _MACRO.finditer(_COMMENT.sub("", text)):
        yield found[1], found[0]


def _plain(value: Any) -> Any:
    # YAML has dates, and keys that are numbers.
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("list[Any]", value)]
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


@cache
def _versions(adapter: str) -> list[str]:
    return [version(name) for name in ("dbt-core", "dbt-adapters", functions(adapter).adapter)]
