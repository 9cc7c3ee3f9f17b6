"""Checks that a schedule or an event starts: first a cheap look at git, and the stages only if there is a new commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from prefect.client.schemas.objects import State

from prefect_sluice.domain.errors import LeaseHeld
from prefect_sluice.domain.poll_rules import BranchHead, next_to_check
from prefect_sluice.orchestration.conduct import RunContext, Stages, at_work, prepared
from prefect_sluice.orchestration.final_states import concluded, ending
from prefect_sluice.orchestration.git_poll import fetch_ref
from prefect_sluice.orchestration.nothing_new import nothing_new
from prefect_sluice.orchestration.this_run import this_run, under_way
from prefect_sluice.promotions.request import CheckRequest
from prefect_sluice.promotions.work import Work
from prefect_sluice.runtime import process
from prefect_sluice.source import git
from prefect_sluice.source.branches import branch_heads, fetch
from prefect_sluice.stages.preview.end_previews import end_due
from prefect_sluice.workspace.previews import BY_BRANCH
from prefect_sluice.workspace.workspace import Environment, Workspace


def conduct_check(request: CheckRequest, stages: Stages, here: RunContext) -> State[Work]:
    """Run the stages of a check and return the state that the run ends in.

    A run that a schedule started checks the newest commit, not checked yet, of the branches that `schedules.check` names, and
    ends at once as Unchanged where there is none. One that an event of git started has a branch; where that is not one of
    these, it ends so, too. What a person asks for is fetched if the repository does not have it. Otherwise as `conduct`.
    """
    return ending(lambda: _checked(request, stages, here))


def _checked(request: CheckRequest, stages: Stages, here: RunContext) -> State[Work]:
    run = this_run()
    with prepared(request, here) as (workspace, full):
        if run is None or run.deployment_id is None or under_way(run):
            return concluded(at_work(workspace, full, stages, here.wait))
        if not run.auto_scheduled:
            patterns = _patterns(workspace)
            if request.branch and not any(fnmatchcase(request.branch, pattern) for pattern in patterns):
                return nothing_new(
                    f"branch {request.branch} is not among those that are checked: {', '.join(patterns)}"
                )
            full = _with_preview(workspace, replace(full, ref=fetch_ref(workspace, request.ref)))
            return concluded(at_work(workspace, full, stages, here.wait))
        environment = workspace.environment(request.environment or None)
        head = newest_unchecked(workspace, environment, _patterns(workspace))
        end_due(workspace, actor=request.actor, ask_git=True)
        if head is None:
            return nothing_new(f"no commit of {', '.join(_patterns(workspace))} that was not checked")
        try:
            new = _with_preview(workspace, replace(full, ref=head.commit, branch=head.branch))
            return concluded(at_work(workspace, new, stages, here.wait))
        except LeaseHeld as later:
            return nothing_new(f"{head.commit[:7]} is new on {head.branch}, and waits: {later}")


def _with_preview(workspace: Workspace, request: CheckRequest) -> CheckRequest:
    """Return the request with the preview that `schedules.check` has it shown in, where it has a branch and names none."""
    check = workspace.settings.schedules.check
    wanted = check is not None and check.previews and request.branch and not request.preview
    return replace(request, preview=BY_BRANCH) if wanted else request


def newest_unchecked(
    workspace: Workspace, environment: Environment, patterns: Sequence[str]
) -> BranchHead | None:
    """Fetch, and return the newest head of a branch that matches and that no check came to an end for; None for none. Runs no
    stage, opens no warehouse. Repeatable. Raises BadInput when the remote does not answer."""
    repository = git.root(workspace.root)
    heads = branch_heads(repository, fetch(repository))
    done = {check.commit for check in workspace.store.checks(environment.name) if check.ended is not None}
    return next_to_check(heads, patterns, done, process.now())


def _patterns(workspace: Workspace) -> tuple[str, ...]:
    check = workspace.settings.schedules.check
    return check.branches if check else ("*",)
