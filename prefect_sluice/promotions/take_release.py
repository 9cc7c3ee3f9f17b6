"""Source for a promotion: which release goes on, whether the order of environments lets it, and whether a part of it only."""

from __future__ import annotations

from dataclasses import replace

from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.domain.release import DIRTY, Release
from prefect_sluice.planning.dashboards import find_consumer, selector
from prefect_sluice.promotions.compose_part import compose
from prefect_sluice.promotions.dashboards import declared_in
from prefect_sluice.promotions.environment_order import before, comes_after
from prefect_sluice.promotions.records import opened
from prefect_sluice.promotions.request import PromoteRequest
from prefect_sluice.promotions.work import Status, Work, tell
from prefect_sluice.workspace.policy_in_force import governance, governed
from prefect_sluice.workspace.workspace import Environment, Workspace


def take(work: Work, request: PromoteRequest) -> Work:
    """Return the work with the release to promote; ended if it is served already.

    No ref of the repository is looked at. Raises BadInput for what cannot be meant, Refused for what is out of order.
    """
    workspace, place = opened(work)
    asked = _picked(workspace, place, request)
    release = chosen(workspace, place, asked)
    tell(f"release {release.short}")
    told = replace(work, request=asked, change=release.change, release=release)
    current = workspace.warehouse(place).generation(place.name)
    if current.number == 0 or current.release != release.id or _is_unfinished(workspace, current.promotion):
        return told
    if governance(workspace, place.name, release, Cause.PROMOTION).changes:
        return told
    serves = f"generation {current.number}, release {release.short}"
    if request.report:
        return told.ends(
            Status.UNCHANGED, f"{_same(workspace, place, request)}; {place.name} serves {serves}"
        )
    return told.ends(Status.UNCHANGED, f"{place.name} serves this already: {serves}")


def _same(workspace: Workspace, environment: Environment, request: PromoteRequest) -> str:
    """Say that there is nothing to promote of a dashboard. The data is each environment's own, and may differ."""
    origin = request.origin or before(environment, workspace.environments)
    there = f"release {request.release}" if request.release else origin
    made = f"all that it reads is made in {environment.name} as in {there}"
    return (
        f"dashboard {request.report!r} already shows in {environment.name} what it shows in {there}: {made}"
    )


def chosen(workspace: Workspace, environment: Environment, request: PromoteRequest) -> Release:
    """Return the release that a promotion is to make current: a whole one, or one put together of a part. Repeatable.

    Raises BadInput for what cannot be meant, Refused for what is out of order.
    """
    release, select = _release_and_selector(workspace, environment, _picked(workspace, environment, request))
    _permit(workspace, environment, release)
    return (
        _part(governed(workspace, release), environment, release, select, request.actor)
        if select
        else release
    )


def _picked(workspace: Workspace, environment: Environment, request: PromoteRequest) -> PromoteRequest:
    """Return the request with the selector of the dashboard that it names, if it names one. Repeatable."""
    if not request.report:
        return request
    whole = _whole(workspace, environment, request)
    where = (
        f"release {whole.short}"
        if request.release
        else request.origin or before(environment, workspace.environments)
    )
    found = selector(
        find_consumer(declared_in(workspace, environment, whole, request.origin), request.report, where)
    )
    if request.select not in {"", found}:
        raise BadInput("a report and a selector are two answers to one question", fix="give one of them")
    return replace(request, select=found)


def _is_unfinished(workspace: Workspace, id: str) -> bool:
    """Say whether a promotion died between Deploy and Monitor: there is something left to do."""
    promotion = workspace.store.promotion(id)
    return promotion is not None and promotion.state is State.DEPLOYED


def _release_and_selector(
    workspace: Workspace, environment: Environment, request: PromoteRequest
) -> tuple[Release, str]:
    """Return the release as a whole, and the selector of the part to take ("" for all of it)."""
    release = _whole(workspace, environment, request)
    made = release.composed
    if made is None or made.environment != environment.name or request.select:
        return release, request.select
    # It was put together for this very environment: again, on what is served there now.
    return _find_release(workspace, made.of), made.select


