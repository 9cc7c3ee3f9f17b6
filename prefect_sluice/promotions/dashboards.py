"""Dashboards that can be promoted: what the project of a release declares to read its relations, from what is recorded."""

from __future__ import annotations

from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.release import Release
from prefect_sluice.promotions.environment_order import before, ordered
from prefect_sluice.workspace.workspace import Environment, Workspace


def reports(workspace: Workspace, environment: str = "", *, origin: str = "") -> tuple[Consumer, ...]:
    """Return the dashboards that can be promoted to an environment ("": the last one), by label: those of the release
    that `origin` serves, by default the environment before.

    Parses nothing where the gates have looked at that release. Raises BadInput and Refused as a promotion does.
    """
    from prefect_sluice.promotions.take_release import served

    resolved = workspace.environment(environment or destination(workspace))
    return declared_in(workspace, resolved, served(workspace, resolved, origin), origin)


def declared_in(
    workspace: Workspace, environment: Environment, release: Release, origin: str = ""
) -> tuple[Consumer, ...]:
    """Return the dashboards that a release declares, by label: as the environment before `environment` knows them."""
    former = origin or before(environment, workspace.environments)
    names = [name for name in (former, environment.name) if name]
    known = recorded(workspace, names, release.id)
    found = known if known is not None else _parsed(workspace, workspace.environment(names[0]), release)
    return tuple(sorted(found, key=lambda item: (item.label or item.name).casefold()))


def destination(workspace: Workspace) -> str:
    """Return the name of the environment that comes last: where analysts promote to."""
    return ordered(workspace.environments)[-1]


def named_or_last(workspace: Workspace, environment: str) -> str:
    """Return the environment, the last one of the project where none is named. Raises ConfigInvalid."""
    return environment or destination(workspace)


def recorded(workspace: Workspace, environments: list[str], release: str) -> tuple[Consumer, ...] | None:
    """Return the consumers of a release, by the first of the environments where the gates recorded them; None if in none."""
    known = (workspace.store.declared(name, release) for name in environments)
    declared = next((item for item in known if item is not None), None)
    return None if declared is None else tuple(declared.consumers.values())


def _parsed(workspace: Workspace, environment: Environment, release: Release) -> tuple[Consumer, ...]:
    """Return them by a parse, in a work folder of its own: in the shared one a release may be building right now."""
    from prefect_sluice.promotions.load_project import load

    loaded = load(workspace.beside(".plan"), environment, release)
    return tuple(loaded.dbt.facts.consumers.values())
