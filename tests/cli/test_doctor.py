"""`sluice doctor`: a real project, broken in every way that it knows, is told what is wrong and what helps."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.maintenance.doctor.files import nearly_full
from tests.cli.conftest import git

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def findings(run: Run, folder: Path, *more: str) -> list[dict[str, Any]]:
    """Return what the doctor finds, notes left out; the exit code says the same."""
    answer = run("doctor", "-C", folder, "--json", *more)
    document = json.loads(answer.out)
    found = [item for item in document["findings"] if not item["note"]]
    assert (answer.code, answer.err) == (1 if found else 0, "")
    assert document["clean"] is not bool(found)
    return found


def only(run: Run, folder: Path, *more: str) -> dict[str, Any]:
    """Return the one thing that is wrong."""
    found = findings(run, folder, *more)
    assert len(found) == 1, found
    assert found[0]["means"]
    assert found[0]["fix"]
    return found[0]


def repaired(run: Run, folder: Path) -> list[str]:
    """Return what was repaired; afterwards nothing is wrong, and the ledger has it."""
    answer = run("doctor", "-C", folder, "--repair", "--as", "Ada", "--json")
    document = json.loads(answer.out)
    assert (answer.code, document["findings"]) == (0, [])
    assert findings(run, folder) == []
    return [item["thing"] for item in document["repaired"]]


def sql(folder: Path, *statements: str) -> list[Any]:
    """Do in the served file what a person would; return the last answer."""
    rows: list[Any] = []
    with duckdb.connect(str(folder / "dev.duckdb")) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    return rows


def state(folder: Path, *statements: str) -> None:
    """Write in the state store what nobody should."""
    connection = sqlite3.connect(folder / ".sluice" / "state.db")
    with connection:
        for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            connection.execute(f'drop trigger "{name}"')
        for statement in statements:
            connection.execute(statement)
    connection.close()


def address(folder: Path, name: str, until: str = "until is null") -> str:
    """Return a relation's physical address, as SQL."""
    asked = f"select address from sluice.pointer where identifier = '{name}' and {until}"
    return f'sluice_store."{sql(folder, asked)[0][0]}"'


def test_nothing_is_wrong(run: Run, shared: Path) -> None:
    answer = run("doctor", "-C", shared)
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "nothing is wrong in dev, prod")


def test_before_anything_was_released_nothing_is_made(run: Run, project: Path) -> None:
    assert findings(run, project) == []
    assert run("doctor", "-C", project, "--repair").code == 0
    assert not (project / ".sluice").exists()


def test_a_live_relation_that_is_gone_is_built_again_by_a_release(run: Run, released: Path) -> None:
    gone = address(released, "totals")
    sql(released, f"drop table {gone}")
    found = only(run, released)
    assert found["thing"].replace('"', "") == f"{gone} is gone".replace('"', "")
    assert found["means"] == "who reads main.totals gets an error"
    assert (
        found["fix"]
        == "build it again: sluice release --env dev; or go back to generation 1: sluice rollback --env dev --to 1 --from 2"
    )
    assert run("release", "HEAD~1", "-C", released).code == 0
    assert sql(released, "from main.totals") == [(30, 4353)]
    assert [item["means"] for item in findings(run, released)] == ["generation 2 cannot be served again"]
    assert run("rollback", "--to", "2", "-C", released).code == 1
    assert run("collect", "--env", "dev", "-C", released).code == 0
    assert findings(run, released) == [], "written off"
    answer = run("rollback", "--to", "2", "-C", released)
    assert (answer.code, "generation 2 was collected on" in answer.err) == (1, True)


