"""The frame of every run: it waits for the environment's lease, runs the stages, and ends in a Prefect state.

Here is all that Prefect adds to a run: its name, its connections, the question to a person. A flow itself shows the
order of its stages, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from prefect import get_run_logger
from prefect.client.schemas.objects import State

import prefect_sluice.state.store as _loaded_with_the_flow  # noqa: F401  # pyright: ignore[reportUnusedImport]  # no run waits for it
from prefect_sluice.domain.promotion import ENDED, ApprovalQuestion, Promotion
from prefect_sluice.monitoring.run_signs import signed
from prefect_sluice.orchestration.approval_form import (
    SuspendableRun,
    record_form_answer,
    suspend,
    suspendable,
)
from prefect_sluice.orchestration.connections import connected
from prefect_sluice.orchestration.final_states import concluded, ending
from prefect_sluice.orchestration.heartbeat import beating
from prefect_sluice.orchestration.project_folder import project
from prefect_sluice.orchestration.run_links import linked
from prefect_sluice.orchestration.run_names import naming
from prefect_sluice.orchestration.shown.status_artifact import show_status
from prefect_sluice.orchestration.this_run import this_run
from prefect_sluice.orchestration.wait_log import logged_waits
from prefect_sluice.orchestration.wake_runs import wake_quietly
from prefect_sluice.pipeline import begin, plan_again
from prefect_sluice.promotions.request import AnyRequest, Request
from prefect_sluice.promotions.work import Stage, Status, Work, walk
from prefect_sluice.stages.after_rollback import followed_up
from prefect_sluice.stages.preview.show_preview import previewed
from prefect_sluice.stages.resume import ended, forget, going_on, is_decided, pinned, recorded_work, waits_on
from prefect_sluice.workspace.workspace import Workspace

Stages = tuple[Stage, ...]
"""The stages of one way in, in their order."""

_PATIENCE = timedelta(minutes=15)
"""How long a run that somebody said yes to waits for another one's lease: a run that fails now would lose the day."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """The surroundings of a run: a folder or git URL with sluice.yml, the name of its connections, and how long it waits.

    `where` finds the environment in the project, for a way in whose default is not that of the project.
    """

    folder: str = "."
    connections: str = ""
    wait_seconds: int | None = 0
    where: Callable[[Workspace, str], str] | None = None

    @property
    def wait(self) -> timedelta:
        """How long to wait when another one is at work."""
        return timedelta(seconds=self.wait_seconds or 0)


def conduct(request: Request, stages: Stages, here: RunContext) -> State[Work]:
    """Run the stages of a request under the environment's lease and return the state that the run ends in.

    A run of a Prefect deployment that has to wait for a yes is suspended here, and ends its process; see `asking`. What the
    stages raise of ours, LeaseHeld after the waiting, Stopped when a hold, freeze or block forbids it, and BadInput for
    connections or a repository that there are not are the data of a Failed state.
    """

    def conducted() -> State[Work]:
        with prepared(request, here) as (workspace, prepared_request):
            return concluded(at_work(workspace, prepared_request, stages, here.wait))

    return ending(conducted)


@contextmanager
def prepared(request: AnyRequest, here: RunContext) -> Generator[tuple[Workspace, AnyRequest]]:
    """Set up a run while the block runs; give the project, opened for this run, and the request for it.

    Raises BadInput for connections or a repository that there are not, and ConfigInvalid.
    """
    with connected(here.connections), beating(), naming(request), logged_waits():
        # What goes back must work while the git server does not.
        workspace = project(here.folder, fresh=not request.cause.goes_back)
        environment = here.where(workspace, request.environment) if here.where else request.environment
        yield workspace, replace(request, folder=workspace.root, environment=environment)


def at_work(workspace: Workspace, request: Request, stages: Stages, wait: timedelta) -> Work:
    """Run the stages of a request that is `prepared`; suspend the run where it has to wait for a yes. Raises SluiceError."""
    # A rollback waits for nobody, and what catches up after it is not the run's own request: it ends waiting, as elsewhere.
    alone = request.cause.publishes and not request.cause.goes_back and not request.rolled_back
    run, flow_run = suspendable() if alone else None, this_run()
    with (
        signed(workspace.store, str(flow_run.id) if flow_run else "", request.actor),
        linked(workspace, resumes=run is not None),
    ):
        if run is None:
            work = _walked(workspace, request, stages, wait)
        else:
            work = _answered(workspace, run, request, stages, wait)
        plan_again(work, wait=_PATIENCE)
        if work.generation is not None:
            wake_quietly(workspace.anew())  # the others that wait here were planned on what serves no longer
        show_status(workspace.anew())
    return work


def _walked(workspace: Workspace, request: Request, stages: Stages, wait: timedelta) -> Work:
    with begin(request, wait=wait, workspace=workspace) as work:
        return previewed(followed_up(walk(work, *stages)))


def _answered(
    workspace: Workspace, run: SuspendableRun, request: Request, stages: Stages, wait: timedelta
) -> Work:
    """Run the stages, or go on where the run was suspended; suspend it, again, while nobody has decided."""
    question, note = _standing(workspace, run), ""
    if question is None:
        work = _walked(workspace, request, stages, wait)
    else:
        work, note = _resumed(workspace, run, question, request, stages, wait)
    if work.outcome is not None and work.outcome.status is Status.WAITING:
        suspend(workspace, run, work, note)  # the lease is given back by now
    forget(workspace, run.id)
    return work


def _standing(workspace: Workspace, run: SuspendableRun) -> ApprovalQuestion | None:
    """Return the question that this run asked before; None if it is new, or starts anew after its promotion has ended."""
    question = workspace.store.question(run.id)
    promotion = workspace.store.promotion(question.promotion) if question is not None else None
    if question is None or promotion is None:
        return None
    return None if promotion.state in ENDED and question.attempt != run.attempt else question


def _resumed(
    workspace: Workspace,
    run: SuspendableRun,
    question: ApprovalQuestion,
    request: Request,
    stages: Stages,
    wait: timedelta,
) -> tuple[Work, str]:
    """Return the work after what was answered, and why the answer was not taken ("" if it was, or there was none)."""
    promotion = workspace.store.promotion(question.promotion)
    assert promotion is not None
    get_run_logger().info(f"going on with promotion {promotion.id}, which waited for an approval")
    request = pinned(workspace, request, promotion)
    if promotion.state in ENDED:
        return ended(recorded_work(workspace, request, promotion), promotion), ""
    note = "" if is_decided(workspace, promotion) else record_form_answer(workspace, run, question, promotion)
    if not is_decided(workspace, promotion):
        return waits_on(recorded_work(workspace, request, promotion), promotion), note
    return gone_on(workspace, request, promotion, stages, max(wait, _PATIENCE)), ""


def gone_on(
    workspace: Workspace, request: Request, promotion: Promotion, stages: Stages, wait: timedelta
) -> Work:
    """Return the work after a promotion was gone on with: from Approve on as it stands, or through all stages again where
    the environment or the candidate is no more what it was. The request is `pinned`."""
    with begin(request, wait=wait, workspace=workspace) as work:
        then = going_on(replace(work, request=request), promotion.id)
        if then is None:
            return walk(work, *stages)
        return then if then.outcome is not None else walk(then, *_from_approve_on(stages))


def _from_approve_on(stages: Stages) -> Stages:
    """Return the stages after the candidate was judged."""
    judged = [getattr(stage, "__name__", "") for stage in stages].index("approve")
    return stages[judged:]
