"""Rollback: writes an older table of pointers again, as a new generation. Builds nothing, moves no row."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from prefect_sluice.audit.ledger_check import proven
from prefect_sluice.domain import old_names
from prefect_sluice.domain.controls import RollbackExtras, blocked
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.promotions.controls import current as controls_in_force
from prefect_sluice.promotions.controls import permit
from prefect_sluice.promotions.records import WAITING, advance, open_promotions, opened
from prefect_sluice.promotions.request import RollbackRequest, expected
from prefect_sluice.promotions.what_serves import known_history
from prefect_sluice.promotions.work import Work, tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.stages import repeated_rollback
from prefect_sluice.stages.deploy import record_written
from prefect_sluice.stages.rollback_target import choose
from prefect_sluice.strategies.all_at_once import flip
from prefect_sluice.warehouse.base import Publication, Warehouse
from prefect_sluice.warehouse.publishing import Published
from prefect_sluice.workspace.workspace import Workspace


def rollback(work: Work) -> Work:
    """Return the work with the generation it wrote; Monitor closes it. `request.to` names where to: "" is the former release.

    `request.back_from` is the generation to go back from; 0: the one that serves, unless a rollback wrote it. Asked for
    again, a rollback is no change. Raises Refused when there is nothing to go back to, BadInput for a generation or release
    that never served.
    """
    workspace, place = opened(work)
    request = expected(work.request, RollbackRequest)
    warehouse = workspace.warehouse(place)
    current = warehouse.generation(place.name)
    whole = warehouse.history(place.name)
    history = known_history(workspace, current, whole)
    _refuse_the_unknown(request.to, [item for item in whole if item not in history])
    barred = blocked(controls_in_force(workspace))
    rolled = repeated_rollback.done_already(workspace, current, history, request, barred)
    if rolled is not None:
        further = repeated_rollback.one_step_further(current, history, barred)
        return repeated_rollback.again(work, workspace, current, rolled, further)
    _refuse_another_start(current, request.back_from)
    unknown = len([item for item in whole if item not in history and item.number < current.number])
    chosen = choose(current, history, request.to, barred, unknown=unknown)
    target = warehouse.generation(place.name, chosen.number)
    _all_there(warehouse, target)
    proof = proven(workspace, place)
    permit(workspace, place.name, Cause.ROLLBACK, target.release)
    for line in _who_and_why(current, target, request):
        tell(line)
    promotion = _intent(workspace, current, target, request)
    reach(FaultPoint.ROLLBACK_INTENT)
    number = current.number + 1
    generation = replace(
        target,
        number=number,
        promotion=promotion.id,
        token=work.lease.token,
        cause=Cause.ROLLBACK,
        origin=target.origin,
        at=process.now().replace(microsecond=0),
        pointers=old_names.dated(target.pointers, process.now().date()),
    )
    tell(f"publishing generation {number}: {target.number} again")
    how: list[Published] = []

    def permitted() -> None:
        permit(workspace, place.name, Cause.ROLLBACK, target.release)  # a block that came meanwhile

    asked = Publication(generation, current.number)
    written = flip(workspace, place, promotion, asked, proof, permitted=permitted, told=how.append)
    reach(FaultPoint.ROLLBACK_FLIPPED)
    done = record_written(workspace, promotion, written, request.actor, how)
    reach(FaultPoint.ROLLBACK_HELD)
    if request.after.hold:
        tell(f"{place.name} is held: no release and no refresh until sluice unhold {place.name} --reason WHY")
    return replace(work, promotion=done, generation=written, published=how[0] if how else None)


def _refuse_the_unknown(to: str, unknown: Sequence[Generation]) -> None:
    for item in unknown:
        if to and (to == str(item.number) or item.release.startswith(to)):
            raise Refused(
                f"generation {item.number} was released by another state store: what was tested is not known here",
                "see what this one knows: sluice doctor",
            )


def _who_and_why(current: Generation, target: Generation, request: RollbackRequest) -> tuple[str, str]:
    """Return in words who asks for what, and why."""
    why = request.after.reason.strip() or "no reason was given"
    served = f"release {target.release[:7]}" if target.release else "what was adopted"
    return (
        f"{request.actor} rolls {current.environment} back: {why}",
        f"from generation {current.number}, release {current.release[:7]}, to generation {target.number}, {served},"
        f" with data as of {target.at:%Y-%m-%d %H:%M} UTC",
    )


def _refuse_another_start(current: Generation, back_from: int) -> None:
    """Raise Refused if what was to be gone back from serves no longer, and no rollback from it is what serves."""
    if back_from and back_from != current.number:
        raise Refused(
            f"generation {back_from} is not what serves: {current.environment} serves generation {current.number},"
            f" written by a {current.cause.value} on {current.at:%Y-%m-%d %H:%M} UTC",
            step=NextStep.of(
                "look first: ",
                Command.of("status"),
                "; then go back from that: ",
                Command.of("rollback", "--env", current.environment, "--from", str(current.number)),
            ),
        )


def _all_there(warehouse: Warehouse, target: Generation) -> None:
    """Raise Refused if a relation of the generation was dropped behind our back."""
    there = {pointer.address for pointer in warehouse.kept(target.environment)}
    gone = [pointer for pointer in target.pointers if pointer.address not in there]
    if gone:
        raise Refused(
            f"generation {target.number} cannot be served again: {gone[0].address}, which stood behind"
            f" {gone[0].name}, is gone",
            "see what is wrong: sluice doctor",
        )


def _intent(
    workspace: Workspace, current: Generation, target: Generation, request: RollbackRequest
) -> Promotion:
    actor = request.actor
    for old in open_promotions(workspace, current.environment):
        # What waits for its yes goes on waiting until this serves: it may be refused yet.
        if old.state is not State.DEPLOYED and old.state not in WAITING:
            tell(f"promotion {old.id}, which was {old.state.value}, ends: {current.environment} moves on")
            message = f"rolled back to generation {target.number}"
            advance(workspace, old, State.SUPERSEDED, actor=actor, message=message)
    source = workspace.store.promotion(target.promotion)
    now = process.now()
    promotion = Promotion(
        uuid.uuid4().hex[:10],
        current.environment,
        target.release,
        Cause.ROLLBACK,
        current.number,
        current.release,
        State.STARTED,
        actor,
        now,
        now,
        plan=source.plan if source else "",
        evidence=source.evidence if source else "",
        message=f"back to generation {target.number}",
    )
    return advance(
        workspace,
        promotion,
        State.DEPLOYING,
        actor=actor,
        facts={"to": current.number + 1, "origin": target.origin},
        also=lambda transaction: transaction.put_aftercare(_aftercare(promotion, current, request)),
    )


def _aftercare(promotion: Promotion, current: Generation, request: RollbackRequest) -> RollbackExtras:
    """Return what this rollback brings with it: recorded now, so that it comes with the generation or not at all."""
    why = f"rolled back from generation {current.number} by {request.actor}"
    if request.after.reason.strip():
        why += f": {request.after.reason.strip()}"
    return RollbackExtras(promotion.id, why if request.after.hold else "", request.after.catch_up)
