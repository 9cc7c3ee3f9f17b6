"""Collection, as a Prefect flow for a schedule: drops relations and files that nothing needs any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from prefect_sluice.maintenance.collect import CollectRequest
from prefect_sluice.orchestration.connections import connected
from prefect_sluice.orchestration.final_states import ending
from prefect_sluice.orchestration.heartbeat import OWN_HEARTBEAT, beating
from prefect_sluice.orchestration.project_folder import project
from prefect_sluice.orchestration.run_names import run_name_maker
from prefect_sluice.orchestration.shown.messages import name_forms
from prefect_sluice.tasks.collect import collect as sweep


@flow(
    name="collect", flow_run_name=run_name_maker("collect"), task_runner=OWN_HEARTBEAT, persist_result=False
)
def collect(
    environment: str = "",
    folder: str = ".",
    dry_run: bool = False,
    actor: str = "prefect",
    wait_seconds: int = 0,
    connections: str = "",
    drop_history: list[str] | None = None,
) -> State[Any]:
    """Drop relations and files that no kept generation, waiting promotion or view needs.

    Args:
        environment: Whose generations to look at; empty is all of them, and the project's files.
        folder: The folder that holds sluice.yml, or the git URL of a repository that has it at its top.
        dry_run: Only say what would go.
        actor: Who asks for it, for the ledger.
        wait_seconds: How long to wait when a release is at work.
        connections: The name of the blocks that say where warehouse, state store and bundles are; empty is what the worker has.
        drop_history: Names (schema.name) that no release serves any more, and whose history may go, too.
    """

    def swept() -> State[Any]:
        with connected(connections), beating():
            workspace = project(folder)
            request = CollectRequest(workspace.root, environment, dry_run, actor, tuple(drop_history or ()))
            done = sweep(workspace, request, timedelta(seconds=wait_seconds))
        return Completed(name="Unchanged" if done.is_empty else "Collected", message=name_forms(done.message))

    return ending(swept)
