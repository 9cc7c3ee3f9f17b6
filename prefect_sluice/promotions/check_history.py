"""What is recorded of checks, by commit and environment: that one began, and how it ended."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.promotion import State
from prefect_sluice.promotions.request import CheckRequest
from prefect_sluice.promotions.work import Work, following
from prefect_sluice.runtime import process
from prefect_sluice.state.records import CheckResult
from prefect_sluice.workspace.workspace import Workspace


@contextmanager
def recorded_check(workspace: Workspace, request: CheckRequest) -> Generator[None]:
    """Record that a check begins in the block, once Source knows its commit, and how it ended. Call it under the lease.

    One that breaks by something that passes stays without an end, as one whose process died: it is to be made again.
    """
    kept: list[tuple[Work, CheckResult]] = []

    def follow(work: Work) -> None:
        if work.change is None:
            return
        if not kept:
            begun = _begun(request, work.change.commit)
            _save(workspace, begun)
            kept.append((work, begun))
        kept[0] = (work, kept[0][1])

    try:
        with following(follow):
            yield
    except Exception as error:
        if kept and not (isinstance(error, SluiceError) and error.retry):
            _close(workspace, *kept[0], State.FAILED.value, str(error))
        raise
    if kept and (outcome := kept[0][0].outcome) is not None:
        _close(workspace, *kept[0], outcome.status.value, outcome.message)


def _begun(request: CheckRequest, commit: str) -> CheckResult:
    at = request.asked or process.now()
    return CheckResult(request.environment, commit, request.branch or request.ref, request.actor, at)


def _close(workspace: Workspace, work: Work, begun: CheckResult, status: str, message: str) -> None:
    findings = [finding for report in work.reports for finding in report.findings]
    ended = replace(
        begun,
        ended=process.now(),
        status=status,
        message=message,
        promotion=work.promotion.id if work.promotion else "",
        findings=sum(not finding.verdict.lets_through for finding in findings),
    )
    # It is done, and on record as a promotion: that this cannot be written is no reason to call it failed.
    with suppress(SluiceError):
        _save(workspace, ended)


def _save(workspace: Workspace, result: CheckResult) -> None:
    with workspace.store.transaction() as transaction:
        transaction.put_check(result)
