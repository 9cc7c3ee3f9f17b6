"""What is recorded of refreshes: when the last one began and how it ended, and each night that was left out, and why."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from prefect_sluice.domain.errors import LeaseHeld, Skipped, SluiceError, Stopped
from prefect_sluice.domain.refresh_rules import FAILED, SKIPPED, RefreshAttempt, answered
from prefect_sluice.promotions.request import RefreshRequest, Request
from prefect_sluice.promotions.work import Work, keeping
from prefect_sluice.runtime import process
from prefect_sluice.workspace.workspace import Environment, Workspace

if TYPE_CHECKING:
    from prefect_sluice.domain.digests import Json
    from prefect_sluice.state.reader import Reads


def last(reads: Reads, environment: str) -> RefreshAttempt | None:
    """Return the last attempt to refresh all of an environment, skipped ones included; None if there was none."""
    return reads.refresh(environment)


@contextmanager
def as_policy_says(workspace: Workspace, environment: Environment, request: Request) -> Generator[None]:
    """Have a refresh in the block left out where the environment's policy says so, with a ledger entry that says why.

    Raises Skipped then. Any other cause, and the refresh that belongs to a rollback, is let through as it is.
    """
    if not isinstance(request, RefreshRequest) or request.past:
        yield
        return
    _leave_answered(workspace, request)
    try:
        yield
    except Skipped:
        raise
    except Stopped as stopped:
        if environment.policy.refresh.held == "fail":
            raise
        raise _skip(workspace, request, Skipped(stopped.why, stopped.fix, stopped.control)) from stopped
    except LeaseHeld as busy:
        if environment.policy.refresh.busy == "fail":
            raise
        raise _skip(workspace, request, Skipped(busy.problem, busy.way_out)) from busy


@contextmanager
def noted(workspace: Workspace, request: Request) -> Generator[None]:
    """Record that a refresh of everything begins in the block, and how it ended. Call it under the lease.

    Raises Skipped, before anything, when what it was due for was done while it waited for the lease.
    """
    if not isinstance(request, RefreshRequest) or request.select:
        yield
        return
    _leave_answered(workspace, request)
    begun = RefreshAttempt(process.now(), by=_by(request))
    _save_attempt(workspace, request, begun)
    kept: list[Work] = []
    try:
        with keeping(kept):
            yield
    except Exception as error:
        _close(workspace, request, begun, FAILED, str(error))
        raise
    outcome = kept[-1].outcome if kept else None
    if outcome is not None:
        _close(workspace, request, begun, outcome.status.value, outcome.message)


def _leave_answered(workspace: Workspace, request: RefreshRequest) -> None:
    if request.due is None or request.select:
        return
    why = answered(request.due, last(workspace.store, request.environment))
    if why:
        raise Skipped(why)


def _skip(workspace: Workspace, request: RefreshRequest, skipped: Skipped) -> Skipped:
    """Record that a refresh was left out, and return the error that says so."""
    now = process.now()
    attempt = RefreshAttempt(now, now, SKIPPED, skipped.why, _by(request))
    facts: dict[str, Json] = {"why": skipped.why, "control": skipped.control}
    if request.due is not None:
        facts["due"] = request.due.due.isoformat()
    with workspace.store.transaction() as transaction:
        if not request.select:
            transaction.put_refresh(request.environment, attempt)
        transaction.append(
            "refresh.skipped", environment=request.environment, actor=request.actor, facts=facts, at=now
        )
    return skipped


def _by(request: RefreshRequest) -> str:
    return request.due.by if request.due else ""


def _close(
    workspace: Workspace, request: RefreshRequest, begun: RefreshAttempt, status: str, message: str
) -> None:
    ended = replace(begun, ended=process.now(), status=status, message=message)
    # It is done, and on record elsewhere: that this cannot be written is no reason to call it failed.
    with suppress(SluiceError):
        _save_attempt(workspace, request, ended)


def _save_attempt(workspace: Workspace, request: RefreshRequest, attempt: RefreshAttempt) -> None:
    with workspace.store.transaction() as transaction:
        transaction.put_refresh(request.environment, attempt)
