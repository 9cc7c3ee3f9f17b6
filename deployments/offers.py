"""Choices in the forms of one project, from its configuration, its state store and the history of its warehouses."""

from __future__ import annotations

from collections.abc import Iterator

from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.promotion import State
from prefect_sluice.planning.choices import FormChoices, back_to, report_line
from prefect_sluice.promotions.dashboards import recorded
from prefect_sluice.runtime import process
from prefect_sluice.workspace.workspace import Environment, Workspace

_LOOK_BACK = 20
_WRITTEN = (State.DEPLOYED, State.STABLE)


def offered(workspace: Workspace, actor: str = "") -> FormChoices:
    """Return the choices of the forms as of now, with `actor` filled in where nobody else reaches them.

    Raises ConfigInvalid, and WarehouseBusy while somebody writes a warehouse.
    """
    histories = {
        environment.name: _history(workspace, environment) for environment in workspace.environments.values()
    }
    ids = {generation.release for history in histories.values() for generation in history}
    releases = {name: release for name in ids if name and (release := workspace.store.release(name))}
    # Production first: that is what people go back in.
    lines = [line for history in reversed(histories.values()) for line in back_to(history, releases)]
    consumers = {
        consumer.name: consumer
        for history in histories.values()
        for consumer in _consumers(workspace, history)
    }
    return FormChoices(
        tuple(workspace.environments),
        workspace.environment().name,
        tuple(lines),
        tuple(sorted(report_line(consumer) for consumer in consumers.values())),
        actor,
        process.now(),
    )


def moved(workspace: Workspace) -> object:
    """Return a mark that changes when the choices may have changed. Reads a file's time and the state store, no warehouse."""
    written = workspace.store.promotions(states=_WRITTEN, limit=_LOOK_BACK)
    return workspace.file.stat().st_mtime_ns, tuple((promotion.id, promotion.state) for promotion in written)


def _history(workspace: Workspace, environment: Environment) -> tuple[Generation, ...]:
    return workspace.warehouse(environment).history(environment.name) if environment.database.exists() else ()


def _consumers(workspace: Workspace, history: tuple[Generation, ...]) -> Iterator[Consumer]:
    """Yield the consumers that the release declares that serves now."""
    for served in history[:1]:
        yield from recorded(workspace, [served.environment], served.release) or ()
