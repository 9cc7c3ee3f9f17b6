"""Answers that are given in a form of their own: the run that waits goes on, or this one does its work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.promotion import AnswerChannel, Decision, Promotion
from prefect_sluice.domain.stage_order import stages_of
from prefect_sluice.monitoring.run_signs import signed
from prefect_sluice.orchestration.conduct import RunContext, Stages, gone_on
from prefect_sluice.orchestration.connections import connected
from prefect_sluice.orchestration.final_states import concluded, ending
from prefect_sluice.orchestration.heartbeat import beating
from prefect_sluice.orchestration.project_folder import project
from prefect_sluice.orchestration.run_links import linked
from prefect_sluice.orchestration.shown.status_artifact import show_status
from prefect_sluice.orchestration.this_run import this_run
from prefect_sluice.orchestration.wait_log import logged_waits
from prefect_sluice.orchestration.wake_runs import has_a_run, wake, wake_quietly
from prefect_sluice.promotions.lookups import waiting_promotion
from prefect_sluice.promotions.request import request_for
from prefect_sluice.stages.approve import record
from prefect_sluice.stages.resume import pinned
from prefect_sluice.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Reply:
    """A decision about a promotion ("": the only one that waits). `shown` is the beginning of the digest that the page before
    the form showed ("": unknown)."""

    promotion: str
    shown: str
    decision: Decision
    by: str
    comment: str


def conduct_answer(reply: Reply, stages: Stages, here: RunContext) -> State[Any]:
    """Record a yes or no, and go on with its promotion: in the run that waits for it, or here.

    Of `stages`, which are all, it goes through those that a promotion of its cause has. What the policy does not take, and a
    promotion that is not there, are data of a Failed state.
    """

    def answered() -> State[Any]:
        with connected(here.connections), beating(), logged_waits():
            workspace = project(here.folder, fresh=False)
            promotion = waiting_promotion(workspace.store, reply.promotion)
            _refuse_what_was_not_shown(promotion, reply)
            record(
                workspace,
                promotion,
                reply.decision,
                by=reply.by,
                comment=reply.comment,
                channel=AnswerChannel.FORM,
            )
            for line in wake(workspace):
                get_run_logger().info(line)
            try:
                own = stages_of(promotion.cause)
                left = tuple(stage for stage in stages if getattr(stage, "__name__", "") in own)
                return _gone_on(workspace, promotion, reply, left, here)
            finally:
                show_status(workspace.anew())

    return ending(answered)


def _refuse_what_was_not_shown(promotion: Promotion, reply: Reply) -> None:
    """Refuse a yes to what has moved since the page was made that led to the form: that page showed something else."""
    if reply.decision is Decision.APPROVE and not promotion.binding.startswith(reply.shown):
        raise Refused(
            f"promotion {promotion.id} has moved since the page that led here was made",
            step=NextStep.of(
                "look at what it is now, then say it again: ", Command.of("approve", promotion.id)
            ),
        )


def _gone_on(
    workspace: Workspace, promotion: Promotion, reply: Reply, stages: Stages, here: RunContext
) -> State[Any]:
    if has_a_run(workspace, promotion):
        return Completed(
            name="Answered", message=f"{reply.decision.value} by {reply.by}: the run that asked goes on"
        )
    plainest = request_for(promotion.cause, workspace.root, promotion.environment, actor=reply.by)
    request = pinned(workspace, plainest, promotion)
    run = this_run()
    with signed(workspace.store, str(run.id) if run else "", reply.by), linked(workspace, resumes=False):
        work = gone_on(workspace, request, promotion, stages, here.wait)
    if work.generation is not None:
        wake_quietly(workspace.anew())
    return concluded(work)
