"""Which column tells the rows of a model apart, as a release's own YAML files say: no dbt is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import yaml

from prefect_sluice.errors import SluiceError

if TYPE_CHECKING:
    from prefect_sluice.release import Release
    from prefect_sluice.workshop import Workshop

_SECTIONS = ("models", "seeds", "snapshots")


def declared_keys(workshop: Workshop, release: Release | None) -> Mapping[str, tuple[str, ...]]:
    """Return the first column under a `unique` test, by the name of the model. Repeatable.

    A file that cannot be read, or is no plain YAML, says nothing: what is compared without a key is compared
    all the same.
    """
    found: dict[str, tuple[str, ...]] = {}
    for content in _yaml_files(workshop, release) if release else ():
        for section in _SECTIONS:
            for model in _items(content.get(section)):
                for column in _items(model.get("columns")):
                    if _is_unique(column):
                        found.setdefault(str(model.get("name")), (str(column.get("name")),))
    return found


def _yaml_files(workshop: Workshop, release: Release) -> Iterator[dict[str, Any]]:
    for path, file in release.files.items():
        if path.endswith((".yml", ".yaml")):
            try:
                content: Any = yaml.safe_load(workshop.bundles.get(file.partition(":")[2]))
            except (SluiceError, yaml.YAMLError, UnicodeDecodeError):
                continue
            if isinstance(content, dict):
                yield cast(dict[str, Any], content)


def _items(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in cast(list[Any], value):
            if isinstance(item, dict):
                yield cast(dict[str, Any], item)


def _is_unique(column: Mapping[str, Any]) -> bool:
    tests: list[Any] = [*(column.get("data_tests") or ()), *(column.get("tests") or ())]
    return any(test == "unique" or (isinstance(test, dict) and "unique" in test) for test in tests)
