"""Scheduled releases: first a cheap look at git, and the stages only if there is a new commit."""

from __future__ import annotations

from dataclasses import replace

from prefect.client.schemas.objects import State

from prefect_sluice.domain.errors import LeaseHeld, SluiceError, Stopped
from prefect_sluice.orchestration.conduct import RunContext, Stages, at_work, prepared
from prefect_sluice.orchestration.final_states import concluded, ending
from prefect_sluice.orchestration.git_poll import fetch_ref, poll_branch, remember
from prefect_sluice.orchestration.nothing_new import nothing_new
from prefect_sluice.orchestration.this_run import this_run, under_way
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.promotions.work import Work


def conduct_release(request: ReleaseRequest, stages: Stages, here: RunContext) -> State[Work]:
    """Run the stages of a release and return the state that the run ends in.

    What a person or an event asks of a Prefect deployment is fetched if the repository does not have it.
    A run that a schedule started is a poll: it ends at once as Unchanged when the ref holds nothing new, and otherwise
    releases exactly the commit that it saw. Otherwise as `conduct`.
    """
    return ending(lambda: _released(request, stages, here))


def _released(request: ReleaseRequest, stages: Stages, here: RunContext) -> State[Work]:
    run = this_run()
    with prepared(request, here) as (workspace, prepared_request):
        if run is None or run.deployment_id is None or request.dirty or under_way(run):
            return concluded(at_work(workspace, prepared_request, stages, here.wait))
        if not run.auto_scheduled:
            return concluded(
                at_work(
                    workspace,
                    replace(prepared_request, ref=fetch_ref(workspace, request.ref)),
                    stages,
                    here.wait,
                )
            )
        environment = workspace.environment(request.environment or None)
        seen = poll_branch(workspace, environment, request.ref)
        if seen.why:
            return nothing_new(seen.why)
        try:
            return concluded(
                at_work(workspace, replace(prepared_request, ref=seen.commit), stages, here.wait)
            )
        except (LeaseHeld, Stopped) as later:
            return nothing_new(f"{seen.commit[:7]} is new, and waits: {later}")
        except SluiceError as error:
            if not error.retry:
                remember(workspace, environment, seen.commit, str(error))
            raise
