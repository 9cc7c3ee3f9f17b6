"""Holding an environment's lease for a moment, for what changes its records and runs no stage."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from prefect_sluice.state.lease import held, this_process
from prefect_sluice.workspace.workspace import Place, Workshop


@contextmanager
def holding(workshop: Workshop, place: Place, actor: str) -> Generator[Workshop]:
    """Hold the environment's lease for a moment, and give what changes what is recorded of it. Raises LeaseHeld at once."""
    with held(workshop.store, place.name, this_process(actor)) as lease:
        yield workshop.under(lease.lease)
