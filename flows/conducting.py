"""What every way in has around its stages: who is waited for, the environment's lease, and the state the run ends in.

The seam for all that Prefect adds to a run: its name, its connections, the question to a person. A flow itself shows the
order of its stages, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from prefect.client.schemas.objects import State

import prefect_sluice.state.store as _loaded_with_the_flow  # noqa: F401  # pyright: ignore[reportUnusedImport]  # no run waits for it
from prefect_sluice.flows.ending import concluded, ending
from prefect_sluice.flows.heartbeat import beating
from prefect_sluice.flows.naming import naming
from prefect_sluice.flows.waits import logged_waits
from prefect_sluice.pipeline import begin
from prefect_sluice.stages.work import Request, Work

Walk = Callable[[Work], Work]
"""Goes through a way's stages, in their order."""


def conduct(request: Request, walk: Walk, *, wait_seconds: int = 0) -> State[Work]:
    """Run the stages of a request under the environment's lease and return the state that the run ends in.

    What the stages raise of ours, LeaseHeld after `wait_seconds` and Stopped when a hold, freeze or block forbids it are the
    data of a Failed state.
    """
    return ending(lambda: concluded(conducted(request, walk, wait_seconds=wait_seconds)))


def conducted(request: Request, walk: Walk, *, wait_seconds: int = 0) -> Work:
    """Run the stages of a request under the environment's lease and return the ended work. Raises SluiceError."""
    with (
        beating(),
        naming(request),
        logged_waits(),
        begin(request, wait=timedelta(seconds=wait_seconds)) as work,
    ):
        return walk(work)
