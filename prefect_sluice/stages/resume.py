"""Going on with a promotion that somebody else's scheduler let wait: from what is recorded, without planning again."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from prefect_sluice.approvals.decide import ruling
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.promotion import ENDED, ApprovalQuestion, Lease, Promotion, State
from prefect_sluice.promotions.candidate_files import candidate_is_whole
from prefect_sluice.promotions.request import (
    CheckRequest,
    PromoteRequest,
    RefreshRequest,
    ReleaseRequest,
    Request,
    RollbackRequest,
)
from prefect_sluice.promotions.stored_plan import stored_plan
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.runtime import process
from prefect_sluice.stages.approve import take_carried
from prefect_sluice.workspace.policy_in_force import needed
from prefect_sluice.workspace.workspace import Workspace

_ENDS = {
    State.STABLE: Status.UNCHANGED,
    State.UNCHANGED: Status.UNCHANGED,
    State.REFUSED: Status.REFUSED,
    State.FAILED: Status.REFUSED,
    State.REJECTED: Status.REJECTED,
    State.SUPERSEDED: Status.SUPERSEDED,
    State.EXPIRED: Status.EXPIRED,
    State.CHECKED: Status.CHECKED,
}


def ask(workspace: Workspace, run: str, attempt: int, promotion: Promotion) -> ApprovalQuestion:
    """Record what a run asks from now on, in place of what it asked before, and return it. Each call is another question."""
    with workspace.store.transaction() as transaction:
        before = transaction.question(run)
        number = before.number + 1 if before is not None else 1
        question = ApprovalQuestion(run, promotion.id, promotion.binding, attempt, number, process.now())
        transaction.put_question(question)
    return question


def no_answer(workspace: Workspace, question: ApprovalQuestion) -> None:
    """Have no answer to a question count any more, whoever fills in its form. Repeatable."""
    with workspace.store.transaction() as transaction:
        transaction.put_question(replace(question, attempt=0))


def forget(workspace: Workspace, run: str) -> None:
    """Forget what a run asked. Repeatable."""
    if workspace.store.question(run) is not None:
        with workspace.store.transaction() as transaction:
            transaction.drop_question(run)


def is_decided(workspace: Workspace, promotion: Promotion) -> bool:
    """Say whether there is more to do for a promotion than to wait: it ended, somebody said yes or no, by whatever way, or
    nobody has to any more."""
    if promotion.state is not State.STAGED or not needed(workspace, promotion):
        return True
    take_carried(workspace, promotion)
    return ruling(workspace, promotion).by is not None


def pinned(workspace: Workspace, request: Request, promotion: Promotion) -> Request:
    """Return the request for the very release that a promotion is of, wherever its branch is by now."""
    release = workspace.store.release(promotion.release)
    environment = promotion.environment
    match request:
        case ReleaseRequest() | CheckRequest():
            ref = release.change.commit if release is not None else request.ref
            return replace(request, environment=environment, ref=ref)
        case PromoteRequest():
            # A part is in the release by now: it was put together for this environment.
            whole = promotion.release
            return replace(request, environment=environment, release=whole, origin="", select="")
        case RefreshRequest() | RollbackRequest():
            return replace(request, environment=environment)
        case _:
            assert_never(request)


def recorded_work(
    workspace: Workspace, request: Request, promotion: Promotion, lease: Lease | None = None
) -> Work:
    """Return the work as it was when the promotion was staged. Without a lease it is only for looking at."""
    now = process.now()
    release = workspace.store.release(promotion.release)
    return Work(
        request,
        lease or Lease(promotion.environment, 0, "", now, now),
        change=release.change if release else None,
        release=release,
        plan=stored_plan(workspace, promotion.plan) if promotion.plan else None,
        promotion=promotion,
        reports=tuple(report for _, report in workspace.store.reports(promotion.id)),
        resumed=True,
        workspace=workspace,
    )


def ended(work: Work, promotion: Promotion) -> Work:
    """Return the work of a promotion that came to its end elsewhere, ended as that did."""
    status, message = _ENDS[promotion.state], promotion.message or promotion.state.value
    if promotion.state is State.STABLE:
        message = f"promotion {promotion.id} was published already, as generation {promotion.generation}"
    return replace(work, promotion=promotion).ends(status, message)


def waits_on(work: Work, promotion: Promotion) -> Work:
    """Return the work, ended by waiting for an answer."""
    message = f"promotion {promotion.id} waits for an approval"
    step = NextStep.of(Command.of("approve", promotion.id))
    return replace(work, promotion=promotion).ends(Status.WAITING, message, step)


def going_on(work: Work, promotion: str) -> Work | None:
    """Return the work as Approve takes it, ended if the promotion is; None if its stages have to be gone through again.

    It is gone on with as it stands only if the environment still serves what it was planned from, and the candidate is there,
    byte for byte: so what is published is what was approved. Under the environment's lease.
    """
    workspace = work.workspace
    found = workspace.store.promotion(promotion)
    if found is None:
        return None
    then = recorded_work(workspace, work.request, found, work.lease)
    if found.state in ENDED:
        return ended(then, found)
    if found.state is State.DEPLOYED:
        return then
    live = workspace.warehouse(workspace.environment(found.environment)).generation(found.environment)
    if live.number != found.base or not found.evidence or not candidate_is_whole(workspace, found):
        return None
    return then
