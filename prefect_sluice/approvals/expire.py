"""Ends promotions that waited for an approval for too long."""

from __future__ import annotations

from prefect_sluice.approvals.decide import is_overdue, waited
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.promotions.records import advance
from prefect_sluice.workspace.policy_in_force import needed
from prefect_sluice.workspace.workspace import Environment, Workspace


def overdue(workspace: Workspace, environment: Environment) -> tuple[Promotion, ...]:
    """Return the promotions of an environment that waited for longer than `waits`, without a decision. Changes nothing."""
    staged = workspace.store.promotions(environment=environment.name, states=(State.STAGED,))
    return tuple(
        promotion for promotion in staged if needed(workspace, promotion) and is_overdue(workspace, promotion)
    )


def expire(workspace: Workspace, environment: Environment) -> tuple[Promotion, ...]:
    """End the overdue promotions as expired, and return them as they are then. Only under the environment's lease. Repeatable."""
    return tuple(
        advance(
            workspace,
            promotion,
            State.EXPIRED,
            actor="policy",
            message=f"nobody decided within {waited(workspace, promotion)} (environments.{environment.name}.waits); run it again",
        )
        for promotion in overdue(workspace, environment)
    )
