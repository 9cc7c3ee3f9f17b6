"""The history of public names that nothing serves now: read from the warehouse and from the plans that let go of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from prefect_sluice.domain.generation import Pointer
from prefect_sluice.domain.node import Name
from prefect_sluice.planning.history_by_name import resting
from prefect_sluice.planning.plan import Action
from prefect_sluice.warehouse.inventory import Inventory
from prefect_sluice.workspace.workspace import Environment, Workspace


def at_rest(
    workspace: Workspace, environment: Environment, inventory: Inventory | None = None
) -> Mapping[Name, Pointer]:
    """Return the last relation of each public name of an environment that had a history and is not served now, by folded
    name. What was carried over to another name, or judged against what took its place, is none. Changes nothing."""
    found = inventory or workspace.warehouse(environment).inventory()
    promotions = {
        item.number: item.promotion for item in found.generations if item.environment == environment.name
    }

    @cache
    def went_on(number: int) -> Mapping[Name, Name]:
        return _gone_on(workspace, promotions.get(number, ""))

    pasts = [
        (span.pointer, span.since, span.until) for span in found.spans if span.environment == environment.name
    ]
    return resting(pasts, {item.address for item in found.physical}, went_on)


def _gone_on(workspace: Workspace, promotion: str) -> Mapping[Name, Name]:
    """Return the addresses that a promotion's plan took along, or judged against what took their place, with the name (folded)
    that did."""
    known = workspace.store.promotion(promotion) if promotion else None
    if known is None or not known.plan or not workspace.bundles.has(known.plan):
        return {}
    plan = cast(Mapping[str, Any], workspace.bundles.get_document(known.plan))
    taken = {Action.CARRY.value, Action.BUILD.value}
    return {
        Name.parse(step["address"]): Name.parse(step["name"]).folded
        for step in plan["steps"]
        if step["action"] in taken and step["address"]
    }
