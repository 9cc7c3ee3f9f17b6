"""What comes after a rollback: its hold, and the refresh of the older code's data that was asked for with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from prefect_sluice.domain.controls import Control, ControlKind
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.promotions.controls import save_control
from prefect_sluice.promotions.records import fenced, opened
from prefect_sluice.promotions.request import RefreshRequest
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.runtime import process

if TYPE_CHECKING:
    from prefect_sluice.state.store import Transaction


def place_hold(transaction: Transaction, promotion: Promotion, now: datetime) -> None:
    """Place the hold that a rollback asked for, in the transaction that records its generation: never without it."""
    wanted = transaction.aftercare(promotion.id)
    if wanted is not None and wanted.hold:
        hold = Control(
            promotion.id,
            ControlKind.HOLD,
            promotion.environment,
            promotion.actor,
            wanted.hold,
            now,
            promotion=promotion.id,
        )
        save_control(transaction, hold)


def follow_up(work: Work) -> RefreshRequest | None:
    """Return the refresh that belongs to a rollback that is done, None when none was asked for or it is done.

    The rollback's own hold does not stop it; any other control does.
    """
    promotion = work.promotion
    if promotion is None or work.outcome is None or work.outcome.status is not Status.DONE:
        return None
    wanted = work.workspace.store.aftercare(promotion.id)
    if wanted is None or not wanted.catch_up or wanted.caught_up:
        return None
    asked = work.request
    return RefreshRequest(asked.folder, asked.environment, past=promotion.id, actor=asked.actor)


def followed_up(work: Work) -> Work:
    """Record that the catch-up is done, if it is, and return the work. One that waits says how it goes on. Under the lease."""
    if work.outcome is None or not work.request.rolled_back:
        return work
    if work.outcome.status is Status.WAITING:
        again = f"{work.outcome.next}, then: sluice rollback --catch-up --env {work.request.environment}"
        return replace(work, outcome=replace(work.outcome, next=again))
    if work.outcome.status in {Status.DONE, Status.UNCHANGED}:
        workspace, place = opened(work)
        wanted = workspace.store.aftercare(work.request.rolled_back)
        if wanted is not None:
            with fenced(workspace, place.name) as transaction:
                transaction.put_aftercare(replace(wanted, caught_up=True))
                transaction.append(
                    "rollback.caught-up",
                    environment=work.request.environment,
                    actor=work.request.actor,
                    facts={"promotion": work.request.rolled_back},
                    at=process.now(),
                )
    return work
