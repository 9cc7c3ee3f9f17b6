"""What else a Prefect server is told once the Prefect deployments stand: the place for automations and notifications."""

from __future__ import annotations

from prefect_sluice.deployments.applying import Applied
from prefect_sluice.workshop import Workshop


def after_apply(workshop: Workshop, applied: tuple[Applied, ...]) -> tuple[str, ...]:
    """Make what hangs on the Prefect deployments, and return a line for each thing made. Safe to repeat."""
    del workshop, applied
    return ()
