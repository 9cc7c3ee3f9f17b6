"""What a first release finds under its public names, and what is refused there: somebody else's is never touched unasked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from prefect_sluice.domain import adoption
from prefect_sluice.domain.adoption import Adopted, AdoptionTarget
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.domain.release import Release
from prefect_sluice.planning import source_versions
from prefect_sluice.planning.plan import Action, Plan
from prefect_sluice.promotions import records
from prefect_sluice.promotions.work import tell
from prefect_sluice.warehouse.base import Warehouse
from prefect_sluice.workspace.workspace import Environment, Workspace

_MOST = 10


def plan_adoption(
    warehouse: Warehouse, live: Generation, nodes: Mapping[str, Node], *, adopt: bool
) -> tuple[Generation, tuple[Adopted, ...]]:
    """Return what the plan starts from, and what it adopts: nothing after the first release, or unasked."""
    if not adopt or live.number:
        return live, ()
    tell("looking at what stands there")
    takers = {node.name.folded: AdoptionTarget(node.unique_id, node.kind) for node in nodes.values()}
    found = warehouse.adoptable([node.name for node in nodes.values()])
    return adoption.before_moving(live, found, takers), found


def refuse_foreign_names(workspace: Workspace, environment: Environment, plan: Plan) -> None:
    """Say now what Deploy would refuse later: a public name that holds what Sluice did not make, or what another
    environment serves."""
    warehouse = workspace.warehouse(environment)
    wanted = {step.name.folded for step in plan.of(Action.REUSE, Action.BUILD, Action.CARRY)}
    owners = {name: owner for name, owner in warehouse.holders().items() if owner != environment.name}
    theirs = sorted(str(name) for name in wanted & owners.keys())
    if theirs:
        who = ", ".join(sorted({owners[name] for name in wanted & owners.keys()}))
        raise Refused(
            f"these public names are served by environment {who}: {_listed(theirs)}",
            "give each environment its own schema: environments.<name>.target in sluice.yml",
        )
    wanted -= {item.name.folded for item in plan.adopted}
    others = source_versions.others(warehouse.relations(), warehouse.generation(environment.name))
    taken = [str(item.name) for item in others if item.name.folded in wanted]
    if taken:
        raise Refused(
            f"these public names hold relations that Sluice did not make: {_listed(taken)}", _way_out(plan)
        )


def _way_out(plan: Plan) -> str:
    if plan.base:
        return "only a first release adopts; move them to another schema or file, then run the command again"
    return (
        f"take them over: sluice release --adopt --env {plan.environment} (it moves them into the store, and a rollback"
        " serves them again)"
    )


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {more} more" if more > 0 else "")


def is_open(workspace: Workspace, environment: Environment, release: Release) -> bool:
    """Say whether a promotion of this release waits that adopts: whoever goes on with it need not say so again."""
    open_ones = (
        item
        for item in records.open_promotions(workspace, environment.name)
        if item.release == release.id and item.plan and not item.base
    )
    return any(planned(workspace, item) for item in open_ones)


def planned(workspace: Workspace, promotion: Promotion) -> tuple[Adopted, ...]:
    """Return what the plan of a promotion adopts, as it was approved."""
    if not promotion.plan:
        return ()
    document = cast(dict[str, Any], workspace.bundles.get_document(promotion.plan))
    return adoption.read(document.get("adopted", []))
