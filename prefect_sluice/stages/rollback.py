"""Rollback: writes an older table of pointers again, as a new generation. Builds nothing, moves no row."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace

from prefect_sluice import surroundings
from prefect_sluice.choices import chosen_generation
from prefect_sluice.controls import Aftercare, blocked
from prefect_sluice.errors import BadInput, Refused
from prefect_sluice.faults import Point, reach
from prefect_sluice.generation import Cause, Generation
from prefect_sluice.outside import number
from prefect_sluice.promotion import Promotion, State
from prefect_sluice.rooted import MANY
from prefect_sluice.stages.catching_up import unfinished
from prefect_sluice.stages.controlling import current as controls_in_force
from prefect_sluice.stages.controlling import permit
from prefect_sluice.stages.deploy import record_written
from prefect_sluice.stages.flipping import flip
from prefect_sluice.stages.proving import proven
from prefect_sluice.stages.records import advance, is_open, opened
from prefect_sluice.stages.work import Request, Status, Work, tell
from prefect_sluice.warehouse.base import Publication, Warehouse
from prefect_sluice.warehouse.publishing import Published
from prefect_sluice.workshop import Place, Workshop


def rollback(work: Work) -> Work:
    """Return the work with the generation it wrote; Monitor closes it. `request.ref` names where to: "" is the former release.

    Raises Refused when there is nothing to go back to, BadInput for a generation or release that never served.
    """
    workshop, place = opened(work)
    warehouse = workshop.warehouse(place)
    current = warehouse.generation(place.name)
    dead = _unfinished(workshop, current)
    if dead is not None:
        return replace(work, promotion=dead, generation=current)
    whole = warehouse.history(place.name)
    history = _known(workshop, current, whole)
    _refuse_the_unknown(work.request.ref, [item for item in whole if item not in history])
    half = _to_catch_up(workshop, current, history, work.request)
    if half is not None:
        return replace(work, promotion=half).ends(
            Status.DONE, f"{place.name} was rolled back already; catching up goes on"
        )
    barred = blocked(controls_in_force(workshop))
    target = warehouse.generation(place.name, choose(current, history, work.request.ref, barred).number)
    _all_there(warehouse, target)
    proof = proven(workshop, place)
    permit(workshop, place.name, Cause.ROLLBACK, target.release)
    for line in _who_and_why(current, target, work.request):
        tell(line)
    promotion = _intent(workshop, current, target, work.request)
    reach(Point.ROLLBACK_INTENT)
    number = current.number + 1
    generation = replace(
        target,
        number=number,
        promotion=promotion.id,
        token=work.lease.token,
        cause=Cause.ROLLBACK,
        origin=target.origin,
        at=surroundings.now().replace(microsecond=0),
    )
    tell(f"publishing generation {number}: {target.number} again")
    how: list[Published] = []

    def permitted() -> None:
        permit(workshop, place.name, Cause.ROLLBACK, target.release)  # a block that came meanwhile

    asked = Publication(generation, current.number)
    written = flip(workshop, place, work.lease, asked, proof, permitted=permitted, told=how.append)
    reach(Point.ROLLBACK_FLIPPED)
    done = record_written(workshop, promotion, written, work.request.actor, how)
    reach(Point.ROLLBACK_HELD)
    if work.request.after.hold:
        tell(
            f"{place.name} is held: no release and no refresh until sluice release-hold {place.name} --reason WHY"
        )
    return replace(work, promotion=done, generation=written, published=how[0] if how else None)


def last_known(workshop: Workshop, place: Place) -> int:
    """Return the newest generation that can be served and that the state store knows; 0 if there is none."""
    warehouse = workshop.warehouse(place)
    history = _known(workshop, warehouse.generation(place.name), warehouse.history(place.name))
    known = (item for item in history if not item.collected_at and workshop.store.promotion(item.promotion))
    return next((item.number for item in known), 0)


def _known(
    workshop: Workshop, current: Generation, history: tuple[Generation, ...]
) -> tuple[Generation, ...]:
    """Return the history without what another state store released: nothing is known of it, so nobody goes back to it.

    What is served stays in it, and generation 0: that was adopted, and no promotion wrote it.
    """
    ids = {item.id for item in workshop.store.promotions(environment=current.environment, limit=MANY)}
    return tuple(item for item in history if item.number in {0, current.number} or item.promotion in ids)


def _refuse_the_unknown(to: str, unknown: Sequence[Generation]) -> None:
    for item in unknown:
        if to and (to == str(item.number) or item.release.startswith(to)):
            raise Refused(
                f"generation {item.number} was released by another state store: what was tested is not known here",
                "see what this one knows: sluice doctor",
            )


def _who_and_why(current: Generation, target: Generation, request: Request) -> tuple[str, str]:
    """Return in words who asks for what, and why."""
    why = request.after.reason.strip() or "no reason was given"
    served = f"release {target.release[:7]}" if target.release else "what was adopted"
    return (
        f"{request.actor} rolls {current.environment} back: {why}",
        f"from generation {current.number}, release {current.release[:7]}, to generation {target.number}, {served},"
        f" with data as of {target.at:%Y-%m-%d %H:%M} UTC",
    )


def _unfinished(workshop: Workshop, current: Generation) -> Promotion | None:
    """Return the promotion of a rollback that wrote its generation and died before Monitor: going on is all there is to do."""
    promotion = workshop.store.promotion(current.promotion) if current.number else None
    if promotion is not None and promotion.cause is Cause.ROLLBACK and promotion.state is State.DEPLOYED:
        return promotion
    return None


def _to_catch_up(
    workshop: Workshop, current: Generation, history: tuple[Generation, ...], request: Request
) -> Promotion | None:
    """Return the rollback that did all but its catch-up, if the same is asked for again: going back further is not."""
    half = unfinished(workshop, current) if request.after.catch_up else None
    written = next((item for item in history if half is not None and item.number == half.generation), None)
    if half is None or written is None:
        return None
    to = chosen_generation(request.ref, current.environment)
    same = to in {"", str(written.origin)} or written.release.startswith(to)
    return half if same else None


def choose(
    current: Generation, history: tuple[Generation, ...], to: str, barred: Collection[str] = ()
) -> Generation:
    """Return the generation to go back to. `to` is a number, a release id (or its beginning), a line of the form's list, or
    "": the former release. Pure.

    The former release is the last one that served before the present one did; where none did, the generation before.
    One of the releases `barred` is passed over, unless `to` names it: what becomes of that is the caller's.
    """
    if not current.number:
        raise Refused(
            "nothing is served, so there is nothing to go back to", "release something first: sluice release"
        )
    to = chosen_generation(to, current.environment)
    older = [item for item in history if item.number < current.number and not item.collected_at]
    if not to:
        served = [item for item in older if item.number < current.origin]
        before = [item for item in served if item.release not in barred]
        former = [item for item in before if item.release != current.release] or before
        if served and not former:
            raise Refused(
                f"every release that served before generation {current.number} is blocked",
                "see by whom and why: sluice status",
            )
        if not former:
            _collected([item for item in history if item.number < current.origin])
            raise Refused(
                f"generation {current.number} is the first, there is nothing before it",
                "see what there was: sluice history",
            )
        return former[0]
    if any(item.number == number(to) for item in history):
        chosen = next(item for item in history if item.number == number(to))
    else:
        named = [item for item in history if item.release.startswith(to)]
        chosen = next((item for item in named if not item.collected_at), next(iter(named), None))
    if chosen is None:
        raise BadInput(
            f"no generation or release {to!r} ever served here", fix="see which did: sluice history"
        )
    if chosen.number == current.number:
        raise Refused(
            f"generation {current.number} is what is served now", "see what else there was: sluice history"
        )
    _collected([chosen])
    return chosen


def _collected(asked: Sequence[Generation]) -> None:
    """Raise Refused if what was asked for is there no more."""
    for item in asked[:1]:
        if item.collected_at:
            raise Refused(
                f"generation {item.number} was collected on {item.collected_at:%Y-%m-%d}, and cannot be served again",
                "see which can: sluice history",
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


def _intent(workshop: Workshop, current: Generation, target: Generation, request: Request) -> Promotion:
    actor = request.actor
    for old in workshop.store.promotions(environment=current.environment, limit=20):
        if is_open(old) and old.state is not State.DEPLOYED:
            tell(f"promotion {old.id}, which was {old.state.value}, ends: {current.environment} moves on")
            advance(
                workshop,
                old,
                State.SUPERSEDED,
                actor=actor,
                message=f"rolled back to generation {target.number}",
            )
    source = workshop.store.promotion(target.promotion)
    now = surroundings.now()
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
        workshop,
        promotion,
        State.DEPLOYING,
        actor=actor,
        facts={"to": current.number + 1, "origin": target.origin},
        also=lambda transaction: transaction.put_aftercare(_aftercare(promotion, current, request)),
    )


def _aftercare(promotion: Promotion, current: Generation, request: Request) -> Aftercare:
    """Return what this rollback brings with it: recorded now, so that it comes with the generation or not at all."""
    why = f"rolled back from generation {current.number} by {request.actor}"
    if request.after.reason.strip():
        why += f": {request.after.reason.strip()}"
    return Aftercare(promotion.id, why if request.after.hold else "", request.after.catch_up)