def test_a_history_that_is_gone_begins_anew_only_where_a_commit_says_so(
    run: Run, released: Path, commit: Callable[..., None]
) -> None:
    log = "{{ config(materialized='incremental', unique_key='id') }}\nselect id from {{ ref('orders') }}\n"
    git(released, "checkout", "--quiet", "HEAD~1")
    commit(released, "Keep a log", log=log)
    assert run("release", "-C", released, "--as", "Ada").code == 0
    sql(released, f"drop table {address(released, 'log')}")
    assert (
        only(run, released)["fix"]
        == "put it back from a backup of the warehouse; or go back to generation 2: sluice rollback --env dev --to 2 --from 3; "
        "or, if its rows are to go, commit with a line that says so (Expect: log rows), then: sluice release --env dev"
    )
    refused = run("release", "-C", released, "--as", "Ada")
    assert (refused.code, "Expect: log rows" in refused.out) == (1, True)

    commit(released, "Begin the log anew\n\nExpect: log rows", log=f"-- anew\n{log}")
    answer = run("release", "-C", released, "--as", "Ada")
    assert (answer.code, answer.err) == (0, "")
    assert sql(released, "select count(*) from main.log") == [(30,)]


def test_a_relation_of_an_older_generation_is_gone(run: Run, released: Path) -> None:
    sql(released, f"drop table {address(released, 'orders', 'until = 2')}")
    assert only(run, released)["means"] == "generation 1 cannot be served again"
    answer = run("rollback", "-C", released)
    assert answer.code == 1
    assert "generation 1 cannot be served again" in answer.err
    assert "sluice doctor" in answer.err


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("drop view main.orders", "is missing"),
        ("create or replace view main.orders as select 1 as id", "was altered"),
        ("create or replace view main.orders as select id from {address}", "was altered"),
        ("create or replace view main.orders as select * from {address} where id > 1", "was altered"),
        ("create or replace view main.orders as select * from {other}", "was altered"),
    ],
)
def test_a_public_view_is_made_again(run: Run, released: Path, statement: str, told: str) -> None:
    before = sql(released, "from main.orders")
    named = {"address": address(released, "orders"), "other": address(released, "orders", "until = 2")}
    sql(released, statement.format(**named))
    assert findings(run, released)[0]["thing"] == f"the public view main.orders {told}"
    assert repaired(run, released) == [f"the public view main.orders {told}"]
    assert sql(released, "from main.orders") == before


def test_a_table_under_a_public_name_is_never_dropped(run: Run, released: Path) -> None:
    sql(released, "drop view main.orders", "create table main.orders as select 666 as id")
    found = "a table stands at main.orders, where a public view was"
    assert only(run, released)["thing"] == found
    assert sql(released, "from main.orders") == [(666,)]
    assert repaired(run, released) == [f"{found}; it is main.orders__set_aside now"]
    assert sql(released, "from main.orders__set_aside") == [(666,)]


@pytest.mark.parametrize("kind", ["table", "view"])
def test_a_name_is_taken_back_where_its_relation_is_gone_too(run: Run, released: Path, kind: str) -> None:
    """Nobody is sent in a circle: the doctor clears the name, and a release builds what was there."""
    before = sql(released, "from main.customers")
    live = address(released, "customers")
    sql(
        released,
        f"drop table {live}",
        "drop view main.customers",
        f"create {kind} main.customers as select 666 as id",
    )
    git(released, "checkout", "--quiet", "HEAD~1")
    assert run("release", "-C", released, "--as", "Ada").code == 1
    assert {item["check"] for item in findings(run, released)} == {"relation", "view"}
    assert run("doctor", "-C", released, "--repair", "--as", "Ada").code == 1
    assert only(run, released)["thing"] == f"{live} is gone".replace('"', "")
    answer = run("release", "-C", released, "--as", "Ada")
    assert (answer.code, answer.err) == (0, "")
    assert sql(released, "from main.customers") == before
    assert only(run, released)["means"] == "generation 1, 2 cannot be served again"


