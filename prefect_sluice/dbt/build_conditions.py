"""The conditions of a build that files say: the packages of a project, the settings of its target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from prefect_sluice.dbt.settings import is_of_rows, package_projects
from prefect_sluice.domain.build_conditions import setting_text

_ENGINE = ("settings", "config_options")
"""Both are settings of DuckDB's, for the session and for the connection."""


def packages(folder: Path) -> Mapping[str, str]:
    """Return the version of each installed dbt package, by its folder's name."""
    return {
        package.name: str(project.get("version") or "no version")
        for package, project in package_projects(folder).items()
    }


def target(settings: Mapping[str, Any]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the settings of a target that may change rows, and the extensions that it loads.

    DuckDB's own settings are under their names in lower case; of an attached database there are name and kind, not its place.
    """
    options: dict[str, str] = {}
    extensions: dict[str, str] = {}
    for key, value in settings.items():
        if key == "extensions":
            extensions = dict(_extension(extension) for extension in cast(list[Any], value or ()))
        elif key == "attach":
            options.update(_attached(database) for database in cast(list[Any], value or ()))
        elif is_of_rows(key):
            options.update(_flat("" if key in _ENGINE else key, value))
    return options, extensions


def _extension(extension: Any) -> tuple[str, str]:
    if isinstance(extension, dict):
        named = cast(dict[str, Any], extension)
        return str(named.get("name", "")), f"asked for, of {named.get('repo', 'core')}"
    return str(extension), "asked for"


def _attached(database: Any) -> tuple[str, str]:
    named = cast(dict[str, Any], database) if isinstance(database, dict) else {"path": str(database)}
    alias = str(named.get("alias") or Path(str(named.get("path", ""))).stem)
    read_only = ", read only" if named.get("read_only") else ""
    return f"attach.{alias}", f"{named.get('type') or 'duckdb'}{read_only}"


def _flat(place: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, entry in cast(dict[str, Any], value).items():
            name = f"{place}.{key}" if place else str(key).lower()
            if is_of_rows(str(key), inside=True):
                yield from _flat(name, entry)
    elif isinstance(value, list) and any(isinstance(entry, dict) for entry in cast(list[Any], value)):
        for number, entry in enumerate(cast(list[Any], value)):
            yield from _flat(f"{place}.{number}", entry)
    else:
        yield place, setting_text(place, cast(object, value))
