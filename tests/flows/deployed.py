"""Runs of a Prefect deployment, started in this process as a worker starts them in another."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.flow_runs import resume_flow_run
from prefect.states import Pending

from prefect_sluice.flows.release import release
from prefect_sluice.stages.resume import ask
from prefect_sluice.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Deployed:
    """One flow run of a deployment of the flow `release`."""

    id: UUID

    @classmethod
    def made(cls, folder: Path, **parameters: Any) -> Deployed:
        """Create the deployment, which needs no pool here, and a run of it, and start it, all stages."""
        return cls.planned(folder, **parameters).start()

    @classmethod
    def planned(cls, folder: Path, **parameters: Any) -> Deployed:
        """Create the deployment and a run of it."""
        with get_client(sync_client=True) as client:
            deployment = client.create_deployment(client.create_flow(release), "release")
            asked = {"environment": "prod", "folder": str(folder), "actor": "Ada", **parameters}
            return cls(client.create_flow_run_from_deployment(deployment, parameters=asked).id)

    @classmethod
    def waiting(cls, folder: Path) -> Deployed:
        """Return a run that waits for the newest promotion, as if an earlier start of it had staged that: in no time."""
        found, workspace = cls.planned(folder), Workspace.at(folder)
        ask(workspace, str(found.id), 0, workspace.store.promotions(limit=1)[0])
        return found.start()

    def start(self) -> Deployed:
        """Do what a worker does with a scheduled run: from the top, until it ends or is suspended."""
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(self.id, Pending())
            run = client.read_flow_run(self.id)
        with suppress(Pause):
            run_flow(release, flow_run=run, return_type="state")
        return self

    def answer(self, **fields: str) -> Deployed:
        """Fill in the form, and start the run again."""
        resume_flow_run(self.id, run_input=fields)
        return self.start()

    def put(self, state: State[Any], *, force: bool = False) -> Deployed:
        """Set a state by hand, as the UI and the API do."""
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(self.id, state, force=force)
        return self

    @property
    def state(self) -> State[Any]:
        """The state as the server has it."""
        with get_client(sync_client=True) as client:
            found = client.read_flow_run(self.id).state
        assert found is not None
        return found

    @property
    def name(self) -> str:
        """The state's name."""
        return self.state.name or ""

    @property
    def inputs(self) -> dict[str, str]:
        """All that Prefect keeps of the forms, by key."""
        with get_client(sync_client=True) as client:
            found = client.filter_flow_run_input(self.id, "suspended", 100, set())
        return {item.key: item.value for item in found}

    @property
    def form(self) -> str:
        """The text above the form that is asked now."""
        key = self.state.state_details.pause_key
        return self.inputs[f"suspended-{key}-description"]
