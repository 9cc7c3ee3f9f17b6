"""Controls, as a Prefect flow with a form: hold, freeze, block, lift, and the end of a preview."""

from __future__ import annotations

from typing import Any, Literal

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from prefect_sluice.orchestration.connections import connected
from prefect_sluice.orchestration.ended_previews import end_by_hand
from prefect_sluice.orchestration.final_states import ending
from prefect_sluice.orchestration.heartbeat import OWN_HEARTBEAT
from prefect_sluice.orchestration.project_folder import project
from prefect_sluice.orchestration.run_names import run_name_maker
from prefect_sluice.orchestration.shown.messages import name_forms
from prefect_sluice.orchestration.shown.status_artifact import show_pages_and_status
from prefect_sluice.promotions.control_commands import END_PREVIEW, ControlAct, command


@flow(
    name="controls", flow_run_name=run_name_maker("controls"), task_runner=OWN_HEARTBEAT, persist_result=False
)
def controls(
    act: Literal[
        "hold", "freeze", "block", "lift the hold", "lift the freeze", "lift the block", "end a preview"
    ],
    environment: str = "",
    release: str = "",
    reason: str = "",
    until: str = "",
    preview: str = "",
    folder: str = ".",
    actor: str = "prefect",
    connections: str = "",
) -> State[Any]:
    """Place or lift a hold, a freeze or a block, or end a preview. Nothing is built, and what serves goes on serving.

    Args:
        act: hold: no change of this environment. freeze: the same, of one or all, until a time if you like. block: this release
            is bad, wherever it goes. end a preview: its names go.
        environment: Of which environment; a block is of a release, wherever it is.
        release: For a block: the beginning of the release's id or commit.
        reason: Why; whoever is stopped by it reads this.
        until: For a freeze: when it ends by itself (12h, 2d, 2026-12-24); empty is when it is lifted.
        preview: To end a preview: its name, as the status shows it.
        folder: The folder that holds sluice.yml, or the git URL of a repository that has it at its top.
        actor: Who asks for it, for the ledger.
        connections: The name of the blocks that say where warehouse, state store and bundles are; empty is what the worker has.
    """

    def done() -> State[Any]:
        with connected(connections):
            workspace = project(folder, fresh=False)
            if act == END_PREVIEW:
                name, lines = "Ended", end_by_hand(workspace, preview, by=actor, reason=reason)
            else:
                control_act = ControlAct(act)
                name = "Lifted" if control_act.lifts else "InForce"
                lines = command(
                    workspace,
                    control_act,
                    environment=environment,
                    release=release,
                    by=actor,
                    reason=reason,
                    until=until,
                )
            for line in lines:
                get_run_logger().info(line)
            show_pages_and_status(workspace)
            return Completed(name=name, message=name_forms("; ".join(lines)))

    return ending(done)
