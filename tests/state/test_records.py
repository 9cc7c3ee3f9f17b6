"""Records have tables of their own, a store of before is brought there, and the cache holds only what can go."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from prefect_sluice.domain.build_conditions import Conditions
from prefect_sluice.domain.declarations import Consumer, Declarations, NodeDescription
from prefect_sluice.domain.digests import canonical
from prefect_sluice.domain.poll_rules import PollAttempt, PollBase
from prefect_sluice.domain.promotion import Run, StageTime
from prefect_sluice.domain.refresh_rules import RefreshAttempt
from prefect_sluice.domain.run_signs import SignOfLife
from prefect_sluice.domain.verdict import SWITCHED_OFF, Finding, GateReport, Likeness, Verdict, WayPast
from prefect_sluice.runtime import documents, process
from prefect_sluice.state import codec, migrate
from prefect_sluice.state import engine as database
from prefect_sluice.state.records import AlertRecord
from prefect_sluice.state.store import StateStore
from tests.state.older import engine_at

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DECLARED = Declarations(
    consumers={"exposure.p.x": Consumer("exposure.p.x", "x", columns={"model.p.a": ("id",)})},
    described={"model.p.a": NodeDescription("all of it", rules=("id: not_null",))},
)
CONDITIONS = Conditions({"tools": {"dbt-core": "1.10"}}, {"env": "nobody looked"}, {"source.p.a": "raw.a"})
RUNS = (Run(NOW, (StageTime("source", 0.5), StageTime("build", 2.0))), Run(NOW + timedelta(hours=1), ()))


def of_before(connection: Any) -> None:
    """Write what version 0004 kept in its cache."""
    kept: dict[tuple[str, str], Any] = {
        ("declared.3", "prod r1"): DECLARED.document(),
        ("declared.2", "prod r0"): {"older": "form"},
        ("conditions.1", "p1"): {
            "at": "2026-03-01T13:00:00+01:00",
            "conditions": documents.document(CONDITIONS),
        },
        ("conditions.1", "broken"): {"at": "not a time"},
        ("refresh.1", "prod"): {
            "at": NOW.isoformat(), "ended": "", "status": "", "message": "", "by": "run"
        },
        ("poll.1", "prod"): {"commit": "c1", "generation": 3, "release": "r1", "message": "it broke"},
        ("health.1", "all"): {"problems": ["a", "ü"], "told": NOW.isoformat()},
        ("times.1", "p1"): [
            {"at": run.at.isoformat(), "took": [[item.stage, item.seconds] for item in run.took]} for run in RUNS
        ],
        ("sign.1", "run"): {"holder": "ada@host pid 1", "seen": NOW.isoformat()},
        ("facts.2", "key"): {"reads": []},
        ("gate.secrets", "key"): "clean",
    }  # fmt: skip
    insert = text("insert into sluice_cache (kind, key, value) values (:kind, :key, :value)")
    for (kind, key), value in kept.items():
        connection.execute(insert, {"kind": kind, "key": key, "value": canonical(value).decode()})


def check_moved(store: StateStore) -> None:
    """Every record can be read as it was."""
    assert store.declared("prod", "r1") == DECLARED
    assert store.declared("prod", "r0") is None
    assert store.conditions("p1") == (NOW, CONDITIONS)
    assert store.conditions("broken") is None
    assert store.refresh("prod") == RefreshAttempt(NOW, by="run")
    assert store.poll("prod") == PollAttempt("c1", "failed", PollBase(3, "r1"), "it broke")
    assert store.alert("all") == AlertRecord(("a", "ü"), NOW)
    assert store.timings("p1") == RUNS
    assert store.signs() == (SignOfLife("run", "ada@host pid 1", NOW),)
    assert store.cached("facts.2", ["key"]) == {"key": {"reads": []}}
    assert store.cached("gate.secrets", ["key"]) == {"key": "clean"}


def test_records_of_a_store_of_before_get_their_tables(url: str) -> None:
    engine = engine_at(url, "0004")
    with engine.begin() as connection:
        of_before(connection)
    for _ in range(2):  # opened again, nothing moves
        with StateStore.open(url) as store:
            check_moved(store)
    with engine.begin() as connection:
        kinds = connection.execute(text("select kind from sluice_cache order by kind")).scalars().all()
        assert kinds == ["facts.2", "gate.secrets"]
        connection.execute(text("delete from sluice_cache"))
    with StateStore.open(url) as store:
        assert store.declared("prod", "r1") == DECLARED
        assert store.timings("p1") == RUNS
    engine.dispose()


def test_an_upgrade_that_died_is_done_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is one transaction: nothing is half moved."""
    engine = engine_at(url, "0004")
    with engine.begin() as connection:
        of_before(connection)

    real = migrate._upgrade  # pyright: ignore[reportPrivateUsage]  # no other place lies before the commit

    def cut(connection: Any) -> None:
        real(connection)
        raise ZeroDivisionError

    monkeypatch.setattr(migrate, "_upgrade", cut)
    with pytest.raises(ZeroDivisionError):
        StateStore.open(url)
    monkeypatch.undo()
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from sluice_cache")).scalar() == 11
    with StateStore.open(url) as store:
        check_moved(store)
    engine.dispose()


