"""Relative paths of a profile: what dbt would read and write beside the folder where people run it. Pure.

The build runs in a checkout elsewhere. So what is read is looked for where people run dbt, and what dbt-duckdb writes by itself
(`external` models) goes to a folder of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

_FOLDERS = frozenset(
    {"extension_directory", "file_search_path", "home_directory", "secret_directory", "temp_directory"}
)
"""DuckDB's settings that name a folder."""
_SCHEME = re.compile(r"(?:(?:ducklake|duckdb|sqlite):)*", re.IGNORECASE)
"""What may stand before the path of a file to attach."""
_NO_PATH = re.compile(r"[:=]|^[/~]|^$")


def at_home(raw: Mapping[str, Any], settings: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """Return a target as written (`raw`) with what it reads by a relative path made absolute below `home`.

    `settings` is the same, rendered: it tells whether a path is relative. Jinja is left as it is, so that no secret is written
    anywhere.
    """
    target = dict(raw)
    if raw.get("attach"):
        pairs = zip(_list(raw["attach"]), _list(settings.get("attach")), strict=False)
        target["attach"] = [_attached(database, rendered, home) for database, rendered in pairs]
    for key in ("settings", "config_options"):
        if isinstance(raw.get(key), dict):
            target[key] = _resolved(raw[key], settings.get(key) or {}, _FOLDERS, home)
    return target


def outputs_at(raw: Mapping[str, Any], settings: Mapping[str, Any], folder: Path) -> str:
    """Return dbt-duckdb's `external_root`: as written where it is absolute or a URL, else below `folder`."""
    written = str(raw.get("external_root") or ".")
    return _below(written, str(settings.get("external_root") or "."), folder)


def _attached(database: Any, rendered: Any, home: Path) -> Any:
    if not isinstance(database, dict) or not isinstance(rendered, dict):
        return cast(Any, database)
    raw, options = cast("dict[str, Any]", database), cast("dict[str, Any]", rendered)
    resolved = _resolved(raw, options, frozenset({"path"}), home)
    if isinstance(raw.get("options"), dict):
        resolved["options"] = _resolved(
            raw["options"], options.get("options") or {}, frozenset({"data_path"}), home
        )
    return resolved


def _resolved(
    raw: Mapping[str, Any], settings: Mapping[str, Any], keys: frozenset[str], home: Path
) -> dict[str, Any]:
    return {
        key: _below(value, str(settings.get(key, value)), home)
        if isinstance(value, str) and key.lower() in keys
        else value
        for key, value in raw.items()
    }


def _below(raw: str, rendered: str, folder: Path) -> str:
    """Return a path as written, below `folder` if it is a relative one."""
    scheme = _SCHEME.match(rendered)
    prefix = scheme.group() if scheme else ""
    rest = rendered[len(prefix) :]
    if _NO_PATH.search(rest) or not raw.startswith(prefix):
        return raw
    return f"{prefix}{folder}/{raw[len(prefix) :].removeprefix('./')}"


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
