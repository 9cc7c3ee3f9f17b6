"""Which records of a promotion may go with its report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.maintenance.needed import NeededInputs, forgotten

NOW = datetime(2026, 12, 1, tzinfo=UTC)
OLD = NOW - timedelta(days=90)


def promotion(
    name: str, release: str, state: State = State.STABLE, at: datetime = OLD, where: str = "prod"
) -> Promotion:
    return Promotion(name, where, release, Cause.RELEASE, 0, "", state, "Ada", at, at)


def test_records_go_with_the_report_and_what_serves_or_waits_keeps_its_own() -> None:
    whole = Generation("prod", 7, "r1", "serves", 1, Cause.ROLLBACK, 7, OLD, ())
    promotions = (
        promotion("serves", "r1"),
        promotion("gone", "r0"),
        promotion("same", "r1"),
        promotion("waits", "r3", State.STAGED),
        promotion("fresh", "r2", State.REFUSED, NOW),
        promotion("dev", "r0", where="dev"),
    )
    standing = NeededInputs(promotions, (whole,), (whole,), NOW - timedelta(days=7), frozenset())
    assert forgotten(standing, {"prod"}) == (("gone", "same"), (("prod", "r0"),))
    assert forgotten(standing, {"dev", "prod"})[1] == (("prod", "r0"), ("dev", "r0"))
    assert forgotten(standing, ()) == ((), ())
