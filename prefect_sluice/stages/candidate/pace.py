"""How far a build is, and about how long the rest of it takes, by what its relations took before."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING

from prefect_sluice.planning import costs
from prefect_sluice.planning.plan import Plan

if TYPE_CHECKING:
    from prefect_sluice.state.store import StateStore

_WORTH_SAYING = 5.0
"""Seconds; a shorter rest is not told."""
_A_MINUTE = 60


def past(store: StateStore, plan: Plan) -> costs.Past:
    """Return what the gate `budget` measured of the relations that are to be built, in builds that were served."""
    found = store.measures(plan.environment, "budget", costs.subjects(plan), limit=costs.LAST)
    return {key: tuple(value for value, _, _ in values) for key, values in found.items()}


def expected(store: StateStore, plan: Plan) -> costs.ExpectedCosts:
    """Return what a plan's build is expected to cost, by builds that were served: for the terminal and for Prefect alike."""
    return costs.costs(plan, past(store, plan))


class BuildPace:
    """Counts the relations of one build as they are done. Called by one thread at a time, as dbt's events are."""

    def __init__(self, total: int, usual: Mapping[str, float]) -> None:
        """`total` relations are built; `usual` has the seconds that each takes, where they are known."""
        self._total = total
        self._usual = usual
        self._rest = sum(usual.values())
        self._done = 0
        self._began = monotonic()

    def done(self, uid: str) -> tuple[str, str]:
        """Count one that is done; return how far it is, `3/17`, and what is left, `about 2 min left` ("" if not known)."""
        self._done += 1
        self._rest -= self._usual.get(uid, 0.0)
        return f"{self._done}/{self._total}", remaining(self._left(monotonic() - self._began))

    def _left(self, elapsed: float) -> float:
        return estimate_rest(sum(self._usual.values()) - self._rest, self._rest, elapsed)


def estimate_rest(done: float, rest: float, elapsed: float) -> float:
    """Return the seconds that the rest takes at the pace of what is done: `done` and `rest` are what they usually take, one
    after another, and `elapsed` what the first took here, with as many threads as there are. 0 while nothing is known. Pure."""
    return rest * elapsed / done if done > 0 else 0.0


def remaining(seconds: float) -> str:
    """Return `about 40 s left` or `about 3 min left`, rounded; "" for what is not worth saying. Pure."""
    if seconds < _WORTH_SAYING:
        return ""
    if seconds < _A_MINUTE:
        return f"about {round(seconds / 5) * 5} s left"
    return f"about {round(seconds / _A_MINUTE)} min left"
