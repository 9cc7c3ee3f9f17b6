"""Build: from a change to a release, packed and planned. Builds no relation: that is Stage's."""

from __future__ import annotations

import importlib.metadata
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from prefect_sluice import __version__
from prefect_sluice.config import Model
from prefect_sluice.config.policy import Governance
from prefect_sluice.domain import old_names
from prefect_sluice.domain.adoption import Adopted
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, Node, short_name
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.domain.release import DIRTY, Change, CommitRange, Release
from prefect_sluice.gates import checked
from prefect_sluice.planning import history_by_name, source_versions, volatile_inputs
from prefect_sluice.planning.make_plan import PlanInputs
from prefect_sluice.planning.plan import Action, Plan
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.promotions import publish_forecast
from prefect_sluice.promotions.commits import commit_range
from prefect_sluice.promotions.controls import permit
from prefect_sluice.promotions.load_project import load, packages_of
from prefect_sluice.promotions.observe_sources import observe, refuse_unknown_names
from prefect_sluice.promotions.records import OutOfOrder, advance, open_promotions, opened
from prefect_sluice.promotions.request import CheckRequest, RefreshRequest, ReleaseRequest, Request
from prefect_sluice.promotions.work import Status, Work, tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.source import git
from prefect_sluice.stages import adopt as adopting
from prefect_sluice.stages.candidate.without_failed import held_back
from prefect_sluice.stages.checks import begun
from prefect_sluice.stages.resume_plan import attempt
from prefect_sluice.stages.select_nodes import moved, selected
from prefect_sluice.stages.unserved_history import at_rest
from prefect_sluice.warehouse.engines import functions
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
    adopting.refuse_foreign_names(workspace, environment, plan)
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
    facts = _facts(found, commits)
    if isinstance(work.request, CheckRequest):
        return begun(told, workspace, work.request, _fresh(workspace, plan, found, work.request), facts)
    return replace(told, promotion=_promotion(workspace, plan, found, work.request, facts))


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


def pack(workspace: Workspace, environment: Environment, change: Change, actor: str) -> Release:
    """Put every file of the change into the bundle store and record the release, with the versions of what builds it for an
    environment. Repeatable: the same bytes are one release."""
    repository = workspace.repository
    tell("packing the bundle")
    tree = git.working_tree(repository) if change.commit == DIRTY else git.files(repository, change.commit)
    files = {file.path: f"{file.mode}:{workspace.bundles.put(file.content)}" for file in tree}
    packages = ("dbt-core", *functions(workspace.warehouse(environment).dialect).packages)
    tools = {"prefect-sluice": __version__, **{name: importlib.metadata.version(name) for name in packages}}
    release = Release(change, files, tools, packages=packages_of(workspace, change.project, files))
    if workspace.store.release(release.id) is None:
        with workspace.store.transaction() as transaction:
            transaction.put_release(release)
            facts = {
                "release": release.id,
                "commit": change.commit,
                "author": change.author,
                "subject": change.subject,
            }
            transaction.append("release.packed", actor=actor, facts=facts, at=process.now())
    return release


def plan_for(request: Request, workspace: Workspace, environment: Environment, release: Release) -> Plan:
    """Return the plan of a release for what is asked. Repeatable; what anybody reads stays. Raises as `plan_release`."""
    adopt = isinstance(request, ReleaseRequest) and request.adopt
    # The part of a promotion is in its release.
    select = request.select if isinstance(request, RefreshRequest) else ""
    return plan_release(
        workspace,
        environment,
        release,
        request.cause.judged_as,
        select,
        adopt=adopt or adopting.is_open(workspace, environment, release),
    )


def plan_release(
    workspace: Workspace,
    environment: Environment,
    release: Release,
    cause: Cause,
    select: str = "",
    *,
    adopt: bool = False,
) -> Plan:
    """Return the plan of a release for an environment. Changes nothing that anybody reads. Repeatable.

    `select` are dbt selectors for a refresh: what they leave out keeps what is live. `adopt`: what stands under the public
    names, and is nobody's, becomes what a first release goes on from. Raises BadInput when the selectors match nothing,
    Refused when only the selected nodes cannot be renewed.
    """
    asked, adopted = _question(workspace, environment, release, cause, adopt=adopt)
    if select:
        asked = selected(asked, load(workspace, environment, release), select)
    return replace(attempt(workspace, asked), adopted=adopted)


