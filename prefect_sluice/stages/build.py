"""Build: from a change to a release, packed and planned. Builds no relation: that is Stage's."""

from __future__ import annotations

import importlib.metadata
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from prefect_sluice import __version__, git, inputs, surroundings
from prefect_sluice.errors import Refused
from prefect_sluice.faults import Point, reach
from prefect_sluice.generation import Cause, Generation
from prefect_sluice.loading import Loaded, load, side_file
from prefect_sluice.plan import Asked, Before, Plan, make_plan
from prefect_sluice.promotion import Promotion, State
from prefect_sluice.release import Change, Release
from prefect_sluice.stages import adopting, publishing
from prefect_sluice.stages.controlling import permit
from prefect_sluice.stages.records import OutOfOrder, advance, is_open, opened
from prefect_sluice.stages.source import DIRTY
from prefect_sluice.stages.work import Status, Work, tell
from prefect_sluice.workshop import Place, Workshop

_TOOLS = ("dbt-core", "dbt-duckdb", "duckdb")


def build(work: Work) -> Work:
    """Return the work with its release, plan and promotion; ended if there is nothing to do.

    Raises DbtFailed when the project does not parse, Refused when the environment cannot take it.
    """
    workshop, place = opened(work)
    if work.change is None:
        raise OutOfOrder()
    release = work.release or pack(workshop, work.change, work.request.actor)
    reach(Point.BUILD_PACKED)
    permit(workshop, place.name, work.request.cause, release.id, past=work.request.past)
    adopt = work.request.adopt or adopting.is_open(workshop, place, release)
    plan = plan_release(workshop, place, release, work.request.cause, adopt=adopt)
    reach(Point.BUILD_PLANNED)
    told = replace(work, release=release, plan=plan)
    adopting.refuse_foreign_names(workshop, place, plan)
    publishing.refuse_what_does_not_fit(workshop, place, plan)
    if plan.base and plan.changes_nothing and plan.base_release == release.id:
        unwatched = _unwatched(workshop, place)
        if unwatched is not None:
            return replace(told, promotion=unwatched)
        return told.ends(
            Status.UNCHANGED,
            f"{place.name} serves this already: generation {plan.base}, release {release.short}",
        )
    return replace(told, promotion=_promotion(workshop, plan, work.request.actor))


def _unwatched(workshop: Workshop, place: Place) -> Promotion | None:
    """Return the promotion that serves, if its process died between Deploy and Monitor."""
    current = workshop.warehouse(place).generation(place.name)
    promotion = workshop.store.promotion(current.promotion)
    return promotion if promotion is not None and promotion.state is State.DEPLOYED else None


def pack(workshop: Workshop, change: Change, actor: str) -> Release:
    """Put every file of the change into the bundle store and record the release. Repeatable: the same bytes are one release."""
    repository = git.root(workshop.root)
    tell("packing the bundle")
    tree = git.working_tree(repository) if change.commit == DIRTY else git.files(repository, change.commit)
    files = {file.path: f"{file.mode}:{workshop.bundles.put(file.content)}" for file in tree}
    tools = {"prefect-sluice": __version__, **{name: importlib.metadata.version(name) for name in _TOOLS}}
    release = Release(change, files, tools)
    if workshop.store.release(release.id) is None:
        with workshop.store.transaction() as transaction:
            transaction.put_release(release)
            facts = {
                "release": release.id,
                "commit": change.commit,
                "author": change.author,
                "subject": change.subject,
            }
            transaction.append("release.packed", actor=actor, facts=facts, at=surroundings.now())
    return release


def plan_release(
    workshop: Workshop, place: Place, release: Release, cause: Cause, *, adopt: bool = False
) -> Plan:
    """Return the plan of a release for an environment. Changes nothing that anybody reads. Repeatable.

    `adopt`: what stands under the public names, and is nobody's, becomes what a first release goes on from.
    """
    tell("parsing the project")
    loaded = load(workshop, place, release)
    reach(Point.SOURCE_CHECKED_OUT)
    warehouse = workshop.warehouse(place)
    kept = warehouse.kept(place.name)
    served = inputs.still_there(warehouse.generation(place.name), kept)
    live, adopted = adopting.look(warehouse, served, loaded.project.nodes, adopt=adopt)
    tell("looking at the sources")
    asked = Asked(
        environment=place.name,
        cause=cause,
        release=release.id,
        nodes=loaded.project.nodes,
        tests={uid: test.fingerprint for uid, test in loaded.project.tests.items()},
        versions=_versions(workshop, place, loaded, live, release),
        live=live,
        kept=inputs.by_content(kept),
        before=before(workshop, live),
        unbound=frozenset(
            uid for uid, test in loaded.project.tests.items() if not test.is_unit and not test.parents
        ),
    )
    return replace(make_plan(asked), adopted=adopted)


def _versions(
    workshop: Workshop, place: Place, loaded: Loaded, live: Generation, release: Release
) -> Mapping[str, str]:
    nodes = loaded.project.nodes
    if not any(inputs.texts(node) for node in nodes.values()):
        return {}
    warehouse, side = workshop.warehouse(place), side_file(workshop, place)
    if not place.target.path.exists():
        warehouse.prepare(side, ())
    # As it is served: a side database with a view over every relation costs more than all the sources' rows.
    with warehouse.reader() if place.target.path.exists() else warehouse.candidate(side) as reader:
        return inputs.versions(
            nodes, reader, warehouse.catalog, loaded.folder, inputs.unknown(live, release.id)
        )


def before(workshop: Workshop, live: Generation) -> Before | None:
    """Return the notes of the plan by which the environment came to be as it is; None when there is none."""
    promotion = workshop.store.promotion(live.promotion) if live.number else None
    if promotion is None or not promotion.plan:
        return None
    document = cast(dict[str, Any], workshop.bundles.get_document(promotion.plan))
    return Before.read(document["notes"])


def _promotion(workshop: Workshop, plan: Plan, actor: str) -> Promotion:
    """Return the open promotion for exactly this plan, or start one and end those it takes the place of."""
    again: Promotion | None = None
    for old in workshop.store.promotions(environment=plan.environment, limit=20):
        if not is_open(old) or old.state is State.DEPLOYED:
            continue
        if old.plan == plan.digest and again is None:
            again = old
        elif plan.cause is not Cause.REFRESH or old.cause is Cause.REFRESH:
            # A refresh leaves a release that waits for its approval alone, until it publishes: it may well not.
            advance(
                workshop,
                old,
                State.SUPERSEDED,
                actor=actor,
                message=f"release {plan.release[:7]} took its place",
            )
    if again is not None:
        return again
    now = surroundings.now()
    fresh = Promotion(
        uuid.uuid4().hex[:10],
        plan.environment,
        plan.release,
        plan.cause,
        plan.base,
        plan.base_release,
        State.STARTED,
        actor,
        now,
        now,
        plan=workshop.bundles.put_document(plan.document()),
    )
    if fresh.plan != plan.digest:
        raise Refused("the plan changed while it was stored", "run the command again")
    return advance(workshop, fresh, State.STARTED, actor=actor, message="")
