"""What an environment builds under: looked at, remembered with each promotion, and compared along the way of a release."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from prefect_sluice import __version__
from prefect_sluice.domain.build_conditions import Conditions, ConditionsBefore
from prefect_sluice.domain.errors import BadInput, QueryFailed, WarehouseBusy, WarehouseDamaged
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.domain.release import Release
from prefect_sluice.promotions.environment_order import before
from prefect_sluice.promotions.load_project import LoadedProject
from prefect_sluice.runtime import process
from prefect_sluice.warehouse.engines import functions
from prefect_sluice.warehouse.functions import columns_of
from prefect_sluice.workspace.workspace import Environment, Workspace

_NOT_KEPT = "it was not recorded when it was built there"


def here(workspace: Workspace, environment: Environment, loaded: LoadedProject) -> Conditions:
    """Return what a release is built under in an environment, as of now. Opens its warehouse, for reading. Repeatable.

    Where that cannot be opened, nothing is known of its sources, and why.
    """
    from prefect_sluice.dbt import build_conditions as of_dbt

    known = loaded.dbt.facts.sources_of(environment.database.catalog)
    names = {name.folded for node in loaded.project.nodes.values() for name in node.sources}
    relations = {known.get(name, str(name)): str(name) for name in names}
    variables, environ = loaded.dbt.variables_used()
    found = Conditions(
        {
            "tools": _tools(workspace, environment),
            **_of_target(environment),
            "packages": of_dbt.packages(loaded.folder),
            "vars": variables,
            "env": environ,
        },
        relations=relations,
    )
    try:
        is_there = environment.database.exists()
        columns: Mapping[str, str] = _columns(workspace, environment, relations) if is_there else {}
    except (QueryFailed, WarehouseBusy, WarehouseDamaged) as error:
        return replace(found, unknown={"sources": str(error)})
    return replace(found, facts={**found.facts, "sources": columns})


def remember(
    workspace: Workspace, environment: Environment, loaded: LoadedProject, promotion: Promotion
) -> None:
    """Keep what a promotion was built under: what it goes to next is compared with that. Repeatable."""
    current = here(workspace, environment, loaded)
    with workspace.store.transaction() as transaction:
        transaction.put_conditions(promotion.id, process.now(), current)


def proven(
    workspace: Workspace, environment: Environment, loaded: LoadedProject, release: Release
) -> ConditionsBefore | str:
    """Return what the environment was like that a release served in before, and what this one is like; or why there is none.

    The columns of the sources are those of now, where that environment's warehouse can be opened, else those of the day
    when it was built there.
    """
    first = before(environment, workspace.environments)
    if not first:
        return "no environment comes before this one"
    served = _served(workspace, first, release)
    if served is None:
        return f"this release never served in {first}, which comes before"
    current = here(workspace, environment, loaded)
    kept = workspace.store.conditions(served.id)
    other = workspace.environment(first)
    old = kept[1] if kept else _guessed(workspace, other, release, current)
    try:
        found = _columns(workspace, other, old.relations)
    except (BadInput, QueryFailed, WarehouseBusy, WarehouseDamaged) as error:
        return _without_a_look(first, old, current, str(error), kept[0] if kept else None)
    unknown = {group: why for group, why in old.unknown.items() if group != "sources"}
    return ConditionsBefore(
        first, replace(old, facts={**old.facts, "sources": found}, unknown=unknown), current
    )


def _served(workspace: Workspace, environment: str, release: Release) -> Promotion | None:
    """Return the last promotion by which a release served there; of one put together of a part, the release that part is of."""
    ids = {release.id, *([release.composed.of] if release.composed else [])}
    done = workspace.store.promotions(environment=environment, releases=ids, served=True, limit=1)
    return next(iter(done), None)


def _without_a_look(
    first: str, old: Conditions, current: Conditions, why: str, at: datetime | None
) -> ConditionsBefore:
    if at is None:
        return ConditionsBefore(first, replace(old, unknown={**old.unknown, "sources": why}), current)
    note = (
        f"{first}'s warehouse could not be opened, so its sources are those of {at:%Y-%m-%d %H:%M} UTC: {why}"
    )
    return ConditionsBefore(first, old, current, (note,))


def _guessed(
    workspace: Workspace, environment: Environment, release: Release, current: Conditions
) -> Conditions:
    """Return what can be told of an environment of which nothing was recorded."""
    tools = _packages(workspace, environment)
    facts = {"tools": {name: release.tools[name] for name in tools if name in release.tools}}
    unknown: Mapping[str, str] = dict.fromkeys(("packages", "vars", "env"), _NOT_KEPT)
    others = {name: text for name, text in current.facts["tools"].items() if name not in facts["tools"]}
    return Conditions(
        {"tools": {**others, **facts["tools"]}, **_of_target(environment)},
        unknown,
        current.relations,
    )


def _packages(workspace: Workspace, environment: Environment) -> tuple[str, ...]:
    return ("dbt-core", "dbt-adapters", *functions(workspace.warehouse(environment).dialect).packages)


def _tools(workspace: Workspace, environment: Environment) -> Mapping[str, str]:
    versions = {name: importlib.metadata.version(name) for name in _packages(workspace, environment)}
    python = ".".join(platform.python_version_tuple()[:2])
    return {**versions, "prefect-sluice": __version__, "python": python}


def _of_target(environment: Environment) -> Mapping[str, Mapping[str, str]]:
    from prefect_sluice.dbt import build_conditions as of_dbt

    settings, wanted = of_dbt.target(environment.target.settings)
    engine = environment.target.adapter.session(settings)
    extensions = {
        name: f"{text}; {engine.extensions.get(name, 'not installed')}" for name, text in wanted.items()
    }
    return {"settings": {**settings, **engine.settings}, "extensions": {**engine.extensions, **extensions}}


def _columns(
    workspace: Workspace, environment: Environment, relations: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the sources that are there, and the type of each column, by what they are called.

    What the environment serves itself is no source: a table that hooks write to is there after the first release only.
    """
    if not relations:
        return {}
    warehouse = workspace.warehouse(environment)
    own = {pointer.name.folded for pointer in warehouse.generation(environment.name).pointers}
    names = {Name.parse(text).folded: key for key, text in relations.items()}
    wanted = {name: key for name, key in names.items() if name not in own}
    found: dict[str, str] = {}
    schemas = sorted({name.schema for name in wanted})
    with warehouse.reader() as reader:
        rows = reader.query(columns_of(schemas)).rows
    for schema, table, column, kind in rows:
        key = wanted.get(Name(str(schema), str(table)).folded)
        if key is not None:
            found[key] = "there"
            found[f"{key}.{str(column).lower()}"] = str(kind)
    return found
