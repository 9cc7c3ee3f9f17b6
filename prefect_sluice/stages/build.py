"""Build: from a change to a release, packed and planned. Builds no relation: that is Stage's."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace

from prefect_sluice.config.policy import Governance
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.node import Node, short_name
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.domain.release import CommitRange, Release
from prefect_sluice.gates import checked
from prefect_sluice.planning.against_base import AgainstBase
from prefect_sluice.planning.plan import Action, Plan
from prefect_sluice.promotions import publish_forecast
from prefect_sluice.promotions.commits import commit_range
from prefect_sluice.promotions.controls import permit
from prefect_sluice.promotions.load_project import load
from prefect_sluice.promotions.records import OutOfOrder, advance, open_promotions, opened
from prefect_sluice.promotions.request import CheckRequest, Request
from prefect_sluice.promotions.work import Status, Work, tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.stages import adopt as adopting
from prefect_sluice.stages.candidate.without_failed import held_back
from prefect_sluice.stages.checks import begun
from prefect_sluice.stages.compare_with_base import against_base
from prefect_sluice.stages.plan_release import pack, plan_for
from prefect_sluice.stages.select_nodes import moved
from prefect_sluice.workspace import policy_in_force
from prefect_sluice.workspace.workspace import Environment, Workspace


def build(work: Work) -> Work:
    """Return the work with its release, plan and promotion; ended if there is nothing to do.

    Raises DbtFailed when the project does not parse, Refused when the environment cannot take it.
    """
    workspace, environment = opened(work)
    if work.change is None:
        raise OutOfOrder()
    release = work.release or pack(workspace, environment, work.change, work.request.actor)
    reach(FaultPoint.BUILD_PACKED)
    permit(workspace, environment.name, work.request.cause, release.id, past=work.request.rolled_back)
    found = policy_in_force.governance(workspace, environment.name, release, work.request.cause)
    policy_in_force.refuse_uncommitted(workspace, found, release)
    workspace = policy_in_force.governed(workspace, release, found.counting)
    environment = workspace.environment(environment.name)
    _tell_policy(workspace, found)
    plan = plan_for(work.request, workspace, environment, release)
    reach(FaultPoint.BUILD_PLANNED)
    commits = commit_range(workspace, plan, release)
    told = replace(work, release=release, plan=plan, commits=commits)
    adopting.refuse_taken_names(workspace, environment, plan)
    nodes = load(workspace, environment, release).project.nodes
    _refuse_readers_of_old_names(plan, nodes)
    _refuse_readers_of_what_goes(plan, nodes)
    publish_forecast.refuse_what_does_not_fit(workspace, environment, plan)
    if (
        plan.base
        and plan.base_release == release.id
        and (plan.changes_nothing or _is_the_rest(workspace, environment, plan))
        and (work.request.cause.renews or not found.changes)
    ):
        unwatched = _unwatched(workspace, environment) if work.request.cause.publishes else None
        if unwatched is not None:
            return replace(told, promotion=unwatched)
        return told.ends(Status.UNCHANGED, _unchanged(plan, release))
    if isinstance(work.request, CheckRequest):
        request = work.request
        base = (
            against_base(workspace, environment, release, plan, request.base, request.actor)
            if request.base
            else None
        )
        told, facts = replace(told, base=base), _facts(found, commits, base)
        return begun(told, workspace, request, _fresh(workspace, plan, found, request), facts)
    promotion = _promotion(workspace, plan, found, work.request, _facts(found, commits))
    return replace(told, promotion=promotion)


def _tell_policy(workspace: Workspace, found: Governance) -> None:
    """Check what the gates are told, and say aloud which policy counts where that is not plain. Raises ConfigInvalid."""
    checked(found.proposed.gates, workspace.file.name)
    if found.served is None:
        tell(
            f"first release to {found.proposed.environment}: the policy of its own {workspace.file.name} counts"
        )
    for change in found.changes:
        tell(f"policy changes{', after this release' if found.waits else ''}: {change.text}")


def _refuse_readers_of_old_names(plan: Plan, nodes: Mapping[str, Node]) -> None:
    """Raise Refused for a node that reads an old name by hand: it would read what served before, not what is built now."""
    new = {item.name.folded: item.new for item in plan.old_names}
    for node in nodes.values():
        for name in node.sources:
            if name.folded in new:
                raise Refused(
                    f"{node.short} reads {name}, the old name of {new[name.folded]}",
                    f"read the new one: in {node.path}, ref() of the model that is {new[name.folded]} now",
                )


def _refuse_readers_of_what_goes(plan: Plan, nodes: Mapping[str, Node]) -> None:
    """Raise Refused for a node that reads a relation which this release takes away: its model is gone, or `selectors.yml`
    leaves it out of what a plain `dbt build` makes."""
    old = {item.name.folded for item in plan.old_names}
    going = {step.name.folded: step for step in plan.of(Action.REMOVE) if step.name.folded not in old}
    for node in nodes.values():
        lost = next((going[name.folded] for name in node.sources if name.folded in going), None)
        if lost is not None:
            raise Refused(
                f"{node.short} reads {lost.name}, which this release takes away: {short_name(lost.node)} is no part of it",
                f"mend {node.path}; or keep {short_name(lost.node)} among the models that a plain `dbt build` makes"
                " (selectors.yml, `enabled`)",
            )


def _unchanged(plan: Plan, release: Release) -> str:
    serves = f"generation {plan.base}, release {release.short}"
    if not plan.cause.renews:
        return f"{plan.environment} serves this already: {serves}"
    left = f"; stale, and not selected: {len(plan.held)}" if plan.held else ""
    return f"nothing new: {plan.environment} serves {serves}{left}"


def _unwatched(workspace: Workspace, environment: Environment) -> Promotion | None:
    """Return the promotion that serves, if its process died between Deploy and Monitor."""
    current = workspace.warehouse(environment).generation(environment.name)
    promotion = workspace.store.promotion(current.promotion)
    return promotion if promotion is not None and promotion.state is State.DEPLOYED else None


def _is_the_rest(workspace: Workspace, environment: Environment, plan: Plan) -> bool:
    """Say whether all that is stale was left out by the refresh that serves, whose process died before Monitor."""
    served = _unwatched(workspace, environment)
    return served is not None and plan.cause.renews and moved(plan) <= held_back(workspace, served).keys()


def _facts(
    found: Governance, commits: CommitRange | None, base: AgainstBase | None = None
) -> dict[str, Json]:
    """Return what the ledger says of a promotion's beginning: what changes of the policy, which commits come and go, and what of
    it is of its branch. Pure."""
    return {
        **({"policy_changes": [item.document() for item in found.changes]} if found.changes else {}),
        **({"commits": commits.document()} if commits is not None else {}),
        **({"against_base": base.document()} if base is not None else {}),
    }


def _promotion(
    workspace: Workspace, plan: Plan, found: Governance, request: Request, facts: dict[str, Json]
) -> Promotion:
    """Return the open promotion for exactly this plan and policy, or start one. What waits for its yes goes on waiting until
    something is published; what was never staged ends, and this one takes what it had finished."""
    fresh, again = _fresh(workspace, plan, found, request), None
    for old in open_promotions(workspace, plan.environment):
        if old.state is State.DEPLOYED:
            continue
        if old.plan == plan.digest and old.policy in {"", fresh.policy} and again is None:
            again = old
        elif old.state is State.STARTED and (old.cause.renews or not plan.cause.renews):
            advance(
                workspace,
                old,
                State.SUPERSEDED,
                actor=request.actor,
                message=f"release {plan.release[:7]} took its place",
            )
    if again is not None:
        return again
    return advance(workspace, fresh, State.STARTED, actor=request.actor, facts=facts, message="")


def _fresh(workspace: Workspace, plan: Plan, found: Governance, request: Request) -> Promotion:
    """Return a promotion for this plan and policy, whose documents are stored; it is not recorded yet."""
    now = process.now()
    fresh = Promotion(
        uuid.uuid4().hex[:10],
        plan.environment,
        plan.release,
        request.cause,
        plan.base,
        plan.base_release,
        State.STARTED,
        request.actor,
        now,
        now,
        plan=workspace.bundles.put_document(plan.document()),
        policy=workspace.bundles.put_document(found.document()),
    )
    if fresh.plan != plan.digest:
        raise Refused("the plan changed while it was stored", "run the command again")
    return fresh
