"""The ways in, as Prefect flows: each shows the order of its stages, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from prefect_sluice.promotions.request import Request
    from prefect_sluice.promotions.work import Work


def run(request: Request, *, wait: timedelta = timedelta(0)) -> Work:
    """Run a request as a Prefect flow in this process, against the configured server, and return the ended work.

    Raises what the stages raise, and ServerAway when no server answers.
    """
    from prefect_sluice.orchestration.run_from_cli import run_flow
    from prefect_sluice.promotions.request import (
        CheckRequest,
        PromoteRequest,
        RefreshRequest,
        ReleaseRequest,
        RollbackRequest,
    )

    match request:
        case ReleaseRequest():
            from prefect_sluice.flows.release import release

            return run_flow(release, request, wait, ref=request.ref, dirty=request.dirty, adopt=request.adopt)
        case CheckRequest():
            from prefect_sluice.flows.check import check

            own = {
                "ref": request.ref,
                "branch": request.branch,
                "preview": request.preview,
                "base": request.base,
            }
            return run_flow(check, request, wait, **own)
        case RefreshRequest():
            from prefect_sluice.flows.refresh import refresh

            return run_flow(refresh, request, wait, select=request.select)
        case RollbackRequest():
            from prefect_sluice.flows.rollback import rollback

            after = request.after
            return run_flow(
                rollback,
                request,
                wait,
                to=request.to,
                from_generation=request.back_from or None,
                hold=after.hold,
                reason=after.reason,
                catch_up=after.catch_up,
            )
        case PromoteRequest() if request.report:
            from prefect_sluice.flows.promote_report import promote_report

            named = {"report": request.report, "release": request.release, "origin": request.origin}
            return run_flow(promote_report, request, wait, **named)
        case PromoteRequest():
            from prefect_sluice.flows.promote import promote

            return run_flow(
                promote, request, wait, release=request.release, origin=request.origin, select=request.select
            )
        case _:
            assert_never(request)