def test_what_nobody_made_and_who_reads_past_the_public_names(run: Run, released: Path) -> None:
    live = address(released, "orders")
    sql(
        released,
        "create table sluice_store.hand as select 1",
        f"create view main.mine as select * from {live}",
    )
    assert {item["check"] for item in findings(run, released)} == {"stranger", "reader"}
    sql(released, "drop table sluice_store.hand", "drop view main.mine")
    assert findings(run, released) == []


def test_the_state_store_is_lost(run: Run, released: Path) -> None:
    (released / ".sluice").rename(released / "lost")
    found = only(run, released)
    assert found["thing"] == "generation 1, 2 is in the warehouse, and not in the state store"
    assert "releases and rollbacks are refused" in found["means"]
    assert not (released / ".sluice").exists()


def test_the_state_store_is_damaged(run: Run, released: Path) -> None:
    for file in (released / ".sluice").glob("state.db*"):  # what is in the journal is read from there
        file.write_bytes(b"no database" * 1000)
    assert only(run, released)["check"] == "state"


def test_an_older_warehouse_was_put_back(run: Run, released: Path) -> None:
    sql(
        released,
        "delete from sluice.generation where number = 2",
        "delete from sluice.pointer where since = 2",
        "update sluice.pointer set until = null",
    )
    told = [item["thing"] for item in findings(run, released)]
    assert any("generation 2 was published by promotion" in thing for thing in told)
    assert "the ledger says generation 2, the warehouse generation 1" in told


def test_tables_of_sluice_were_altered(run: Run, released: Path) -> None:
    sql(released, "alter table sluice.pointer drop column inputs")
    assert "what Sluice keeps there was altered" in only(run, released)["thing"]
    answer = run("status", "-C", released)
    assert answer.code in {0, 2}
    assert "internal error" not in answer.err


def test_a_warehouse_that_is_no_database(run: Run, released: Path) -> None:
    (released / "dev.duckdb").write_bytes(b"x" * 50_000)
    assert findings(run, released)[0]["check"] == "warehouse"


def test_a_process_died_after_the_flip(run: Run, released: Path) -> None:
    """The warehouse has the generation, the state store only the intent, and nothing of later."""
    shutil.rmtree(released / ".sluice" / "candidates")
    state(
        released,
        "update sluice_promotion set state = 'deploying', generation = null where generation = 2",
        "delete from sluice_promotion where seq > (select seq from sluice_promotion where state = 'deploying')",
        "delete from sluice_ledger where number >= (select max(number) from sluice_ledger"
        " where event = 'generation.written')",
    )
    assert "its process died before it said so" in only(run, released)["thing"]
    answer = run("doctor", "-C", released, "--repair", "--json")
    assert len(json.loads(answer.out)["repaired"]) == 1
    found = only(run, released)
    assert "is deployed, and nobody works on it" in found["thing"], "Monitor has not looked yet"
    assert run("release", "HEAD~1", "-C", released).code == 0
    assert findings(run, released) == []


def test_a_run_that_died_early(run: Run, released: Path) -> None:
    state(
        released,
        "update sluice_promotion set state = 'started' where state = 'refused'",
        "delete from sluice_ledger where event = 'promotion.refused'",
    )
    assert only(run, released)["fix"] == "go on with it: sluice release --env dev"


def test_the_lease_of_the_dead(run: Run, released: Path) -> None:
    import socket

    holder = f"ada@{socket.gethostname()} pid 999999999"
    times = (
        "acquired_at = '2020-01-01T00:00:00.000000+00:00', expires_at = '2999-01-01T00:00:00.000000+00:00'"
    )
    state(released, f"update sluice_lease set holder = '{holder}', {times} where environment = 'dev'")
    assert "which is dead" in only(run, released)["thing"]
    assert len(repaired(run, released)) == 1


def test_a_candidate_is_missing_or_altered(run: Run, released: Path) -> None:
    (candidate,) = (released / ".sluice" / "candidates").glob("*/*")
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("create table main.more as select 1")
    assert only(run, released)["check"] == "candidate"
    candidate.unlink()
    found = only(run, released)
    assert (found["check"], found["environment"]) == ("candidate", "prod")
    assert findings(run, released, "--env", "dev") == []


