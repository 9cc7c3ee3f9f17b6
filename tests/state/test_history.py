"""The ledger in the database: one chain from many processes, and rows that nobody can change."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from prefect_sluice.domain.errors import LedgerBroken
from prefect_sluice.domain.ledger import GENERATION_WRITTEN, fold, verify
from prefect_sluice.state import engine as database
from prefect_sluice.state.store import StateStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WORKER = Path(__file__).parent / "worker.py"


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def start(command: str, url: str, name: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, WORKER, command, url, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=Path(__file__).parents[2],
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def test_four_processes_append_to_one_chain(url: str) -> None:
    # The store does not exist yet: they also race to create it.
    workers = [start("append", url, f"worker-{number}") for number in range(4)]
    for worker in workers:
        go(worker)
    assert [worker.communicate(timeout=60)[0] for worker in workers] == [""] * 4
    assert [worker.returncode for worker in workers] == [0] * 4
    with StateStore.open(url) as store:
        entries = store.entries()
    assert [entry.number for entry in entries] == list(range(1, 101))
    verify(entries)
    for name in {entry.actor for entry in entries}:
        theirs = [entry.facts["n"] for entry in entries if entry.actor == name]
        assert theirs == list(range(25))


def test_entries_are_asked_for_by_environment_and_number(store: StateStore) -> None:
    with store.transaction() as tx:
        written = [
            tx.append("a", actor="ada", environment=environment, at=NOW, facts={"x": [1.5, "ü\0", None]})
            for environment in ("dev", "prod", "", "prod")
        ]
    assert store.entries() == tuple(written)
    assert store.entries(environment="prod") == (written[1], written[3])
    assert store.entries(environment="prod", after=2) == (written[3],)
    assert store.entries(limit=2) == tuple(written[:2])
    assert store.entries(after=4) == ()


def test_the_present_is_a_fold_over_the_stored_entries(store: StateStore) -> None:
    with store.transaction() as tx:
        facts = {"generation": 4, "release": "r", "promotion": "p", "cause": "rollback"}
        tx.append(GENERATION_WRITTEN, actor="ada", environment="prod", at=NOW, facts=facts)
        tx.append("promotion.started", actor="ada", environment="prod", at=NOW)
    assert fold(store.entries()) == {"prod": {"generation": 4, "release": "r", "promotion": "p"}}


def test_what_json_cannot_spell_is_refused(store: StateStore) -> None:
    with pytest.raises(ValueError, match="JSON compliant"), store.transaction() as tx:
        tx.append("a", actor="ada", at=NOW, facts={"x": float("inf")})
    assert store.entries() == ()


def execute(url: str, *statements: str) -> None:
    engine, _ = database.connect(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    "statement", ["UPDATE sluice_ledger SET actor = 'eve' WHERE number = 1", "DELETE FROM sluice_ledger"]
)
def test_the_database_refuses_to_change_the_ledger(store: StateStore, url: str, statement: str) -> None:
    with store.transaction() as tx:
        entry = tx.append("a", actor="ada", at=NOW)
    with pytest.raises(DBAPIError, match="append-only"):
        execute(url, statement)
    assert store.entries() == (entry,)


SWITCH_OFF: dict[str, tuple[str, ...]] = {
    "sqlite": ("DROP TRIGGER sluice_ledger_no_update",),
    "postgresql": ("ALTER TABLE sluice_ledger DISABLE TRIGGER ALL",),
}


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    "change",
    [
        "actor = 'eve'",
        "facts = '{\"x\":2}'",
        "facts = '{'",
        "facts = '{\"x\": 1}'",
        "facts = '[]'",
        "environment = 'dev'",
        "event = 'b'",
        "at = '2026-03-01T00:00:00.000001+00:00'",
        "at = 'then'",
        "digest = before",
    ],
)
def test_a_change_past_the_triggers_is_found(url: str, change: str, number: int) -> None:
    with StateStore.open(url) as store:
        with store.transaction() as tx:
            for _ in range(2):
                tx.append("a", actor="ada", environment="prod", at=NOW, facts={"x": 1})
        dialect = url.partition(":")[0]
        execute(url, *SWITCH_OFF[dialect], f"UPDATE sluice_ledger SET {change} WHERE number = {number}")
        with pytest.raises(LedgerBroken) as caught:
            store.entries()
        assert caught.value.number == number


def test_nothing_is_appended_to_a_changed_entry(store: StateStore, url: str) -> None:
    with store.transaction() as tx:
        tx.append("a", actor="ada", at=NOW)
    execute(url, *SWITCH_OFF[url.partition(":")[0]], "UPDATE sluice_ledger SET actor = 'eve'")
    with pytest.raises(LedgerBroken), store.transaction() as tx:
        tx.append("b", actor="ada", at=NOW)


def test_two_processes_race_for_the_lease(url: str, store: StateStore) -> None:
    workers = [start("race", url, f"worker-{number}") for number in range(2)]
    for worker in workers:
        go(worker)
    answers = [worker.communicate(timeout=60)[0].strip() for worker in workers]
    lease = store.lease("prod")
    assert lease is not None
    assert lease.token == 1
    assert sorted(answers) == [f"held by {lease.holder}", "taken"]
