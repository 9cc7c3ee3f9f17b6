"""The ways in, without Prefect: which stages, in which order, under the environment's lease."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from prefect_sluice.approvals.expire import expire
from prefect_sluice.audit.ledger_check import proven
from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.stage_order import stages_of
from prefect_sluice.promotions.check_history import recorded_check
from prefect_sluice.promotions.controls import permit
from prefect_sluice.promotions.refresh_history import as_policy_says, noted
from prefect_sluice.promotions.request import CheckRequest, Request
from prefect_sluice.promotions.run_log import logged
from prefect_sluice.promotions.timing import timed
from prefect_sluice.promotions.wait_for_lease import wait_teller
from prefect_sluice.promotions.what_serves import know_what_serves, public_names_are_ours
from prefect_sluice.promotions.work import Stage, Status, Work, tell, walk
from prefect_sluice.reporting.openlineage.send import lineage_gathered, lineage_sent
from prefect_sluice.reporting.write_pages import paged
from prefect_sluice.runtime import process
from prefect_sluice.source.branches import branch_of
from prefect_sluice.stages.after_rollback import follow_up, followed_up
from prefect_sluice.stages.approve import approve
from prefect_sluice.stages.build import build
from prefect_sluice.stages.compare_with_base import refuse_no_base
from prefect_sluice.stages.deploy import deploy, settle
from prefect_sluice.stages.monitor import monitor
from prefect_sluice.stages.plan_again import overtaken, planned_anew, request_again
from prefect_sluice.stages.preview.end_previews import end_due
from prefect_sluice.stages.preview.show_preview import previewed, rule_of
from prefect_sluice.stages.rollback import rollback
from prefect_sluice.stages.source import source
from prefect_sluice.stages.stage import stage
from prefect_sluice.stages.test import test
from prefect_sluice.state.lease import TTL, hold_lease, this_process
from prefect_sluice.workspace.workspace import Workspace

_STAGES: Mapping[str, Stage] = {
    each.__name__: each for each in (approve, build, deploy, monitor, rollback, source, stage, test)
}
"""Each stage by its name; which of them, and in which order, says `stages_of`."""

_REFRESHED = frozenset({Status.DONE, Status.PARTIAL, Status.UNCHANGED})
"""How a refresh may end after which what waits is planned again."""


@contextmanager
def begin(
    request: Request,
    *,
    wait: timedelta = timedelta(0),
    ttl: timedelta = TTL,
    workspace: Workspace | None = None,
) -> Generator[Work]:
    """Take the environment's lease, settle what a dead process left, and give the work to walk with. `workspace` is the
    project's where it is open already.

    Raises LeaseHeld when another promotion is at work and `wait` is over, Stopped when a hold, freeze or block forbids it;
    Skipped instead, and recorded, where the environment's policy has a refresh left out then.
    """
    process.disable_telemetry()
    workspace = workspace or Workspace.at(request.folder)
    environment = workspace.environment(request.environment or None)
    request = replace(request, environment=environment.name)
    if isinstance(request, CheckRequest):
        with begin_check(request, workspace, wait=wait, ttl=ttl) as work:
            yield work
        return
    with as_policy_says(workspace, environment, request):
        permit(workspace, environment.name, request.cause, past=request.rolled_back)  # before any waiting
        told = wait_teller(environment.name, wait)
        holder = this_process(request.actor)
        with (
            lineage_sent(workspace) as outgoing,
            hold_lease(workspace.store, environment.name, holder, ttl=ttl, wait=wait, on_wait=told) as lease,
        ):
            ours = workspace.under(lease.lease)
            settle(ours, environment)
            expire(ours, environment)  # what is asked for now is asked for anew
            current = know_what_serves(workspace, environment, going_back=request.cause.goes_back)
            public_names_are_ours(workspace, environment)
            proven(workspace, environment)  # Deploy asks again; here nothing was built for nothing
            # Again: the rollback that was settled just now, or waited for, may have placed a hold.
            serving = current.release if request.cause.renews else ""
            permit(workspace, environment.name, request.cause, serving, past=request.rolled_back)
            with (
                logged(workspace, request) as log,
                paged(workspace.anew()),
                lineage_gathered(workspace, outgoing, log),
                timed(workspace.store),
                noted(ours, request),
            ):
                yield Work(request, lease.lease, workspace=ours)


@contextmanager
def begin_check(
    request: CheckRequest, workspace: Workspace, *, wait: timedelta, ttl: timedelta = TTL
) -> Generator[Work]:
    """Give the work of a check to walk with. It changes nothing that is served, so no hold, freeze or block forbids it, and it
    settles and ends nothing: it takes turns with other checks of the environment only, and works in folders of its own. One that
    is to be shown ends the previews that have come to their end.

    Raises LeaseHeld when another check is at work and `wait` is over.
    """
    branch = request.branch or branch_of(workspace.repository, request.ref)
    request = replace(request, asked=request.asked or process.now(), branch=branch)
    if request.base:
        refuse_no_base(workspace, request.ref, request.base)
    if request.preview:
        end_due(workspace, actor=request.actor)
        rule_of(workspace, request)  # before anything is built for nothing
    workspace = workspace.beside(".check")
    told = wait_teller(request.lease_name, wait)
    holder = this_process(request.actor)
    with (
        lineage_sent(workspace) as outgoing,
        hold_lease(workspace.store, request.lease_name, holder, ttl=ttl, wait=wait, on_wait=told) as lease,
    ):
        know_what_serves(workspace, workspace.environment(request.environment))
        with (
            logged(workspace, request) as log,
            paged(workspace.anew()),
            lineage_gathered(workspace, outgoing, log),
            timed(workspace.store),
            recorded_check(workspace.under(lease.lease), request),
        ):
            yield Work(request, lease.lease, workspace=workspace.under(lease.lease))


def run(
    request: Request,
    *,
    wait: timedelta = timedelta(0),
    ttl: timedelta = TTL,
    workspace: Workspace | None = None,
) -> Work:
    """Run all stages of a request in this process and return the ended work. Safe to run again after any crash.

    What a rollback asked to come after it does not run here, but in `catch_up`.
    """
    with begin(request, wait=wait, ttl=ttl, workspace=workspace) as work:
        ended = previewed(followed_up(walk(work, *(_STAGES[name] for name in stages_of(request.cause)))))
    plan_again(ended, wait=wait)
    return ended


def plan_again(work: Work, *, wait: timedelta = timedelta(0)) -> None:
    """After a refresh, stage anew what waited while refreshes moved the environment on; whoever said yes to it is not asked
    again where nothing is new or worse. What came of each is told; none fails the refresh, which is done. Repeatable: what
    did not come to its end is left to the next refresh.
    """
    if not work.request.cause.renews or work.outcome is None or work.outcome.status not in _REFRESHED:
        return
    workspace = work.workspace.anew()
    for old in overtaken(workspace, work.request.environment):
        request = request_again(workspace, old)
        tell(f"planning promotion {old.id} again, which waited")
        stages = stages_of(request.cause)
        try:
            with begin(request, wait=wait, workspace=workspace.anew()) as began:
                done = walk(began, *(_STAGES[name] for name in stages[: stages.index("approve")]))
                tell(planned_anew(done, old))
        except SluiceError as error:
            tell(f"promotion {old.id} could not be planned again: {error}")


def catch_up(work: Work, *, wait: timedelta = timedelta(0)) -> Work | None:
    """Refresh the older code's data after a rollback, if that was asked for; return the ended work, or None. Repeatable."""
    request = follow_up(work)
    return run(request, wait=wait, workspace=work.workspace.anew()) if request is not None else None
