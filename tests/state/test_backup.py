"""A backup is a whole store of one moment, and comes back as it was: from either database, into either."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from prefect_sluice.domain import ledger
from prefect_sluice.domain.build_conditions import Conditions
from prefect_sluice.domain.declarations import Declarations, NodeDescription
from prefect_sluice.domain.errors import BadInput, LeaseHeld, LedgerBroken, Refused
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.poll_rules import PollAttempt, PollBase
from prefect_sluice.domain.promotion import Approval, Decision, Promotion, Run, StageTime, State
from prefect_sluice.domain.refresh_rules import RefreshAttempt
from prefect_sluice.domain.run_signs import SignOfLife
from prefect_sluice.domain.verdict import Finding, GateReport, Measure, Verdict
from prefect_sluice.state import backup
from prefect_sluice.state import engine as database
from prefect_sluice.state.backup import StoreCopy, back_up, restore
from prefect_sluice.state.records import AlertRecord
from prefect_sluice.state.store import StateStore
from prefect_sluice.state.tables import METADATA
from tests.state.older import engine_at

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TTL = timedelta(minutes=1)


def fill(url: str, *, entries: int = 3) -> None:
    """Put something into most of the tables."""
    with StateStore.open(url) as store, store.transaction() as tx:
        for number in range(entries):
            promotion = Promotion(
                f"p{number}", "prod", f"r{number}", Cause.RELEASE, number, "", State.STABLE, "Ada", NOW, NOW
            )
            tx.put_promotion(promotion)
            tx.put_approval(
                Approval(
                    f"a{number}", promotion.id, "digest", Decision.APPROVE, "Grace", "ü 'x'", NOW, NOW + TTL
                )
            )
            finding = Finding("diff", "rows", Verdict.WARNED, "more", observed=1.5)
            report = GateReport("diff", (finding,), measures=(Measure("model.a", "rows", 3.0),))
            tx.put_reports(promotion.id, "stage", [report])
            tx.append("promotion.started", actor="Ada", at=NOW, environment="prod", facts={"n": number})
        tx.put_cached("source", "key", {"a": 1})
        tx.put_declared("prod", "r0", Declarations(described={"model.a": NodeDescription("all of it")}))
        tx.put_conditions("p0", NOW, Conditions({"tools": {"dbt": "1"}}))
        tx.put_refresh("prod", RefreshAttempt(NOW, NOW, "stable", "done"))
        tx.put_poll("prod", PollAttempt("c0", "failed", PollBase(1, "r0"), "it broke"))
        tx.put_alert("all", AlertRecord(("a problem",), NOW))
        tx.add_timing("p0", Run(NOW, (StageTime("build", 1.5),)))
        tx.put_sign(SignOfLife("run", "ada@host pid 1", NOW))
        tx.take_lease("prod", "ada@host pid 1", now=NOW, ttl=TTL)


def content(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables."""
    engine, _ = database.connect(url)
    with engine.connect() as connection:
        found = {
            table.name: [
                tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in METADATA.sorted_tables
        }
    engine.dispose()
    return found


def back(file: Path, url: str) -> StoreCopy:
    return restore(file, url, actor="Ada", at=NOW)


def test_what_was_backed_up_comes_back(url: str, tmp_path: Path) -> None:
    fill(url)
    before = content(url)
    records = {"declared", "conditions", "refresh", "poll", "alert", "timing", "sign", "cache"}
    assert all(before[f"sluice_{name}"] for name in records)
    file = tmp_path / "backup.db"
    made = back_up(url, file)
    assert (made.number, made.head, made.broken) == (3, before["sluice_ledger"][-1][-1], "")
    assert content(str(file)) == before
    assert sorted(path.name for path in tmp_path.glob("*backup*")) == ["backup.db"]

    again = str(tmp_path / "again.db")
    assert back(file, again).head == made.head
    after = content(again)
    lease = after.pop("sluice_lease")
    assert lease == [("prod", before.pop("sluice_lease")[0][1] + 1_000_000, "", None, None)]  # type: ignore[operator]
    written = after["sluice_ledger"].pop()
    assert (written[2], written[4]) == (backup.RESTORED, "Ada")
    assert after == before
    with StateStore.open(again) as store:
        ledger.verify(store.entries())


def test_a_file_becomes_a_server_and_goes_on_counting(url: str, tmp_path: Path) -> None:
    """From a laptop's file into whatever the team has."""
    file = str(tmp_path / "laptop.db")
    fill(file)
    back(Path(file), url)
    with StateStore.open(url) as store:
        with store.transaction() as tx:
            report = GateReport("lint", (Finding("lint", "x", Verdict.PASSED, "fine"),))
            tx.put_reports("p9", "test", [report])
            tx.append("hold.placed", actor="Ada", at=NOW)
        ledger.verify(store.entries())
        assert len(store.entries()) == 5
        with store.transaction() as tx:
            assert tx.take_lease("prod", "bob@host pid 2", now=NOW, ttl=TTL).token == 1_000_002
    sequence = [row[0] for row in content(url)["sluice_report"]]
    assert sequence == [1, 2, 3, 4]


def test_a_backup_is_of_one_moment_and_keeps_nobody_waiting(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something is written after each table that was copied."""
    file = tmp_path / "backup.db"
    fill(url)
    before = content(url)
    real: Callable[..., int] = backup._table  # pyright: ignore[reportPrivateUsage]  # no other place lies between two tables
    with StateStore.open(url) as store:

        def disturbed(*arguments: object) -> int:
            count = real(*arguments)
            with store.transaction() as tx:
                tx.append("promotion.started", actor="Bob", at=NOW, environment="prod")
            return count

        monkeypatch.setattr(backup, "_table", disturbed)
        back_up(url, file)
    assert content(str(file)) == before
    assert len(content(url)["sluice_ledger"]) == 3 + len(METADATA.sorted_tables)


def test_a_store_with_anything_in_it_is_not_written_over(url: str, tmp_path: Path) -> None:
    fill(url)
    file = tmp_path / "backup.db"
    back_up(url, file)
    before = content(url)
    with pytest.raises(Refused, match="holds a state store already"):
        back(file, url)
    assert content(url) == before
    with pytest.raises(BadInput, match="is there already"):
        back_up(url, file)


def test_the_same_backup_again_changes_nothing_and_another_one_is_refused(url: str, tmp_path: Path) -> None:
    """Also after work was done there; and what was restored from a later backup was not restored from an earlier one."""
    source, file, later = str(tmp_path / "source.db"), tmp_path / "backup.db", tmp_path / "later.db"
    fill(source)
    back_up(source, file)
    first = back(file, url)
    before = content(url)
    assert back(file, url) == replace(first, anew=False)
    assert content(url) == before
    back_up(url, later)
    with pytest.raises(Refused, match="holds a state store already"):
        back(later, url)
    with StateStore.open(url) as store, store.transaction() as tx:
        tx.append("hold.placed", actor="Ada", at=NOW)
    before = content(url)
    assert back(file, url) == replace(first, anew=False)
    assert content(url) == before

    moved = str(tmp_path / "moved.db")
    back(later, moved)
    with pytest.raises(Refused, match="holds a state store already"):
        back(file, moved)
    assert back(later, moved).anew is False


def test_a_changed_ledger_is_told_and_does_not_come_back(tmp_path: Path) -> None:
    url, file = str(tmp_path / "state.db"), tmp_path / "backup.db"
    fill(url)
    with sqlite3.connect(url) as connection:
        for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            connection.execute(f"drop trigger {name}")
        connection.execute("update sluice_ledger set actor = 'Eve' where number = 2")
    connection.close()
    assert back_up(url, file).broken
    target = tmp_path / "new.db"
    with pytest.raises(LedgerBroken):
        back(file, str(target))
    assert content(str(target))["sluice_promotion"] == []  # all of it or nothing


@pytest.mark.parametrize("what", ["nothing", "text", "another database"])
def test_what_is_no_backup_is_refused_and_left_alone(what: str, tmp_path: Path) -> None:
    file, target = tmp_path / "file", tmp_path / "state.db"
    if what == "text":
        file.write_text("not a database at all\n" * 100)
    elif what == "another database":
        with sqlite3.connect(file) as connection:
            connection.execute("create table t (a)")
        connection.close()
    before = file.read_bytes() if file.exists() else b""
    with pytest.raises(BadInput, match=r"no such file|not a backup"):
        back(file, str(target))
    assert not target.exists()
    assert (file.read_bytes() if file.exists() else b"") == before


def test_a_backup_of_an_older_version_is_upgraded_on_the_way(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    engine = engine_at(str(file), "0002")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "insert into sluice_promotion values (1, 'p0', 'prod', 'r0', 'release', 0, '', 'stable', 'Ada',"
            " '2026-03-01T12:00:00.000000+00:00', '2026-03-01T12:00:00.000000+00:00', '', '', 1, 'done')"
        )
    engine.dispose()
    with sqlite3.connect(file) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    before = file.read_bytes()
    back(file, str(tmp_path / "new.db"))
    assert file.read_bytes() == before
    with StateStore.open(str(tmp_path / "new.db")) as store:
        assert store.promotion("p0") is not None


def test_a_backup_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    fill(str(file))
    with sqlite3.connect(file) as connection:
        connection.execute("update sluice_version set version_num = '0999'")
    connection.close()
    with pytest.raises(BadInput, match="newer version of Sluice"):
        back(file, str(tmp_path / "new.db"))


def test_who_held_a_lease_then_holds_none_now(tmp_path: Path) -> None:
    url, file = str(tmp_path / "state.db"), tmp_path / "backup.db"
    fill(url)
    back_up(url, file)
    with StateStore.open(url) as store, pytest.raises(LeaseHeld), store.transaction() as tx:
        tx.take_lease("prod", "bob@host pid 2", now=NOW, ttl=TTL)
    back(file, str(tmp_path / "new.db"))
    with StateStore.open(str(tmp_path / "new.db")) as store, store.transaction() as tx:
        tx.take_lease("prod", "bob@host pid 2", now=NOW, ttl=TTL)
