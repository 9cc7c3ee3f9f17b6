"""Rollback: writes an older table of pointers again, as a new generation. Builds nothing, moves no row."""

from __future__ import annotations

import uuid
from dataclasses import replace

from prefect_sluice import surroundings
from prefect_sluice.errors import BadInput, Refused
from prefect_sluice.faults import Point, reach
from prefect_sluice.generation import Cause, Generation
from prefect_sluice.promotion import Promotion, State
from prefect_sluice.stages.deploy import record_written
from prefect_sluice.stages.publishing import publish
from prefect_sluice.stages.records import advance, is_open, opened
from prefect_sluice.stages.work import Work, tell
from prefect_sluice.warehouse.base import Publication
from prefect_sluice.workshop import Workshop


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
    target = warehouse.generation(
        place.name, choose(current, warehouse.history(place.name), work.request.ref).number
    )
    promotion = _intent(workshop, current, target, work.request.actor)
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
    written = publish(workshop, place, work.lease, Publication(generation, current.number))
    reach(Point.ROLLBACK_FLIPPED)
    done = record_written(workshop, promotion, written, work.request.actor)
    return replace(work, promotion=done, generation=written)


def _unfinished(workshop: Workshop, current: Generation) -> Promotion | None:
    """Return the promotion of a rollback that wrote its generation and died before Monitor: going on is all there is to do."""
    promotion = workshop.store.promotion(current.promotion) if current.number else None
    if promotion is not None and promotion.cause is Cause.ROLLBACK and promotion.state is State.DEPLOYED:
        return promotion
    return None


def choose(current: Generation, history: tuple[Generation, ...], to: str) -> Generation:
    """Return the generation to go back to. `to` is a number, a release id (or its beginning), or "": the former release. Pure.

    The former release is the last one that served before the present one did; where none did, the generation before.
    """
    if not current.number:
        raise Refused(
            "nothing is served, so there is nothing to go back to", "release something first: sluice release"
        )
    older = [item for item in history if item.number < current.number]
    if not to:
        before = [item for item in older if item.number < current.origin]
        former = [item for item in before if item.release != current.release] or before
        if not former:
            raise Refused(
                f"generation {current.number} is the first, there is nothing before it",
                "see what there was: sluice history",
            )
        return former[0]
    if to.isdecimal() and any(item.number == int(to) for item in history):
        chosen = next(item for item in history if item.number == int(to))
    else:
        chosen = next((item for item in history if item.release.startswith(to)), None)
    if chosen is None:
        raise BadInput(
            f"no generation or release {to!r} ever served here", fix="see which did: sluice history"
        )
    if chosen.number == current.number:
        raise Refused(
            f"generation {current.number} is what is served now", "see what else there was: sluice history"
        )
    return chosen


def _intent(workshop: Workshop, current: Generation, target: Generation, actor: str) -> Promotion:
    for old in workshop.store.promotions(environment=current.environment, limit=20):
        if is_open(old) and old.state is not State.DEPLOYED:
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
    )
