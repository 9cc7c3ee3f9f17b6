"""Keys of models, from the YAML files of a release, without dbt: the columns that tell their rows apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.config import yaml_file
from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.untrusted_text import parsing

if TYPE_CHECKING:
    from prefect_sluice.domain.release import Release
    from prefect_sluice.workspace.workspace import Workspace

_SECTIONS = ("models", "seeds", "snapshots")


def declared_keys(workspace: Workspace, release: Release | None) -> Mapping[str, tuple[str, ...]]:
    """Return the first column under a `unique` test, else the columns of a `unique_combination…` test, by the name of the
    model. Repeatable.

    A file that cannot be read, or is no plain YAML, says nothing: what is compared without a key is compared
    all the same.
    """
    keys: dict[str, tuple[str, ...]] = {}
    for content in _yaml_files(workspace, release) if release else ():
        for section in _SECTIONS:
            for model in _items(content.get(section)):
                for column in _items(model.get("columns")):
                    if _is_unique(column):
                        keys.setdefault(str(model.get("name")), (str(column.get("name")),))
                combined = _combination(model)
                if combined:
                    keys.setdefault(str(model.get("name")), combined)
    return keys


def _yaml_files(workspace: Workspace, release: Release) -> Iterator[dict[str, Any]]:
    for path, file in release.files.items():
        if path.endswith((".yml", ".yaml")):
            try:
                with parsing("is no text", path, ""):
                    text = workspace.bundles.get(file.partition(":")[2]).decode()
                content = yaml_file.parsed(text, path)
            except SluiceError:
                continue
            if isinstance(content, dict):
                yield cast(dict[str, Any], content)


def _items(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for entry in cast(list[Any], value):
            if isinstance(entry, dict):
                yield cast(dict[str, Any], entry)


def _tests(of: Mapping[str, Any]) -> list[Any]:
    return [*(of.get("data_tests") or ()), *(of.get("tests") or ())]


def _combination(model: Mapping[str, Any]) -> tuple[str, ...]:
    for test in _items(_tests(model)):
        for name, arguments in test.items():
            if name.rpartition(".")[2].startswith("unique_combination") and isinstance(arguments, dict):
                settings = cast(dict[str, Any], arguments)
                settings = {**settings, **cast(dict[str, Any], settings.get("arguments") or {})}
                lists = [cast(list[Any], value) for value in settings.values() if isinstance(value, list)]
                if lists:
                    return tuple(str(column).strip('"') for column in lists[0])
    return ()


def _is_unique(column: Mapping[str, Any]) -> bool:
    tests = _tests(column)
    return any(test == "unique" or (isinstance(test, dict) and "unique" in test) for test in tests)
