"""Which file of a project cannot be read, where dbt only gives the words of the library that it read it with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from prefect_sluice.config import yaml_file
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.untrusted_text import parsing

_TEXTS = {".sql", ".md", ".csv", ".py", ".yml", ".yaml"}
_NOT_READ = {"dbt_packages", "target", "logs", ".git"}


def file_of(error: BaseException | None, project: Path) -> str:
    """Return the first file of the project that is no UTF-8 text or no YAML, relative to it; "" where there is none, or where
    the error is one of dbt's own: that names its file."""
    if error is None or type(error).__module__.partition(".")[0].startswith("dbt"):
        return ""
    return next((str(path.relative_to(project)) for path in _files(project) if _is_unreadable(path)), "")


def _files(project: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(project):
        folders[:] = sorted(set(folders) - _NOT_READ)
        yield from (Path(folder, name) for name in sorted(names) if Path(name).suffix in _TEXTS)


def _is_unreadable(path: Path) -> bool:
    try:
        with parsing("is no text", str(path), ""):
            text = path.read_bytes().decode()
        if path.suffix in {".yml", ".yaml"}:
            yaml_file.parsed(text, str(path))
    except BadInput:
        return True
    return False
