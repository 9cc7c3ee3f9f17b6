"""Runs that Prefect takes to be running, and whose process is gone: they are ended as what they are.

Prefect's own automation for this ends every suspended run, too, and with it every release that waits for an approval.
"""

from __future__ import annotations

from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from prefect_sluice.holder import told
from prefect_sluice.signs import Sign
from prefect_sluice.stages.signing import dead, forget
from prefect_sluice.workshop import Workshop


def reap(workshop: Workshop) -> tuple[str, ...]:
    """End the runs of this project whose process is gone, and return a line for each. Repeatable.

    Only what says Running or Cancelling is ended: one that is suspended, scheduled or over is left as it is.
    """
    gone = dead(workshop.store)
    if not gone:
        return ()
    with get_client(sync_client=True) as client:
        lines = [_ended(client, sign) for sign in gone]
    for sign in gone:
        forget(workshop.store, sign.run)
    return tuple(line for line in lines if line)


def _ended(client: SyncPrefectClient, sign: Sign) -> str:
    try:
        run = client.read_flow_run(UUID(sign.run))
    except ObjectNotFound:
        return ""
    state = _end(run.state_type, sign)
    if state is None:
        return ""
    client.set_flow_run_state(run.id, state, force=True)
    return f"{run.name}: {state.message}"


def _end(kind: StateType | None, sign: Sign) -> State | None:
    why = f"its process is gone: {told(sign.holder)}, last heard of at {sign.seen:%Y-%m-%d %H:%M:%S} UTC"
    if kind is StateType.RUNNING:
        return Crashed(message=f"{why}; nothing is half done, the next run goes on where it was")
    if kind is StateType.CANCELLING:
        return Cancelled(message=why)
    return None
