"""The contract of the state store, on both databases: what is put comes back, together or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.domain.promotion import Approval, Candidate, Decision, Promotion, State
from prefect_sluice.domain.relation import Relation, RelationState
from prefect_sluice.domain.release import Change, Release
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport, Measure, Verdict
from prefect_sluice.state.store import StateStore
from tests.state.queries import queries

NOW = datetime(2026, 3, 1, 12, 30, 5, 123456, tzinfo=UTC)
TEXT = st.text(max_size=20)
NUMBERS = st.none() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False)
EVIDENCE = st.builds(
    Evidence,
    columns=st.lists(TEXT, max_size=3).map(tuple),
    rows=st.lists(st.lists(st.none() | TEXT, max_size=3).map(tuple), max_size=3).map(tuple),
    total=st.integers(0, 2**40),
)
FINDINGS = st.builds(
    Finding,
    gate=TEXT,
    check=TEXT,
    verdict=st.sampled_from(Verdict),
    summary=TEXT,
    subjects=st.lists(TEXT.filter(lambda text: text and ", " not in text), max_size=3).map(tuple),
    observed=NUMBERS,
    limit=NUMBERS,
    location=TEXT,
    evidence=st.none() | EVIDENCE,
)
REPORTS = st.builds(
    GateReport,
    gate=st.text("abc-", min_size=1, max_size=8),
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    not_applicable=TEXT,
    seconds=st.floats(0, 1e6),
)


def a_release(commit: str = "4a1bd3e", **files: str) -> Release:
    zone = timezone(timedelta(hours=-5))
    change = Change(
        commit=commit,
        tree="9c1",
        project="warehouse",
        author="Ada <ada@example.org>",
        at=NOW.astimezone(zone),
        subject="Rename «dest» to destination",
        parents=("77e",),
        files=("models/a.sql",),
    )
    return Release(change, files=files or {"models/a.sql": "644:" + "0" * 64}, tools={"dbt-core": "1.11.16"})


def a_promotion(id: str, **changed: object) -> Promotion:
    plain = Promotion(
        id=id,
        environment="prod",
        release="r1",
        cause=Cause.RELEASE,
        base=3,
        base_release="r0",
        state=State.STARTED,
        actor="ada",
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(plain, **changed)


def a_relation(identifier: str, **changed: object) -> Relation:
    plain = Relation(
        address=Name("store", identifier),
        node=f"model.flights.{identifier}",
        kind=NodeKind.TABLE,
        fingerprint="f" * 64,
        inputs="i" * 64,
        promotion="p1",
        state=RelationState.BUILDING,
        rows=None,
        seconds=None,
        at=NOW,
    )
    return replace(plain, **changed)


def an_approval(id: str, **changed: object) -> Approval:
    plain = Approval(
        id=id,
        promotion="p1",
        binding="b" * 64,
        decision=Decision.APPROVE,
        by="grace",
        comment="looked at the diff",
        at=NOW,
        expires_at=NOW + timedelta(hours=8),
    )
    return replace(plain, **changed)


def test_a_release_comes_back_with_its_id(store: StateStore) -> None:
    release = a_release()
    for _ in range(2):
        with store.transaction() as tx:
            tx.put_release(release)
    assert store.release(release.id) == release
    assert store.release(release.short) == release
    assert store.releases() == (release,)


def test_the_commits_message_is_kept_and_is_no_part_of_the_id(store: StateStore) -> None:
    plain = a_release()
    told = replace(plain, change=replace(plain.change, message="Rename\n\nExpect: a.b up to 3%"))
    assert told.id == plain.id
    with store.transaction() as tx:
        tx.put_release(told)
    assert store.release(told.id) == told


def test_releases_come_newest_first(store: StateStore) -> None:
    releases = [a_release(f"c{number}") for number in range(4)]
    for release in releases:
        with store.transaction() as tx:
            tx.put_release(release)
    assert store.releases() == tuple(reversed(releases))
    assert store.releases(limit=2) == (releases[3], releases[2])


def test_a_prefix_must_mean_one(store: StateStore) -> None:
    with store.transaction() as tx:
        for id in ("ab1", "ab2", "ab", "xy%"):
            tx.put_promotion(a_promotion(id))
    assert store.promotion("x") == a_promotion("xy%")
    assert store.promotion("ab") == a_promotion("ab")  # itself, though others begin so
    assert store.promotion("") is None
    assert store.promotion("%") is None
    assert store.promotion("AB") is None
    assert store.release("ab") is None
    with pytest.raises(BadInput, match="'a' is more than one promotion: ab, ab1, ab2"):
        store.promotion("a")


def test_a_promotion_is_updated_by_id(store: StateStore) -> None:
    first = a_promotion("p1")
    later = a_promotion(
        "p1",
        state=State.DEPLOYED,
        generation=4,
        plan="a" * 64,
        evidence="e" * 64,
        message="it's live",
        updated_at=NOW + timedelta(minutes=3),
    )
    with store.transaction() as tx:
        tx.put_promotion(first)
        assert tx.promotion("p1") == first
        tx.put_promotion(later)
    assert store.promotion("p1") == later
    assert later.binding == getattr(store.promotion("p1"), "binding", "")


def test_promotions_come_newest_first_and_filtered(store: StateStore) -> None:
    old, first, second = (
        a_promotion("old", created_at=NOW - timedelta(days=1)),
        a_promotion("first", state=State.STABLE),
        a_promotion("second", environment="dev"),
    )
    with store.transaction() as tx:
        for promotion in (first, second, old, replace(first, message="changed later")):
            tx.put_promotion(promotion)
    ids = [promotion.id for promotion in store.promotions()]
    assert ids == ["second", "first", "old"]
    assert [promotion.id for promotion in store.promotions(environment="prod", limit=1)] == ["first"]
    running = store.promotions(states={State.STARTED, State.STAGED})
    assert [promotion.id for promotion in running] == ["second", "old"]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # putting replaces, so the one store serves all examples
@given(st.lists(REPORTS, max_size=3))
def test_gate_reports_come_back_exactly(store: StateStore, reports: list[GateReport]) -> None:
    with store.transaction() as tx:
        tx.put_reports("p1", "test", reports)
    found = store.reports("p1")
    assert found == tuple(("test", report) for report in reports)
    assert [report.seconds for _, report in found] == [report.seconds for report in reports]
    assert repr([report for _, report in found]) == repr(reports)


def test_a_measured_nan_comes_back(store: StateStore) -> None:
    finding = Finding("g", "c", Verdict.FAILED, "", observed=float("nan"), limit=float("-inf"))
    with store.transaction() as tx:
        tx.put_reports("p1", "test", [GateReport("g", (finding,))])
    assert repr(store.reports("p1")[0][1].findings[0]) == repr(finding)


def test_reports_are_replaced_per_stage(store: StateStore) -> None:
    one, two, three = GateReport("one"), GateReport("two", not_applicable="no models"), GateReport("three")
    with store.transaction() as tx:
        tx.put_reports("p1", "test", [one, two])
        tx.put_reports("p1", "stage", [three])
        tx.put_reports("p2", "test", [three])
        tx.put_reports("p1", "test", [two, one])
    assert store.reports("p1") == (("stage", three), ("test", two), ("test", one))
    assert store.reports("p2") == (("test", three),)


def test_measures_are_history_once_served(store: StateStore) -> None:
    def measured(value: float) -> GateReport:
        return GateReport("budget", measures=(Measure("model.shop.x", "rows", value),))

    def rows(environment: str = "prod") -> list[tuple[float, str]]:
        found = store.measures(environment, "budget", ["model.shop.x"])
        return [(value, promotion) for value, _, promotion in found["model.shop.x", "rows"]]

    with store.transaction() as tx:
        for number in range(1, 4):
            served = None if number == 2 else number
            tx.put_promotion(a_promotion(f"p{number}", state=State.STAGED, generation=served))
            tx.put_reports(f"p{number}", "stage", [measured(99)])
            tx.put_reports(f"p{number}", "stage", [measured(number)])
        tx.put_promotion(a_promotion("other", environment="dev", generation=1))
        tx.put_reports(
            "other", "stage", [measured(7), GateReport("diff", measures=(Measure("x", "y", 1.0),))]
        )
        tx.put_reports("p3", "stage", [measured(float("nan")), measured(3)])
    assert rows() == [(3.0, "p3"), (1.0, "p1")], "what was not served, and what was replaced, are none"
    assert rows("dev") == [(7.0, "other")]
    (last,) = store.measures("prod", "budget", ["model.shop.x"], limit=1)["model.shop.x", "rows"]
    assert last[1:] == (a_promotion("p3").created_at, "p3")


def test_a_candidate_is_replaced(store: StateStore) -> None:
    assert store.candidate("p1") is None
    for digest in ("", "d" * 64):
        candidate = Candidate("p1", "candidates/p1.duckdb", digest, NOW)
        with store.transaction() as tx:
            tx.put_candidate(candidate)
        assert store.candidate("p1") == candidate


def test_relations_are_put_by_address(store: StateStore) -> None:
    relations = [a_relation(name) for name in ("b", "a", "B")]
    ready = replace(relations[0], state=RelationState.READY, rows=336_776 * 10**5, seconds=0.1 + 0.2)
    other = a_relation("z", promotion="p2", kind=NodeKind.INCREMENTAL)
    with store.transaction() as tx:
        tx.put_relations(relations)
        tx.put_relations([ready, other])
        tx.put_relations([])
    assert store.relations() == (relations[2], relations[1], ready, other)
    assert store.relations("p2") == (other,)


def test_an_approval_is_used_once(store: StateStore) -> None:
    with store.transaction() as tx:
        tx.put_approval(an_approval("a1"))
        tx.put_approval(an_approval("a2", decision=Decision.REJECT, signature="s"))
        assert tx.use_approval("a1", NOW)
        assert not tx.use_approval("a1", NOW + timedelta(seconds=1))
        assert not tx.use_approval("unknown", NOW)
        tx.put_approval(an_approval("a1"))  # again, from the same file: it stays used
    assert store.approvals("p1") == (
        an_approval("a1", used_at=NOW),
        an_approval("a2", decision=Decision.REJECT, signature="s"),
    )
    assert store.approvals("p2") == ()


def test_an_approval_cannot_be_rewritten(store: StateStore) -> None:
    with store.transaction() as tx:
        tx.put_approval(an_approval("a1"))
    with pytest.raises(Refused, match="says something else"), store.transaction() as tx:
        tx.put_approval(an_approval("a1", binding="c" * 64))
    assert store.approvals("p1") == (an_approval("a1"),)


def test_a_transaction_is_all_or_nothing(store: StateStore) -> None:
    def die() -> None:
        with store.transaction() as tx:
            tx.put_promotion(a_promotion("p1"))
            tx.append("promotion.started", actor="ada", at=NOW)
            tx.take_lease("prod", "ada", now=NOW, ttl=timedelta(minutes=1))
            assert tx.promotion("p1")
            assert store.promotion("p1") is None  # the others do not see it yet
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        die()
    assert store.promotion("p1") is None
    assert store.entries() == ()
    assert store.lease("prod") is None


def test_one_thread_has_one_transaction(store: StateStore) -> None:
    with store.transaction(), pytest.raises(RuntimeError, match="open already"), store.transaction():
        pass
    with store.transaction() as tx:  # and may have the next one
        tx.put_promotion(a_promotion("p1"))


def test_cached_facts_come_back_in_bulk(store: StateStore) -> None:
    with store.transaction() as tx:
        tx.put_cached("columns", "k1", {"a": [1, None, "\0ü"]})
        tx.put_cached("columns", "k1", ["newer"])
        tx.put_all_cached("sql", {f"k{number}": number for number in range(5000)})
    assert store.cached("columns", ["k1", "k2"]) == {"k1": ["newer"]}
    with queries(store) as asked:
        found = store.cached("sql", (f"k{number}" for number in range(6000)))
    assert len(asked) <= 6000 // 500
    assert found == {f"k{number}": number for number in range(5000)}


def test_times_come_back_in_utc(store: StateStore) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=2)))
    with store.transaction() as tx:
        tx.put_promotion(a_promotion("p1", created_at=there))
    found = store.promotion("p1")
    assert found is not None
    assert found.created_at == NOW
    assert found.created_at.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(store: StateStore) -> None:
    with pytest.raises(Exception, match="no time zone"), store.transaction() as tx:
        tx.put_promotion(a_promotion("p1", created_at=NOW.replace(tzinfo=None)))
    assert store.promotions() == ()


def test_everything_is_there_after_reopening(url: str) -> None:
    with StateStore.open(url) as store, store.transaction() as tx:
        tx.put_promotion(a_promotion("p1"))
        entry = tx.append("promotion.started", actor="ada", at=NOW)
    with StateStore.open(url) as store:
        assert store.promotion("p1") == a_promotion("p1")
        assert store.entries() == (entry,)


def test_a_store_in_a_folder_with_odd_characters(tmp_path: Path) -> None:
    path = tmp_path / "a b%20c?d" / "state.db"
    with StateStore.open(str(path)) as store, store.transaction() as tx:
        tx.put_promotion(a_promotion("p1"))
    assert path.exists()
