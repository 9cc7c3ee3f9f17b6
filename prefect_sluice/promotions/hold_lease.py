"""Holding an environment's lease for a moment, for what changes its records and runs no stage."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from prefect_sluice.state.lease import hold_lease, this_process
from prefect_sluice.workspace.workspace import Environment, Workspace


@contextmanager
def holding(workspace: Workspace, environment: Environment, actor: str) -> Generator[Workspace]:
    """Hold the environment's lease for a moment, and give what changes what is recorded of it. Raises LeaseHeld at once."""
    with hold_lease(workspace.store, environment.name, this_process(actor)) as lease:
        yield workspace.under(lease.lease)