def test_bundle_files_are_missing_or_damaged(run: Run, released: Path, shared: Path) -> None:
    for file in (released / ".sluice" / "bundles").glob("*/*"):
        if b"customers" not in file.read_bytes() and b"'Ada' as name" in file.read_bytes():
            break
    else:
        pytest.fail("the model is in no bundle file")
    file.chmod(0o644)
    file.write_bytes(b"something else")
    found = only(run, released)
    assert found["check"] == "bundle"
    assert "models/customers.sql of release" in found["means"]
    file.unlink()
    commit = only(run, released)["fix"].rpartition(" ")[2]
    assert run("plan", commit, "-C", released).code == 0
    assert findings(run, released) == [], "the command it gives helps"


def test_the_ledger_is_broken(run: Run, released: Path) -> None:
    state(released, "update sluice_ledger set actor = 'Eve' where number = 2")
    assert only(run, released)["thing"].startswith("ledger entry 2 is not what was written")


def test_files_of_nobody(run: Run, released: Path, shared: Path) -> None:
    folder = released / ".sluice" / "candidates"
    history = json.loads(run("history", "-C", released, "--json").out)
    ended = history["events"][0]["promotion"]["id"]
    for name in (ended, "0123456789"):
        (folder / name).mkdir()
        (folder / name / "dev.duckdb").write_bytes(b"x" * 100)
    died = subprocess.run(["true"], check=False)
    assert died.returncode == 0
    (released / ".dev.duckdb.999999999").write_bytes(b"x")
    things = [item["thing"] for item in findings(run, released)]
    assert len(things) == 3
    run("doctor", "-C", released, "--repair")
    assert only(run, released)["thing"].endswith("a candidate of no promotion that is known here")
    shutil.rmtree(folder / "0123456789")
    assert findings(run, released) == []


def test_a_journal_that_a_dead_writer_left_is_a_note(run: Run, released: Path) -> None:
    dies = "import duckdb, os; c = duckdb.connect('dev.duckdb'); c.execute('create table extra (x int)'); os._exit(9)"
    subprocess.run([sys.executable, "-c", dies], cwd=released, check=False)
    assert findings(run, released) == []
    told = [
        item for item in json.loads(run("doctor", "-C", released, "--json").out)["findings"] if item["note"]
    ]
    assert any("dev.duckdb.wal lies beside the warehouse" in item["thing"] for item in told)


def test_other_tools_are_a_note(run: Run, released: Path) -> None:
    import prefect_sluice.maintenance.doctor.recorded as recorded

    before = recorded._installed  # pyright: ignore[reportPrivateUsage]  # another version cannot be installed here
    recorded._installed = lambda name: "9.9"  # pyright: ignore[reportPrivateUsage]
    try:
        answer = run("doctor", "-C", released)
    finally:
        recorded._installed = before  # pyright: ignore[reportPrivateUsage]
    assert answer.code == 0
    assert "note" in answer.out
    assert "here is 9.9" in answer.out


@pytest.mark.parametrize(
    ("free", "served", "complaints"), [(1, 0, 1), (49, 0, 1), (50, 0, 0), (60, 61, 1), (1000, 0, 0)]
)
def test_a_disk_that_is_nearly_full(free: int, served: int, complaints: int) -> None:
    assert len(list(nearly_full("x", free, 1000, served))) == complaints


def test_one_environment_only(run: Run, released: Path) -> None:
    sql(released, "drop view main.orders")
    assert findings(run, released, "--env", "prod") == []
    answer = run("doctor", "-C", released)
    assert answer.out.splitlines()[0] == "view      dev: the public view main.orders is missing"
    assert answer.out.splitlines()[-1].startswith("1 finding in dev, prod; 1 of them the doctor can repair")
    assert run("doctor", "-C", released, "--env", "nowhere").code == 2
