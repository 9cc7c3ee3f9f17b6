"""The promotions that wait beside another one: publishing that one ends them, and costs whoever said yes to them."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_sluice.approvals.decide import ruling
from prefect_sluice.domain.promotion import Decision, Promotion, State
from prefect_sluice.promotions.records import WAITING
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


def _ended(workspace: Workspace, promotion: Promotion) -> EndedByPublish:
    release = workspace.store.release(promotion.release)
    return EndedByPublish(
        promotion.id,
        promotion.cause.value,
        promotion.release[:7],
        release.change.subject if release else "",
        promotion.actor,
        yes_to(workspace, promotion),
    )


def yes_to(workspace: Workspace, promotion: Promotion) -> str:
    """Return who said yes to a promotion that waits, as it is shown; "" for nobody."""
    if promotion.state is State.APPROVED:
        used = [yes for yes in workspace.store.approvals(promotion.id) if yes.used_at is not None]
        return used[-1].who if used else ""
    by = ruling(workspace, promotion).by
    return by.who if by is not None and by.decision is Decision.APPROVE else ""
