"""What every way in has around its stages: who is waited for, the environment's lease, and the state the run ends in.

The seam for all that Prefect adds to a run: its name, its connections, the question to a person. A flow itself shows the
order of its stages, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from prefect.client.schemas.objects import State

from prefect_sluice.flows.ending import concluded
from prefect_sluice.flows.own import this_run
from prefect_sluice.flows.waits import logged_waits
from prefect_sluice.pipeline import begin
from prefect_sluice.stages.signing import signed
from prefect_sluice.stages.work import Request, Work
from prefect_sluice.workshop import Workshop

Walk = Callable[[Work], Work]
"""Goes through a way's stages, in their order."""


def conduct(request: Request, walk: Walk, *, wait_seconds: int = 0) -> State[Work]:
    """Run the stages of a request under the environment's lease and return the state that the run ends in.

    Raises what the stages raise, LeaseHeld after `wait_seconds`, and Stopped when a hold, freeze or block forbids it.
    """
    return concluded(conducted(request, walk, wait_seconds=wait_seconds))


def conducted(request: Request, walk: Walk, *, wait_seconds: int = 0) -> Work:
    """Run the stages of a request under the environment's lease and return the ended work. Raises as `conduct`."""
    store = Workshop.at(request.folder).store
    run = this_run()
    with (
        logged_waits(),
        signed(store, str(run.id) if run else "", request.actor),
        begin(request, wait=timedelta(seconds=wait_seconds)) as work,
    ):
        return walk(work)
