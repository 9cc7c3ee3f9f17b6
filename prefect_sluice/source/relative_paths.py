"""Relative paths that code names: whether something is there from a folder, and from which folder above a project."""

from __future__ import annotations

from collections.abc import Collection
from glob import iglob
from pathlib import Path


def is_there(path: str, folder: Path) -> bool:
    """Say whether a path, or a pattern, is something from a folder."""
    # A name may hold a bracket and be no pattern.
    return (folder / path).exists() or any(iglob(path, root_dir=folder, recursive=True))  # noqa: PTH207


def folder_above(paths: Collection[str], project: Path, top: Path) -> tuple[Path, str] | None:
    """Return the nearest folder above a project, up to `top`, from which one of these paths is there, and that path. None where
    one is there from the project's own folder, or none is anywhere: dbt may be called in that folder as well."""
    if not project.is_relative_to(top) or any(is_there(path, project) for path in paths):
        return None
    above = list(project.parents)[: len(project.relative_to(top).parts)]
    return next(((folder, path) for folder in above for path in paths if is_there(path, folder)), None)
