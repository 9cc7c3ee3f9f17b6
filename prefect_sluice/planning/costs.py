"""What a plan's build is expected to take and to bring, from what builds that were served took and brought before. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from prefect_sluice.domain.digests import Json
from prefect_sluice.planning.plan import Action, Plan

Past = Mapping[tuple[str, str], Sequence[float]]
"""Numbers of the past by unique id and metric (`seconds`, `seconds carried`, `rows`, `bytes`), the newest first."""
LAST = 5
"""So many builds of the past count."""


@dataclass(frozen=True, slots=True)
class ExpectedCosts:
    """What is expected of a build: dbt's `seconds` as the sum over its relations, the `rows` and `bytes` of these; None where
    none of them has a past. `relations` are to be built, and `with_past` of them have one; `builds` is how many builds the one
    with the shortest past has."""

    relations: int
    with_past: int = 0
    builds: int = 0
    seconds: float | None = None
    rows: int | None = None
    bytes: int | None = None

    def document(self) -> Json:
        """Return it as JSON."""
        return {
            "relations": self.relations,
            "known": self.with_past,
            "builds": self.builds,
            "seconds": self.seconds,
            "rows": self.rows,
            "bytes": self.bytes,
        }


def subjects(plan: Plan) -> tuple[str, ...]:
    """Return the unique ids whose past is to be asked for."""
    return tuple(step.node for step in plan.of(Action.BUILD, Action.CARRY))


def costs(plan: Plan, past: Past) -> ExpectedCosts:
    """Return what the build of a plan is expected to cost: the median of the last seconds, rows and bytes as they were last."""
    past_seconds = _took(plan, past)
    return ExpectedCosts(
        len(subjects(plan)),
        len(past_seconds),
        min((len(values) for values in past_seconds.values()), default=0),
        sum(usual_seconds(plan, past).values()) if past_seconds else None,
        _last(plan, past, "rows"),
        _last(plan, past, "bytes"),
    )


def usual_seconds(plan: Plan, past: Past) -> Mapping[str, float]:
    """Return the seconds that each relation to be built usually takes, by unique id, where it has a past."""
    return {uid: median(values) for uid, values in _took(plan, past).items()}


def _took(plan: Plan, past: Past) -> Mapping[str, Sequence[float]]:
    steps = plan.of(Action.BUILD, Action.CARRY)
    took = {step.node: past.get((step.node, _seconds(step.action)), ())[:LAST] for step in steps}
    return {uid: values for uid, values in took.items() if values}


def _seconds(action: Action) -> str:
    """A table that is built anew and one that grows are not alike."""
    return "seconds carried" if action is Action.CARRY else "seconds"


def _last(plan: Plan, past: Past, metric: str) -> int | None:
    last_values = [past[uid, metric][0] for uid in subjects(plan) if past.get((uid, metric))]
    return round(sum(last_values)) if last_values else None