def question(workspace: Workspace, environment: Environment, release: Release, cause: Cause) -> PlanInputs:
    """Return what the plan of a release for an environment is made from. Changes nothing that anybody reads. Repeatable."""
    return _question(workspace, environment, release, cause, adopt=False)[0]


def _question(
    workspace: Workspace, environment: Environment, release: Release, cause: Cause, *, adopt: bool
) -> tuple[PlanInputs, tuple[Adopted, ...]]:
    tell("parsing the project")
    loaded = load(workspace, environment, release)
    reach(FaultPoint.SOURCE_CHECKED_OUT)
    refuse_unknown_names(workspace, loaded, cause)
    warehouse = workspace.warehouse(environment)
    kept = warehouse.kept(environment.name)
    nodes = forward(loaded.project.nodes, workspace.settings.models)
    ids = {node.name.folded: uid for uid, node in nodes.items()}
    written = warehouse.generation(environment.name)
    served = source_versions.still_there(written.known_as(ids), kept)
    live, adopted = adopting.plan_adoption(warehouse, served, nodes, adopt=adopt)
    notes = before(workspace, written, ids)
    asks = history_by_name.wanted(nodes.values(), written, kept)
    resting = at_rest(workspace, environment) if asks else dict[Name, Pointer]()
    tell("looking at the sources")
    asked = PlanInputs(
        environment=environment.name,
        cause=cause,
        release=release.id,
        nodes=nodes,
        tests={uid: test.fingerprint for uid, test in loaded.project.tests.items()},
        versions=_versions(
            cause, nodes, observe(workspace, environment, loaded, live, release.id), live, release, notes
        ),
        live=live,
        kept=source_versions.by_content(kept),
        before=notes,
        old_names=old_names.of(written),
        old_names_for=workspace.settings.warehouse.old_names,
        unbound=frozenset(
            uid for uid, test in loaded.project.tests.items() if not test.is_unit and not test.parents
        ),
        resting=resting,
    )
    return asked, adopted


def _versions(
    cause: Cause,
    nodes: Mapping[str, Node],
    seen: Mapping[str, str],
    live: Generation,
    release: Release,
    notes: NotesBefore | None,
) -> Mapping[str, str]:
    unknown = source_versions.unknown_version(live, release.id)
    fleeting = volatile_inputs.versions(nodes, process.now(), unknown)
    passing = frozenset(fleeting) | {text for text, version in seen.items() if version == unknown}
    return volatile_inputs.settled(cause, nodes, {**seen, **fleeting}, passing, live, notes)


def forward(nodes: Mapping[str, Node], models: Mapping[str, Model]) -> Mapping[str, Node]:
    """Return the nodes with what sluice.yml says of single models. Pure."""
    forward_only = {name for name, model in models.items() if model.forward_only}
    return {
        uid: replace(node, forward_only=True) if node.short in forward_only else node
        for uid, node in nodes.items()
    }


def before(workspace: Workspace, live: Generation, ids: Mapping[Name, str]) -> NotesBefore | None:
    """Return the notes of the plan by which the environment came to be as it is, under the unique ids of today (`ids`, by
    folded public name); None when there is none. `live` bears the ids of then."""
    promotion = workspace.store.promotion(live.promotion) if live.number else None
    if promotion is None or not promotion.plan:
        return None
    document = cast(dict[str, Any], workspace.bundles.get_document(promotion.plan))
    return NotesBefore.read(document["notes"]).renamed(live.new_ids(ids))


def _facts(found: Governance, commits: CommitRange | None) -> dict[str, Json]:
    """Return what the ledger says of a promotion's beginning: what changes of the policy, and which commits come and go. Pure."""
    return {
        **({"policy_changes": [item.document() for item in found.changes]} if found.changes else {}),
        **({"commits": commits.document()} if commits is not None else {}),
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
