"""The promotions that wait beside another one: publishing that one ends them, and costs whoever said yes to them."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Decision, Promotion
from prefect_sluice.promotions.records import WAITING
from prefect_sluice.runtime import process
from prefect_sluice.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class EndedByPublish:
    """A promotion that a publish ends: its id, its cause, its release (the first seven digits), the first line of what that
    release's commit says, who asked for it, and who said yes to it ("": nobody)."""

    promotion: str
    cause: str
    release: str
    subject: str
    actor: str
    yes: str

    def __str__(self) -> str:
        subject = f" “{self.subject}”" if self.subject else ""
        yes = f", with the yes of {self.yes}" if self.yes else ""
        return f"promotion {self.promotion} ({self.cause} {self.release}{subject}, by {self.actor}){yes}"


def ended_by_publish(workspace: Workspace, environment: str, but: str = "") -> tuple[EndedByPublish, ...]:
    """Return the promotions of an environment that wait, newest first, without the one with the id `but`: those that end when
    that one is published. Changes nothing."""
    waiting = workspace.store.promotions(environment=environment, states=tuple(WAITING))
    return tuple(_ended(workspace, promotion) for promotion in waiting if promotion.id != but)


def ends_of(workspace: Workspace, promotion: Promotion) -> tuple[EndedByPublish, ...]:
    """Return what the publish of a promotion that waits would end, newest first; nothing for a check, which is never published,
    and for one that does not wait. Changes nothing."""
    if promotion.cause is Cause.CHECK or promotion.state not in WAITING:
        return ()
    return ended_by_publish(workspace, promotion.environment, promotion.id)


def _ended(workspace: Workspace, promotion: Promotion) -> EndedByPublish:
    release = workspace.store.release(promotion.release)
    return EndedByPublish(
        promotion.id,
        promotion.cause.value,
        promotion.release[:7],
        release.change.subject if release else "",
        promotion.actor,
        _yes_to(workspace, promotion),
    )


def _yes_to(workspace: Workspace, promotion: Promotion) -> str:
    """Return who said yes to a promotion that waits, as it is shown; "" for nobody. From the rows alone: neither git nor a bundle
    that is missing stands in the way of recording what was published."""
    given = [
        approval
        for approval in workspace.store.approvals(promotion.id)
        if approval.binding == promotion.binding
    ]
    if any(approval.decision is Decision.REJECT for approval in given):
        return ""
    now = process.now()
    counting = [approval for approval in given if approval.used_at is not None or approval.expires_at > now]
    return counting[-1].who if counting else ""
