"""Which version every source has now; what is proven to be as it was is not looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.planning import source_versions
from prefect_sluice.planning.source_policy import (
    SourcePolicy,
    VersionMethod,
    refuse_unknown,
    source_as_configured,
)
from prefect_sluice.workspace.workspace import Environment, Workspace

if TYPE_CHECKING:
    from prefect_sluice.promotions.load_project import LoadedProject

_CACHE = "source versions"
"""One entry per warehouse file: its stamp, and the versions that were read under it."""


def observe(
    workspace: Workspace, environment: Environment, loaded: LoadedProject, live: Generation, release: str
) -> Mapping[str, str]:
    """Return the version of every source the project reads, by its text. Changes nothing that anybody reads. Repeatable.

    Raises ConfigInvalid where `sources` in sluice.yml lead nowhere.
    """
    nodes = loaded.project.nodes
    texts = sorted({text for node in nodes.values() for text in source_versions.texts(node)})
    if not texts:
        return {}
    policy = policy_of(workspace, loaded)
    ways = {text: policy.way(text) for text in texts}
    # As dbt opens it: a source may lie in what the profile attaches.
    warehouse = workspace.warehouse(environment, loaded.session)
    is_there = environment.database.exists()
    relations = warehouse.relations()
    with warehouse.reader() if is_there else nullcontext() as reader:
        stamp = reader.stamp() if reader else ""
        tables = {str(item.name.folded) for item in relations if not item.is_view}
        # A view may read a file or another database: the stamp does not speak of those.
        keys = {
            text: _key(ways[text], text) for text in texts if text in tables and ways[text].reads_the_source
        }
        remembered = _remembered(workspace, environment, stamp)
        known = {text: remembered[key] for text, key in keys.items() if key in remembered}
        unknown = source_versions.unknown_version(live, release)
        found = source_versions.versions(
            nodes, reader, loaded.session.cwd, unknown, ways=ways, root=workspace.root, known_versions=known
        )  # fmt: skip
    fresh = {key: found[text] for text, key in keys.items() if text not in known and found[text] != unknown}
    if stamp and fresh:
        _remember(workspace, environment, stamp, {**remembered, **fresh})
    return found


def policy_of(workspace: Workspace, loaded: LoadedProject) -> SourcePolicy:
    """Return how sluice.yml wants versions to be found, with what the project's dbt sources say."""
    settings = workspace.settings.sources
    if not settings:
        return SourcePolicy()
    by_name = loaded.dbt.facts.loading()
    return SourcePolicy(settings, by_name, frozenset(by_name), workspace.file.name)


def refuse_unknown_names(workspace: Workspace, loaded: LoadedProject, cause: Cause) -> None:
    """Raise BadInput for what sluice.yml says of a source or a model that the project does not have.

    A refresh is the code of another day: the file may speak of what is not released yet.
    """
    if cause is not Cause.RELEASE:
        return
    nodes = loaded.project.nodes.values()
    read = {source_as_configured(text) for node in nodes for text in source_versions.texts(node)}
    names = read | policy_of(workspace, loaded).in_dbt
    refuse_unknown(workspace.settings.sources, names, "source", f"{workspace.file.name}: sources")
    models = {node.short for node in nodes}
    refuse_unknown(workspace.settings.models, models, "model", f"{workspace.file.name}: models")


def carry_over(workspace: Workspace, environment: Environment, before: str, after: str) -> None:
    """Note that the versions read under the stamp `before` hold under `after`: our own publish is all that was written."""
    known = _remembered(workspace, environment, before)
    if known and after:
        _remember(workspace, environment, after, known)


def _key(way: VersionMethod, text: str) -> str:
    return digest([text, way.measure])


def _entry(environment: Environment) -> str:
    return digest(environment.database.identity)


def _remembered(workspace: Workspace, environment: Environment, stamp: str) -> Mapping[str, str]:
    key = _entry(environment)
    entry = cast(dict[str, Any] | None, workspace.store.cached(_CACHE, [key]).get(key))
    return entry["versions"] if stamp and entry and entry["stamp"] == stamp else {}


def _remember(
    workspace: Workspace, environment: Environment, stamp: str, versions: Mapping[str, str]
) -> None:
    entry: Json = {"stamp": stamp, "versions": dict(versions)}
    with workspace.store.transaction() as transaction:
        transaction.put_cached(_CACHE, _entry(environment), entry)
