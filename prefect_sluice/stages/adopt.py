"""What a first release finds under its public names, and what is refused there: somebody else's is never touched unasked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class TakenNames:
    """The public names of a plan that hold what is not its environment's, sorted: `what` they hold, and the `way_out`."""

    names: tuple[str, ...]
    what: str
    way_out: str

    @property
    def problem(self) -> str:
        """What stands in the way, with the first of the names."""
        more = len(self.names) - _MOST
        rest = f" and {more} more" if more > 0 else ""
        return f"these public names {self.what}: {', '.join(self.names[:_MOST])}{rest}"


def taken_names(workspace: Workspace, environment: Environment, plan: Plan) -> TakenNames | None:
    """Return what Deploy would refuse a plan for: public names that hold what Sluice did not make, or what another environment
    serves; None where all are free, or are taken over."""
    if not environment.database.exists():
        return None
    warehouse = workspace.warehouse(environment)
    wanted = {step.name.folded for step in plan.of(Action.REUSE, Action.BUILD, Action.CARRY)}
    owners = {name: owner for name, owner in warehouse.holders().items() if owner != environment.name}
    theirs = sorted(str(name) for name in wanted & owners.keys())
    if theirs:
        who = ", ".join(sorted({owners[name] for name in wanted & owners.keys()}))
        fix = "give each environment its own schema: environments.<name>.target in sluice.yml"
        return TakenNames(tuple(theirs), f"are served by environment {who}", fix)
    wanted -= {item.name.folded for item in plan.adopted}
    others = source_versions.others(warehouse.relations(), warehouse.generation(environment.name))
    names = sorted(str(item.name) for item in others if item.name.folded in wanted)
    return (
        TakenNames(tuple(names), "hold relations that Sluice did not make", _way_out(plan)) if names else None
    )


def refuse_taken_names(workspace: Workspace, environment: Environment, plan: Plan) -> None:
    """Say now what Deploy would refuse later."""
    taken = taken_names(workspace, environment, plan)
    if taken is not None:
        raise Refused(taken.problem, taken.way_out)


def _way_out(plan: Plan) -> str:
    if plan.base:
        return "only a first release adopts; move them to another schema or file, then run the command again"
    return (
        f"take them over: sluice release --adopt --env {plan.environment} (it moves them into the store, and a rollback"
        " serves them again)"
    )


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