def test_records_are_replaced_and_runs_are_added(store: StateStore) -> None:
    later = NOW + timedelta(minutes=5)
    for at, problems in ((NOW, ("a",)), (later, ())):
        with store.transaction() as tx:
            tx.put_declared("prod", "r1", DECLARED if at == NOW else Declarations())
            tx.put_conditions("p1", at, CONDITIONS)
            tx.put_refresh("prod", RefreshAttempt(at, at, "stable", "done", "run"))
            tx.put_poll("prod", PollAttempt(f"c{at.minute}", "failed", PollBase(1, "r1"), "it broke"))
            tx.put_alert("all", AlertRecord(problems, at))
            tx.add_timing("p1", Run(at, (StageTime("build", 1.5),)))
            tx.put_sign(SignOfLife("run", "holder", at))
    assert store.declared("prod", "r1") == DECLARED  # a release declares the same for ever
    assert store.declared("dev", "r1") is None
    assert store.conditions("p1") == (later, CONDITIONS)
    assert store.refresh("prod") == RefreshAttempt(later, later, "stable", "done", "run")
    assert store.poll("prod") == PollAttempt("c5", "failed", PollBase(1, "r1"), "it broke")
    assert store.alert("all") == AlertRecord((), later)
    assert [run.at for run in store.timings("p1")] == [NOW, later]
    assert store.signs() == (SignOfLife("run", "holder", later),)
    with store.transaction() as tx:
        tx.drop_sign("run")
        tx.drop_sign("run")
        tx.put_declared("dev", "r1", DECLARED)
        tx.add_timing("p2", RUNS[0])
        tx.drop_records(["p1", "unknown"], [("prod", "r1")])
    assert store.signs() == ()
    assert (store.declared("prod", "r1"), store.conditions("p1"), store.timings("p1")) == (None, None, ())
    assert (store.declared("dev", "r1"), store.timings("p2")) == (DECLARED, (RUNS[0],))


def test_the_cache_is_pruned_by_use_and_by_number(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [NOW]
    monkeypatch.setattr(process, "now", lambda: clock[0])
    with store.transaction() as tx:
        tx.put_all_cached("facts", {"used": 1, "unused": 2})
    clock[0] += timedelta(days=40)
    assert store.cached("facts", ["used"]) == {"used": 1}
    with store.transaction() as tx:
        assert tx.prune_cache(clock[0] - timedelta(days=30), 100) == 1
    assert store.cached("facts", ["used", "unused"]) == {"used": 1}
    with store.transaction() as tx:
        for key in "abcde":
            clock[0] += timedelta(minutes=1)
            tx.put_cached("facts", key, key)
        assert tx.prune_cache(NOW, 2) == 4
    assert store.cached("facts", [*"abcde", "used"]) == {"d": "d", "e": "e"}


def test_what_is_cached_and_cannot_be_read_is_derived_again(url: str) -> None:
    with StateStore.open(url) as store:
        with store.transaction() as tx:
            tx.put_all_cached("facts", {"whole": 1, "broken": 2})
        engine, _ = database.connect(url)
        with engine.begin() as connection:
            connection.execute(text("update sluice_cache set value = '{' where key = 'broken'"))
        engine.dispose()
        assert store.cached("facts", ["whole", "broken"]) == {"whole": 1}


def test_a_reader_inside_a_fence_does_not_write(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite it would wait for itself."""
    with store.transaction() as tx:
        tx.put_cached("facts", "key", json.loads("1"))
        lease = tx.take_lease("prod", "ada@host pid 1", now=NOW, ttl=timedelta(minutes=1))
    monkeypatch.setattr(process, "now", lambda: datetime.now(UTC) + timedelta(days=3))
    with store.fenced(lease, now=NOW):
        assert store.cached("facts", ["key"]) == {"key": 1}


def test_a_report_says_what_programs_ask_and_one_of_an_older_sluice_still_does() -> None:
    """An older Sluice had it in its sentences alone."""
    same = Finding("diff", "a", Verdict.PASSED, "a: identical, 5 rows", likeness=Likeness.SAME)
    close = Finding(
        "diff", "b", Verdict.PASSED, "b: identical, 5 rows; 1 row differs", likeness=Likeness.CLOSE
    )
    other = Finding(
        "diff", "c", Verdict.FAILED, "c: 1 of 5 rows changed", fix="say so", way_past=WayPast.NAMED
    )
    report = GateReport("diff", (same, close, other))
    off = GateReport("lint", not_applicable=SWITCHED_OFF, switched_off=True)
    rows = [codec.report_row(report), codec.report_row(off)]
    assert [codec.report(row) for row in rows] == [report, off]
    documents = [json.loads(row["document"]) for row in rows]
    for finding in documents[0]["findings"]:
        finding.pop("likeness", None)
        finding.pop("way_past", None)
    del documents[1]["switched_off"]
    older = [codec.report({"document": json.dumps(document)}) for document in documents]
    assert older == [replace(report, findings=(same, close, replace(other, way_past=WayPast.UNSAID))), off]


def test_the_document_of_a_report_without_them_is_what_it_was() -> None:
    document = codec.report_row(GateReport("g", (Finding("g", "c", Verdict.PASSED, "yes"),)))["document"]
    assert not {"way_past", "likeness", "switched_off"} & {
        *json.loads(document),
        *json.loads(document)["findings"][0],
    }
