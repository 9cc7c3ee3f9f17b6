"""Checks of what serves, before anything else is served there: it is ours, and the state store knows it."""

from __future__ import annotations

from prefect_sluice.domain import displaced_names
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.generation import Generation
from prefect_sluice.workspace.workspace import Environment, Workspace


def know_what_serves(
    workspace: Workspace, environment: Environment, *, going_back: bool = False
) -> Generation:
    """Return what is served. Raises Refused when another state store released it: this one knows neither plan nor tokens.

    Unless it is `going_back` to a generation that this one does know: so an older backup of the store is put to use.
    """
    current = workspace.warehouse(environment).generation(environment.name)
    if not current.number or workspace.store.promotion(current.promotion) is not None:
        return current
    last = last_known(workspace, environment)
    if going_back and last:
        return current
    fix = f"work where it was released, or name that state store in {workspace.file.name}: state"
    lost = (
        f"if it is lost, serve the last one that this one knows: sluice rollback --env {environment.name} --to {last}"
        if last
        else f"if it is lost, start anew: sluice leave {environment.name}"
    )
    raise Refused(
        f"{environment.name} serves generation {current.number}, of which this state store knows nothing",
        f"{fix}; {lost}",
    )


def public_names_are_ours(workspace: Workspace, environment: Environment) -> None:
    """Raise Refused when something else stands under a public name than what was published: a `dbt run` did it, say."""
    found = workspace.warehouse(environment).displaced(environment.name)
    if found:
        raise Refused(
            f"{environment.name} does not serve what was published: {displaced_names.describe_displaced(found)}",
            f"take the names back: {displaced_names.TAKE_BACK}",
        )


def last_known(workspace: Workspace, environment: Environment) -> int:
    """Return the newest generation that can be served and that the state store knows; 0 if there is none."""
    warehouse = workspace.warehouse(environment)
    history = known_history(
        workspace, warehouse.generation(environment.name), warehouse.history(environment.name)
    )
    known = (item for item in history if not item.collected_at and workspace.store.promotion(item.promotion))
    return next((item.number for item in known), 0)


def known_history(
    workspace: Workspace, current: Generation, history: tuple[Generation, ...]
) -> tuple[Generation, ...]:
    """Return the history without what another state store released: nothing is known of it, so nobody goes back to it.

    What is served stays in it, and generation 0: that was adopted, and no promotion wrote it.
    """
    ids = workspace.store.promotion_ids(current.environment)
    return tuple(item for item in history if item.number in {0, current.number} or item.promotion in ids)
