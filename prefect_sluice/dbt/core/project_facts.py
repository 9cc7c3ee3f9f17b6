"""From dbt's manifest to what the project says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.dbt.core.data_tests import only_dbt
from prefect_sluice.dbt.core.declarations import consumers
from prefect_sluice.dbt.core.hooks import copied_to, has_operations, hooked, post_hooks
from prefect_sluice.dbt.project import DbtSource, ProjectFacts
from prefect_sluice.domain.node import Name
from prefect_sluice.planning.source_policy import DeclaredLoading
from prefect_sluice.runtime.allowed_variables import names_read

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_FILES = ("dbt_project.yml", "packages.yml", "dependencies.yml")


def project_facts(manifest: Manifest, folder: Path, profile: Mapping[str, Any]) -> ProjectFacts:
    """Return the facts of a project in `folder`; `profile` is the target's mapping. Runs nothing of it."""
    hooks = hooked(manifest)
    return ProjectFacts(
        name=str(manifest.metadata.project_name),
        consumers=consumers(manifest),
        owners=_owners(manifest),
        sources=tuple(_source(source) for source in manifest.sources.values()),
        locations=frozenset(str(node.config.get("location") or "") for node in manifest.nodes.values())
        - {""},
        environment=_environment(manifest, folder),
        hooked=hooks,
        post_hooks={uid: post_hooks(manifest, uid) for uid in hooks},
        has_operations=has_operations(manifest),
        has_python=any(str(getattr(node, "language", "")) == "python" for node in manifest.nodes.values()),
        only_dbt=only_dbt(manifest, profile),
        copied_to=copied_to(manifest),
    )


def _source(source: Any) -> DbtSource:
    return DbtSource(
        called=f"{source.source_name}.{source.name}",
        database=str(source.database),
        name=Name(str(source.schema), str(source.identifier)),
        loading=DeclaredLoading(_of(source, "loaded_at_field"), _of(source, "loaded_at_query")),
    )


def _of(source: Any, key: str) -> str:
    # dbt moved both below `config`, and reads them in either place.
    return str(getattr(source, key, None) or getattr(source.config, key, None) or "")


def _environment(manifest: Manifest, folder: Path) -> frozenset[str]:
    """Return the names of environment variables that the project and its packages read; not those put together by code."""
    return frozenset(str(name) for name in manifest.env_vars) | names_read(_texts(manifest, folder))


def _texts(manifest: Manifest, folder: Path) -> Iterator[str]:
    for macro in manifest.macros.values():
        yield macro.macro_sql
    for node in manifest.nodes.values():
        yield str(getattr(node, "raw_code", "") or "")
    for file in (folder / name for name in _FILES):
        if file.is_file():
            yield file.read_text(encoding="utf-8", errors="replace")


def _owners(manifest: Manifest) -> Mapping[str, tuple[str, ...]]:
    """Return the owners (names or addresses) of each model, seed and snapshot that has any: its group's, and `meta.owner`."""
    groups = {str(group.name): _group_owner(group) for group in manifest.groups.values()}
    owners = {
        uid: (*groups.get(str(getattr(node, "group", "") or ""), ()), *_own_owners(node))
        for uid, node in manifest.nodes.items()
    }
    return {uid: tuple(dict.fromkeys(names)) for uid, names in owners.items() if names}


def _group_owner(group: Any) -> tuple[str, ...]:
    return _addresses((getattr(group.owner, "name", None) or getattr(group.owner, "email", None),))


def _own_owners(node: Any) -> tuple[str, ...]:
    meta = cast("Mapping[str, Any]", getattr(node, "meta", None) or {})
    owner: Any = meta.get("owner")
    return _addresses(cast("list[Any]", owner) if isinstance(owner, list) else (owner,))


def _addresses(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str) and value)
