"""What every way in has around its stages: who is waited for, the environment's lease, and the state the run ends in.

The seam for all that Prefect adds to a run: its name, its connections, the question to a person. A flow itself shows the
order of its stages, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from prefect.client.schemas.objects import State

from prefect_sluice.flows.connecting import connected
from prefect_sluice.flows.ending import concluded
from prefect_sluice.flows.waits import logged_waits
from prefect_sluice.pipeline import begin
from prefect_sluice.stages.work import Request, Work

Walk = Callable[[Work], Work]
"""Goes through a way's stages, in their order."""


def conduct(request: Request, walk: Walk, *, wait_seconds: int = 0, connections: str = "") -> State[Work]:
    """Run the stages of a request under the environment's lease and return the state that the run ends in.

    `connections` names the blocks of what it connects to. Raises what the stages raise, LeaseHeld after `wait_seconds`,
    Stopped when a hold, freeze or block forbids it, and BadInput for connections that there are not.
    """
    return concluded(conducted(request, walk, wait_seconds=wait_seconds, connections=connections))


def conducted(request: Request, walk: Walk, *, wait_seconds: int = 0, connections: str = "") -> Work:
    """Run the stages of a request under the environment's lease and return the ended work. Raises as `conduct`."""
    wait = timedelta(seconds=wait_seconds)
    with connected(connections), logged_waits(), begin(request, wait=wait) as work:
        return walk(work)
