"""A rollback that is asked for again: nothing is written; what is left to do of it is done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from prefect_sluice.domain.controls import RollbackExtras
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.promotions.records import fenced
from prefect_sluice.promotions.request import RollbackRequest, expected
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.stages.rollback_target import choose, is_done
from prefect_sluice.workspace.workspace import Workspace


def done_already(
    workspace: Workspace,
    current: Generation,
    history: tuple[Generation, ...],
    request: RollbackRequest,
    barred: Collection[str],
) -> Generation | None:
    """Return the generation by which the rollback that is asked for was done already, and which serves; None if it was not.

    It serves, too, where the refresh that was asked for with it came after it. Who says nothing more while a release
    serves that is blocked (`barred`) means another step back.
    """
    rolled = _written_by_rollback(workspace, current, history)
    if rolled is None:
        return None
    if rolled is not current and request.to and not request.after.catch_up:
        return None  # back to the data from before that refresh
    further = current.release in barred
    return rolled if is_done(rolled, history, request.to, request.back_from, further=further) else None


def _written_by_rollback(
    workspace: Workspace, current: Generation, history: tuple[Generation, ...]
) -> Generation | None:
    """Return the generation of the rollback that serves, with or without its catch-up; None if anything else does."""
    if current.cause.goes_back:
        return current
    promotion = workspace.store.promotion(current.promotion) if current.cause.renews else None
    if promotion is None:
        return None
    before = next((item for item in history if item.number == promotion.base), None)
    if before is None or not before.cause.goes_back:
        return None
    wanted = workspace.store.aftercare(before.promotion)
    return before if wanted is not None and wanted.catch_up else None


def again(
    work: Work,
    workspace: Workspace,
    current: Generation,
    rolled: Generation,
    further: str,
) -> Work:
    """Return the work of a rollback that was done already: ended, unless it was never looked at or its data is to catch up.

    `further` is the command that goes one more step back, "" if there is none. Raises Refused when what it went back to was
    found not to answer: to say "done" of that would be untrue.
    """
    place = current.environment
    promotion = workspace.store.promotion(rolled.promotion)
    did = f"{place} was rolled back from generation {rolled.number - 1} to {rolled.origin} already"
    if promotion is None:
        return work.ends(Status.UNCHANGED, _repeat_message(did, rolled, "", further))
    if rolled == current and promotion.state is State.DEPLOYED:
        return replace(work, promotion=promotion, generation=current)
    if rolled == current and promotion.state is State.FAILED:
        raise Refused(f"{did}, and what it serves is not right: {promotion.message}", further)
    if expected(work.request, RollbackRequest).after.catch_up and _has_to_catch_up(workspace, promotion):
        return replace(work, promotion=promotion).ends(
            Status.DONE,
            f"{place} was rolled back already; catching up goes on",
            NextStep.of(Command.of("status", "--env", place)),
        )
    return replace(work, promotion=promotion).ends(
        Status.UNCHANGED, _repeat_message(did, rolled, f" by {promotion.actor}", further)
    )


def _repeat_message(did: str, rolled: Generation, by: str, further: str) -> str:
    at = f"{did}{by} on {rolled.at:%Y-%m-%d %H:%M} UTC (generation {rolled.number})"
    return f"{at}; to go further back: {further}" if further else at


def _has_to_catch_up(workspace: Workspace, promotion: Promotion) -> bool:
    """Say whether the data is still to catch up; who asks for it after the rollback asks for it from now on."""
    wanted = workspace.store.aftercare(promotion.id) or RollbackExtras(promotion.id, "", catch_up=False)
    if not wanted.catch_up:
        wanted = replace(wanted, catch_up=True)
        with fenced(workspace, promotion.environment) as transaction:
            transaction.put_aftercare(wanted)
    return not wanted.caught_up


def one_step_further(current: Generation, history: tuple[Generation, ...], barred: Collection[str]) -> str:
    """Return the command that goes back from what serves now, "" where there is nothing to go back to."""
    try:
        target = choose(current, history, "", barred)
    except Refused:
        return ""
    return f"sluice rollback --env {current.environment} --to {target.number}"
