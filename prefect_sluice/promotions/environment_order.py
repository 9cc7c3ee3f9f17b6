"""The order of environments: where a release must have been before it may go further."""

from __future__ import annotations

from collections.abc import Mapping

from prefect_sluice import config
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.workspace.workspace import Environment

ANY = "any"


def ordered(environments: Mapping[str, Environment]) -> tuple[str, ...]:
    """Return the names of the environments in order: as they are written, production last. Pure."""
    return tuple(sorted(environments, key=lambda name: name in config.PRODUCTION))


def before(environment: Environment, environments: Mapping[str, Environment]) -> str:
    """Return the environment that a release must have been stable in before it comes here; "" where there is no such rule.

    Raises ConfigInvalid when `after` names no environment, or leads back to this one.
    """
    found = _previous_environment(environment, environments)
    seen, above = {environment.name}, found
    while above:
        if above in seen:
            where = f"environments.{environment.name}.after"
            raise ConfigInvalid(f"{found!r} comes after {environment.name!r} itself", where, "mend the order")
        seen.add(above)
        above = _previous_environment(environments[above], environments)
    return found


def behind(environment: Environment, environments: Mapping[str, Environment]) -> str:
    """Return the first environment that a release may go to from here; "" where this is the last. Raises as `before` does."""
    return next(
        (
            name
            for name in ordered(environments)
            if before(environments[name], environments) == environment.name
        ),
        "",
    )


def comes_after(first: str, second: str, environments: Mapping[str, Environment]) -> bool:
    """Say whether `first` lies behind `second` on the way that a release takes."""
    above = before(environments[first], environments)
    while above and above != second:
        above = before(environments[above], environments)
    return bool(above)


def _previous_environment(environment: Environment, environments: Mapping[str, Environment]) -> str:
    after = environment.policy.after
    if after == ANY:
        return ""
    if after is None:
        names = ordered(environments)
        position = names.index(environment.name)
        return names[position - 1] if position else ""
    if after not in environments:
        known = ", ".join((*(name for name in environments if name != environment.name), ANY))
        where = f"environments.{environment.name}.after"
        raise ConfigInvalid(f"there is no environment {after!r}", where, f"name one of: {known}")
    return after
