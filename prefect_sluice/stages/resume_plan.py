"""Which plan an attempt goes on with: the clock may have moved, or a part may have failed, since it began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from prefect_sluice.domain.promotion import Decision, Promotion, State
from prefect_sluice.planning.make_plan import PlanInputs, make_plan
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.refresh_subset import volatile_texts
from prefect_sluice.promotions.records import open_promotions
from prefect_sluice.promotions.stored_plan import stored_held
from prefect_sluice.workspace.workspace import Workspace


def attempt(workspace: Workspace, asked: PlanInputs) -> Plan:
    """Return the plan of the open promotion that asks the same, else a new one. Repeatable."""
    plan = make_plan(asked)
    for promotion in open_promotions(workspace, asked.environment):
        if promotion.state is State.DEPLOYED or not promotion.plan:
            continue
        document = cast(Mapping[str, Any], workspace.bundles.get_document(promotion.plan))
        again = _again(asked, plan, promotion, document, _keeps_its_day(workspace, promotion))
        if again is not None:
            return again
    return plan


def _keeps_its_day(workspace: Workspace, promotion: Promotion) -> bool:
    """Say whether a promotion goes on with the day it was planned on: a release does, a refresh once somebody said yes.

    A refresh that waits unanswered is overtaken by that of the next day: what it would publish is no longer of today.
    """
    if not promotion.cause.renews:
        return True
    approvals = workspace.store.approvals(promotion.id)
    return any(item.decision is Decision.APPROVE and item.binding == promotion.binding for item in approvals)


def _again(
    asked: PlanInputs, plan: Plan, promotion: Promotion, document: Mapping[str, Any], keeps_its_day: bool
) -> Plan | None:
    then = asked
    if keeps_its_day:
        texts = {text for node in asked.nodes.values() for text in volatile_texts(node)}
        noted = cast(Mapping[str, str], document["notes"].get("versions", {}))
        older = {text: noted[text] for text in texts & noted.keys()}
        then = replace(asked, versions={**asked.versions, **older})
    whole = make_plan(then) if then is not asked else plan
    if document.get("instead") == whole.digest:
        rest = make_plan(replace(then, held=stored_held(document), instead=whole.digest))
        return rest if rest.digest == promotion.plan else None
    return whole if whole.digest == promotion.plan else None
