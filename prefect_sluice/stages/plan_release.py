"""Pack and plan: from a change to a release, and from a release to its plan for an environment. Builds no relation."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from prefect_sluice import __version__
from prefect_sluice.config import Model
from prefect_sluice.domain import old_names
from prefect_sluice.domain.adoption import Adopted
from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, Node
from prefect_sluice.domain.release import DIRTY, Change, Release
from prefect_sluice.planning import history_by_name, source_versions, volatile_inputs
from prefect_sluice.planning.make_plan import PlanInputs
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.promotions.load_project import load, packages_of
from prefect_sluice.promotions.observe_sources import observe, refuse_unknown_names
from prefect_sluice.promotions.request import PromoteRequest, RefreshRequest, ReleaseRequest, Request
from prefect_sluice.promotions.work import tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.source import git
from prefect_sluice.stages import adopt as adopting
from prefect_sluice.stages.resume_plan import attempt
from prefect_sluice.stages.select_nodes import selected, without_rest
from prefect_sluice.stages.unserved_history import at_rest
from prefect_sluice.warehouse.engines import functions
from prefect_sluice.workspace.workspace import Environment, Workspace


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
        part=isinstance(request, PromoteRequest) and release.composed is not None,
    )


def plan_release(
    workspace: Workspace,
    environment: Environment,
    release: Release,
    cause: Cause,
    select: str = "",
    *,
    adopt: bool = False,
    part: bool = False,
) -> Plan:
    """Return the plan of a release for an environment. Changes nothing that anybody reads. Repeatable.

    `select` are dbt selectors for a refresh: what they leave out keeps what is live. `adopt`: what stands under the public
    names, and is nobody's, becomes what a first release goes on from. `part`: what the release does not change keeps its data
    where it can. Raises BadInput when the selectors match nothing, Refused when only the selected nodes cannot be renewed.
    """
    asked, adopted = _question(workspace, environment, release, cause, adopt=adopt)
    if select:
        asked = selected(asked, load(workspace, environment, release), select)
    if part:
        asked = without_rest(asked)
    return replace(attempt(workspace, asked), adopted=adopted)


def question(
    workspace: Workspace, environment: Environment, release: Release, cause: Cause, *, adopt: bool = False
) -> PlanInputs:
    """Return what the plan of a release for an environment is made from. Changes nothing that anybody reads. Repeatable."""
    return _question(workspace, environment, release, cause, adopt=adopt)[0]


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
        last_generations=warehouse.last_generations(environment.name),
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
