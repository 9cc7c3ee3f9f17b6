"""Which environment variables a project names with `env_var`, used or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_sluice.runtime.allowed_variables import names_read

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_FILES = ("dbt_project.yml", "packages.yml", "dependencies.yml")


def find_env_vars(manifest: Manifest, folder: Path, profile: Path) -> frozenset[str]:
    """Return the names that a project in `folder`, its packages and its profile read; not those put together by code."""
    return frozenset(str(name) for name in manifest.env_vars) | names_read(_texts(manifest, folder, profile))


def _texts(manifest: Manifest, folder: Path, profile: Path) -> Iterator[str]:
    for macro in manifest.macros.values():
        yield macro.macro_sql
    for node in manifest.nodes.values():
        yield str(getattr(node, "raw_code", "") or "")
    for file in (profile, *(folder / name for name in _FILES)):
        if file.is_file():
            yield file.read_text(encoding="utf-8", errors="replace")
