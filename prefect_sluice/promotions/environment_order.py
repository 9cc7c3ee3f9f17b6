"""The order of environments: where a release must have been before it may go further."""

from __future__ import annotations

from collections.abc import Mapping

from prefect_sluice import config
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.workspace.workspace import Environment

ANY = "any"


def ordered(places: Mapping[str, Environment]) -> tuple[str, ...]:
    """Return the names of the environments in order: as they are written, production last. Pure."""
    return tuple(sorted(places, key=lambda name: name in config.PRODUCTION))


def before(place: Environment, places: Mapping[str, Environment]) -> str:
    """Return the environment that a release must have been stable in before it comes here; "" where there is no such rule.

    Raises ConfigInvalid when `after` names no environment, or leads back to this one.
    """
    found = _named(place, places)
    seen, above = {place.name}, found
    while above:
        if above in seen:
            where = f"environments.{place.name}.after"
            raise ConfigInvalid(f"{found!r} comes after {place.name!r} itself", where, "mend the order")
        seen.add(above)
        above = _named(places[above], places)
    return found


def behind(place: Environment, places: Mapping[str, Environment]) -> str:
    """Return the first environment that a release may go to from here; "" where this is the last. Raises as `before` does."""
    return next((name for name in ordered(places) if before(places[name], places) == place.name), "")


def comes_after(first: str, second: str, places: Mapping[str, Environment]) -> bool:
    """Say whether `first` lies behind `second` on the way that a release takes."""
    above = before(places[first], places)
    while above and above != second:
        above = before(places[above], places)
    return bool(above)


def _named(place: Environment, places: Mapping[str, Environment]) -> str:
    after = place.policy.after
    if after == ANY:
        return ""
    if after is None:
        names = ordered(places)
        position = names.index(place.name)
        return names[position - 1] if position else ""
    if after not in places:
        known = ", ".join((*(name for name in places if name != place.name), ANY))
        where = f"environments.{place.name}.after"
        raise ConfigInvalid(f"there is no environment {after!r}", where, f"name one of: {known}")
    return after
