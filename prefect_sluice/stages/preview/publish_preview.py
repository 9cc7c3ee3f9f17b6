"""How a preview is published, and what is recorded of it: shared by its beginning and its end."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.runtime import process
from prefect_sluice.state.lease import hold_lease, this_process
from prefect_sluice.state.records import Preview
from prefect_sluice.strategies.all_at_once import publish_under
from prefect_sluice.warehouse.base import Publication
from prefect_sluice.workspace.workspace import Environment, Workspace


def publish_preview(
    workspace: Workspace, environment: Environment, publication: Publication, lease: Lease
) -> Generation:
    """Publish under the preview's lease. What was read of the environment before holds after it: nothing else was written."""
    return publish_under(lease, workspace, environment, lambda: publication)


def ending(at: datetime) -> str:
    """Return the time at which a preview ends, as people read it."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


@contextmanager
def leased(workspace: Workspace, name: str, actor: str) -> Generator[tuple[Workspace, Lease]]:
    """Hold the lease of a preview's name while the block runs. Raises LeaseHeld."""
    with hold_lease(workspace.store, name, this_process(actor)) as held:
        yield workspace.under(held.lease), held.lease


def save_preview(
    workspace: Workspace,
    preview: Preview,
    event: str = "",
    facts: Mapping[str, Json] | None = None,
    actor: str = "",
) -> None:
    """Record how a preview stands, with an entry of the ledger where an `event` is named. Repeatable."""
    with workspace.store.transaction() as transaction:
        transaction.put_preview(preview)
        if event:
            transaction.append(
                event, environment=preview.name, actor=actor, facts=dict(facts or {}), at=process.now()
            )
