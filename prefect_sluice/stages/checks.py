"""The beginning and the end of a check: which recorded attempt it goes on with, and what it says where every gate said yes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from prefect_sluice.domain.controls import forbidding
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.displaced_names import describe_displaced
from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.promotion import ENDED, Promotion, State
from prefect_sluice.promotions.candidate_files import candidate_is_whole
from prefect_sluice.promotions.controls import current
from prefect_sluice.promotions.records import OPEN, advance, promotion_of
from prefect_sluice.promotions.request import CheckRequest
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.stages.resume import ended, recorded_work
from prefect_sluice.workspace.workspace import Environment, Workspace

_LOOKED_AT = (*OPEN, State.CHECKED, State.REFUSED)


def begun(
    work: Work, workspace: Workspace, request: CheckRequest, fresh: Promotion, facts: Mapping[str, Json]
) -> Work:
    """Return the work with the promotion of its check: what a process that died began of it, else the `fresh` one; ended where
    another check answered for it. `facts` are what the ledger says of its beginning. Other checks that nobody works on any
    more are superseded. Repeatable.
    """
    again: Promotion | None = None
    for old in checks(workspace, fresh.environment, _LOOKED_AT):
        same = (old.plan, old.policy) == (fresh.plan, fresh.policy)
        if same and _answers(workspace, old, request):
            return _answered(work, workspace, old)
        if old.state in ENDED:
            continue
        if same and again is None:
            again = old
        else:
            end_dead(workspace, old, request.actor)
    started = again or advance(workspace, fresh, State.STARTED, actor=request.actor, facts=facts, message="")
    return replace(work, promotion=started)


def checks(workspace: Workspace, environment: str, states: tuple[State, ...]) -> tuple[Promotion, ...]:
    """Return the checks of an environment in these states, newest first."""
    promotions = workspace.store.promotions(environment=environment, states=states)
    return tuple(promotion for promotion in promotions if promotion.cause is Cause.CHECK)


def end_dead(workspace: Workspace, promotion: Promotion, actor: str) -> Promotion:
    """End a check whose process died; only under the lease of the environment's checks. Repeatable."""
    message = "its process died before it came to an end"
    return advance(workspace, promotion, State.SUPERSEDED, actor=actor, message=message)


def _answers(workspace: Workspace, old: Promotion, request: CheckRequest) -> bool:
    """Say whether a check of the very same plan under the same policy answers for one that is asked for now: a yes does, for a
    preview if what it built is still there; a no only where it was found while this one waited, since somebody may have mended
    what is not in the plan."""
    if old.state is State.CHECKED:
        return not request.preview or candidate_is_whole(workspace, old)
    return old.state is State.REFUSED and request.asked is not None and old.updated_at >= request.asked


def _answered(work: Work, workspace: Workspace, old: Promotion) -> Work:
    earlier = recorded_work(workspace, work.request, old, work.lease)
    then = replace(earlier, base=work.base, commits=work.commits)
    if old.state is State.CHECKED:
        return checked(then, workspace, workspace.environment(old.environment))
    return ended(then, old)


def checked(work: Work, workspace: Workspace, environment: Environment) -> Work:
    """Return the work of a check that every gate let through, ended; it says what would keep a release out now."""
    promotion, change = promotion_of(work), work.change
    what = change.short if change is not None else promotion.release[:7]
    gates = sum(not report.not_applicable for report in work.reports)
    before = " (as found before)" if work.resumed else ""
    against = f"generation {promotion.base}" if promotion.base else "no generation yet"
    passed = f"{count(gates, 'gate')} passed{before}"
    message = f"{what} passes in {promotion.environment}, beside {against}: {passed}; nothing was published"
    stops = "; ".join(_in_the_way(workspace, environment, promotion.release))
    if stops:
        return work.ends(Status.CHECKED, f"{message}. A release would be refused now: {stops}")
    step = NextStep.of(Command.of("release", what, "--env", promotion.environment))
    return work.ends(Status.CHECKED, message, step)


def _in_the_way(workspace: Workspace, environment: Environment, release: str) -> Iterator[str]:
    """Yield what keeps a release out of an environment, whatever the gates say."""
    stop = forbidding(current(workspace), Cause.RELEASE, environment.name, release)
    if stop is not None:
        yield stop.told
    if environment.policy.direct == "deny":
        yield f"{environment.name} takes no release directly (direct: deny)"
    with suppress(
        SluiceError
    ):  # another process holds it: what stands in the way is not known, and nothing is lost
        displaced = workspace.warehouse(environment).displaced(environment.name)
        if displaced:
            yield f"{environment.name} does not serve what was published: {describe_displaced(displaced)}"
