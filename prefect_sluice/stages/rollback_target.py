"""Where a rollback goes, and whether it was done already: pure functions of the generations that were written."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.untrusted_text import number
from prefect_sluice.planning.choices import chosen_generation


def given_up(history: Sequence[Generation]) -> frozenset[int]:
    """Return the numbers of the generations that somebody went back from: no rollback goes there unless it names them.

    A rollback to generation o gives up all that was written after o. `history` is newest first.
    """
    gone: set[int] = set()
    oldest: list[int] = []  # the two oldest that later ones went back to: one may be the item's own
    for item in history:
        if any(item.number > back and item.origin != back for back in oldest):
            gone.add(item.number)
        if item.cause.goes_back:
            oldest = sorted({*oldest, item.origin})[:2]
    return frozenset(gone)


def is_done(
    rolled: Generation, history: tuple[Generation, ...], to: str, back_from: int, *, further: bool = False
) -> bool:
    """Say whether a rollback that is asked for is the one that wrote `rolled`, which serves. Pure.

    It is, if it goes back from the same generation to the same place; where nobody says from which (`back_from` 0) or to
    where (`to` ""), that is no other one. `further`: with nothing said, another step back is meant.
    """
    if back_from not in {0, rolled.number - 1}:
        return False
    to = chosen_generation(to, rolled.environment)
    if to:
        return find_target(history, to).origin == rolled.origin
    return bool(back_from) or not further


def choose(
    current: Generation,
    history: tuple[Generation, ...],
    to: str,
    barred: Collection[str] = (),
    *,
    unknown: int = 0,
) -> Generation:
    """Return the generation to go back to. `to` is a number, a release id (or its beginning), a line of the form's list, or
    "": the former release. Pure.

    The former release is the last one that served before the present one did, and that nobody went back from; where none
    did, the generation before. One of the releases `barred` is passed over, unless `to` names it: what becomes of that is
    the caller's. `unknown` counts the generations before it that another state store wrote, which are not in `history`.
    """
    if not current.number:
        raise Refused(
            "nothing is served, so there is nothing to go back to",
            step=NextStep.of("release something first: ", Command.of("release")),
        )
    to = chosen_generation(to, current.environment)
    if not to:
        return _former(current, history, barred, unknown)
    chosen = find_target(history, to)
    if chosen.number == current.number:
        raise Refused(
            f"generation {current.number} is what is served now",
            step=NextStep.of("see what else there was: ", Command.of("history")),
        )
    _collected([chosen])
    return chosen


def _former(
    current: Generation, history: tuple[Generation, ...], barred: Collection[str], unknown: int
) -> Generation:
    before = [item for item in history if item.number < current.origin]
    there = [item for item in before if not item.collected_at]
    left = given_up(history)
    good = [item for item in there if item.number not in left]
    allowed = [item for item in good if item.release not in barred]
    former = [item for item in allowed if item.release != current.release] or allowed
    if former:
        return former[0]
    if good:
        raise Refused(
            f"every release that served before generation {current.number} is blocked",
            step=NextStep.of("see by whom and why: ", Command.of("status")),
        )
    if there:
        raise Refused(
            f"every generation before {current.origin} that is still there was rolled back from",
            step=NextStep.of("name the one to serve: ", _rollback(current, there[0])),
        )
    _collected(before)
    step = NextStep.of("see what there was: ", Command.of("history"))
    raise Refused(_nothing_before(current, unknown), step=step)


def _rollback(current: Generation, to: Generation) -> Command:
    return Command.of("rollback", "--env", current.environment, "--to", str(to.number))


def _nothing_before(current: Generation, unknown: int) -> str:
    again = f"generation {current.number} serves generation {current.origin} again, and "
    head = "" if current.origin == current.number else again
    if unknown:
        return f"{head}what was before generation {current.origin} was released by another state store"
    return f"{head}generation {current.origin} is the first, there is nothing before it"


def find_target(history: tuple[Generation, ...], to: str) -> Generation:
    """Return the generation that a number or the beginning of a release's id names. Raises BadInput for none. Pure."""
    if any(item.number == number(to) for item in history):
        return next(item for item in history if item.number == number(to))
    of_release = [item for item in history if item.release.startswith(to)]
    chosen = next((item for item in of_release if not item.collected_at), next(iter(of_release), None))
    if chosen is None:
        raise BadInput(
            f"no generation or release {to!r} ever served here",
            step=NextStep.of("see which did: ", Command.of("history")),
        )
    return chosen


def _collected(asked: Sequence[Generation]) -> None:
    """Raise Refused if what was asked for is there no more."""
    for item in asked[:1]:
        if item.collected_at:
            raise Refused(
                f"generation {item.number} was collected on {item.collected_at:%Y-%m-%d}, and cannot be served again",
                step=NextStep.of("see which can: ", Command.of("history")),
            )
