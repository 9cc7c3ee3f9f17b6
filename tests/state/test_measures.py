"""What gates measured comes back as history: of what was served, newest first, with one query for many models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport, Measure, Verdict
from prefect_sluice.state.reader import LAST_MEASURES
from prefect_sluice.state.store import StateStore
from tests.state.queries import queries

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
T = "model.shop.t"


def served(
    store: StateStore,
    number: int | None,
    *measures: Measure,
    id: str = "",
    environment: str = "prod",
    cause: Cause = Cause.REFRESH,
    base: int = 0,
    gate: str = "budget",
) -> str:
    """Record a promotion that wrote generation `number` (None: it was refused), and what was measured of it."""
    name = id or f"p{number}"
    at = NOW + timedelta(days=number or 0)
    promotion = Promotion(
        id=name, environment=environment, release="r1", cause=cause, base=base, base_release="r0",
        state=State.STABLE if number else State.REFUSED, actor="ada", created_at=at, updated_at=at, generation=number,
    )  # fmt: skip
    with store.transaction() as transaction:
        transaction.put_promotion(promotion)
        transaction.put_reports(name, "stage", [GateReport(gate, measures=measures)])
    return name


def values(store: StateStore, metric: str = "rows", subject: str = T, limit: int = 60) -> list[float]:
    found = store.measures("prod", "budget", [subject, "model.shop.other"], limit=limit)
    return [value for value, _, _ in found.get((subject, metric), ())]


def rows(value: float) -> Measure:
    return Measure(T, "rows", value)


def test_what_was_served_is_history_the_newest_first(store: StateStore) -> None:
    assert store.measures("prod", "budget", [T]) == {}
    for number in (1, 2, 3):
        served(
            store, number, rows(number * 10), Measure(T, "null share:a b", 0.1 + 0.2), Measure("x", "rows", 7)
        )
    found = store.measures("prod", "budget", [T])
    assert found[T, "rows"][0] == (30.0, NOW + timedelta(days=3), "p3")
    assert values(store) == [30, 20, 10]
    assert values(store, "null share:a b") == [0.1 + 0.2] * 3
    assert values(store, limit=2) == [30, 20]
    assert store.measures("prod", "budget", ["x", T, "y"])["x", "rows"][2][0] == 7


def test_what_was_refused_and_what_is_elsewhere_is_not(store: StateStore) -> None:
    served(store, None, rows(1), id="refused")
    served(store, 1, rows(2), id="dev", environment="dev")
    served(store, 2, rows(3), id="other", gate="anomalies")
    served(store, 3, Measure(T, "bytes", 4), Measure(T, "rows", float("nan")))
    assert values(store) == []


def test_what_was_rolled_back_from_is_not(store: StateStore) -> None:
    served(store, 1, rows(10))
    served(store, 2, rows(5))
    served(store, 2, rows(6), id="dev", environment="dev")
    served(store, 3, id="back", cause=Cause.ROLLBACK, base=2)
    served(store, 4, rows(11))
    assert values(store) == [11, 10]
    assert store.measures("dev", "budget", [T])[T, "rows"][0][0] == 6


def test_a_gate_asked_again_measures_in_place_of_before(store: StateStore) -> None:
    promotion = served(store, 1, rows(10), Measure(T, "bytes", 1))
    with store.transaction() as transaction:
        transaction.put_reports(promotion, "stage", [GateReport("budget", measures=(rows(12),))])
    assert (values(store), values(store, "bytes")) == ([12], [])


def test_a_thousand_models_are_two_queries(store: StateStore) -> None:
    names = [f"model.shop.t{n}" for n in range(1000)]
    for number in range(1, 4):
        every = (Measure(name, metric, number) for name in names for metric in ("rows", "seconds", "bytes"))
        served(store, number, *every)
    with queries(store) as asked:
        found = store.measures("prod", "budget", names)
    assert (len(found), len(found["model.shop.t999", "seconds"])) == (3000, 3)
    assert len(asked) == 2


def test_numbers_that_nobody_reads_any_more_are_pruned(store: StateStore) -> None:
    for number in range(1, LAST_MEASURES + 6):
        served(store, number, rows(number))
    served(store, 100, Measure(T, "bytes", 1), gate="anomalies")
    served(store, 101, rows(7), id="dev", environment="dev")
    served(store, 102, id="back", cause=Cause.ROLLBACK, base=LAST_MEASURES + 5)
    before = values(store)
    for _ in range(2):
        with store.transaction() as transaction:
            transaction.prune_measures("prod")
    assert values(store) == before
    assert len(values(store, limit=1000)) == LAST_MEASURES
    assert len(store.measures("prod", "anomalies", [T])[T, "bytes"]) == 1
    assert len(store.measures("dev", "budget", [T])[T, "rows"]) == 1


def test_pruned_reports_keep_what_was_served_without_its_rows(store: StateStore) -> None:
    kept, old, refused = (served(store, number) for number in (1, 2, None))
    rows_shown = Evidence(("id",), (("7",),), 1)
    finding = Finding(
        "diff", "rows", Verdict.WARNED, "1 row differs", evidence=rows_shown, more=(rows_shown,)
    )
    with store.transaction() as transaction:
        for promotion in (kept, old, refused):
            transaction.put_reports(promotion, "stage", [GateReport("diff", (finding,), seconds=1.5)])
        transaction.prune_reports([old], [refused])
        transaction.prune_reports([old], [refused])
    assert [report.findings for _, report in store.reports(kept)] == [(finding,)]
    assert store.reports(refused) == ()
    ((stage, report),) = store.reports(old)
    assert (stage, report) == ("stage", GateReport("diff", (finding,), seconds=1.5).without_tables())
    assert report.findings[0].evidence is None
    assert not report.findings[0].more
    assert report.findings[0].summary == finding.summary