def _whole(workspace: Workspace, environment: Environment, request: PromoteRequest) -> Release:
    if request.release and request.origin:
        raise BadInput("a release and --from are two answers to one question", fix="give one of them")
    return (
        _find_release(workspace, request.release)
        if request.release
        else served(workspace, environment, request.origin)
    )


def _find_release(workspace: Workspace, text: str) -> Release:
    store = workspace.store
    found = store.release(text)
    if found is not None:
        return found
    whole = [item for item in store.releases() if item.composed is None]
    of_commit = [item for item in whole if item.change.commit.startswith(text)]
    commits = sorted({item.change.commit[: len(text) + 6] for item in of_commit})
    if len(commits) > 1:
        raise BadInput(f"{text!r} is more than one commit: {', '.join(commits[:3])}", fix="give more of it")
    if not of_commit:
        raise BadInput(
            f"there is no release {text!r}: give the beginning of a release's id, or of its commit",
            step=NextStep.of("see which there are: ", Command.of("history")),
        )
    return of_commit[0]


def served(workspace: Workspace, environment: Environment, origin: str) -> Release:
    """Return the release that `origin` serves, by default the environment before `environment`. Raises BadInput, Refused."""
    name = origin or before(environment, workspace.environments)
    if not name:
        raise BadInput(
            f"nothing says where a promotion to {environment.name!r} comes from",
            fix="name a release, or --from ENV",
        )
    if name == environment.name:
        raise BadInput(f"{name!r} cannot be promoted to itself", fix="name another environment: --from")
    other = workspace.environment(name)
    current = workspace.warehouse(other).generation(name)
    if not current.number:
        raise Refused(
            f"environment {name!r} serves nothing yet",
            step=NextStep.of("release something there: ", Command.of("release", "--env", name)),
        )
    release = workspace.store.release(current.release)
    if release is None:
        raise Refused(
            f"{name} serves release {current.release[:7]}, of which this state store knows nothing",
            f"work where it was released, or name that state store in {workspace.file.name}: state",
        )
    return release


def _permit(workspace: Workspace, environment: Environment, release: Release) -> None:
    """Raise Refused when the release may not come here yet, or would go backwards."""
    if environment.approvals and release.change.commit == DIRTY:
        raise Refused(
            f"environment {environment.name!r} needs approvals, and takes commits only",
            "commit first (git add -A && git commit), then release that",
        )
    must, environments = before(environment, workspace.environments), workspace.environments
    tried = [item for item in workspace.store.promotions() if item.release == release.id]
    stable = {item.environment for item in tried if item.state is State.STABLE}
    if must in stable or (not must and environment.policy.after):
        return
    behind = sorted(
        name for name in stable & environments.keys() if comes_after(name, environment.name, environments)
    )
    if behind:
        raise Refused(
            f"release {release.short} is past {environment.name}: it served {behind[0]}, and a promotion goes on, not back",
            step=NextStep.of(
                "release its commit there: ",
                Command.of("release", release.change.short, "--env", environment.name),
            ),
        )
    if must:
        raise Refused(
            f"release {release.short} was never stable in {must}, which comes before {environment.name}"
            f"{_instead(tried, must)}",
            step=NextStep.of("bring it there first: ", _next(workspace, release, must)),
        )


def _instead(tried: list[Promotion], environment: str) -> str:
    there = [item for item in tried if item.environment == environment]
    return f" (there it is {there[0].state.value})" if there else ""


def _next(workspace: Workspace, release: Release, must: str) -> Command:
    """Return the command that brings a release to the environment before."""
    earlier = before(workspace.environments[must], workspace.environments)
    if release.composed is not None or earlier:
        return Command.of("promote", release.short, "--to", must)
    return Command.of("release", release.change.short, "--env", must)


def _part(
    workspace: Workspace, environment: Environment, release: Release, select: str, actor: str
) -> Release:
    current = workspace.warehouse(environment).generation(environment.name)
    base = workspace.store.release(current.release) if current.number else None
    if base is None:
        raise Refused(
            f"environment {environment.name!r} serves nothing yet that a part could be put on",
            "promote all of it: leave out --select",
        )
    return (
        release
        if base.id == release.id
        else compose(workspace, environment, release, base, select, actor=actor)
    )
