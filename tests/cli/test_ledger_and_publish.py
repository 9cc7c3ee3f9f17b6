"""Nothing is published over a ledger that is broken, set back or swapped, nor by rows that it does not have."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NEXT = "select range as id, range * 20 as amount from range(30)\n"


def state(folder: Path, *statements: str) -> list[Any]:
    """Write in the state store what nobody should; return the last answer."""
    with sqlite3.connect(folder / ".sluice" / "state.db") as connection:
        for name in ("sluice_ledger_no_update", "sluice_ledger_no_delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        rows: list[Any] = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    return rows


def current(folder: Path, environment: str = "dev") -> tuple[int, int | None, str | None]:
    """Return the generation that serves, and the ledger's place that it names."""
    sql = (
        "select number, ledger_number, ledger_digest from sluice.generation where environment = ?"
        " order by number desc limit 1"
    )
    with duckdb.connect(str(folder / f"{environment}.duckdb"), read_only=True) as connection:
        return connection.execute(sql, [environment]).fetchall()[0]


def complaints(run: Run, folder: Path) -> list[tuple[str, str]]:
    found = json.loads(run("doctor", "-C", folder, "--json").out)["findings"]
    return [(item["check"], item["thing"]) for item in found if not item["note"]]


def test_a_generation_names_the_entry_after_which_it_was_published(released: Path) -> None:
    number, entry, digest = current(released)
    assert number == 2
    asked = f"select event, digest, facts from sluice_ledger where number = {entry}"
    ((event, recorded, facts),) = state(released, asked)
    assert (event, recorded, json.loads(facts)["to"]) == ("promotion.deploying", digest, 2)


def test_an_approval_without_an_entry_does_not_count(run: Run, released: Path) -> None:
    ((promotion, binding),) = state(
        released, "select id, plan from sluice_promotion where environment = 'prod' and state = 'staged'"
    )
    binding = json.loads(run("show", promotion, "-C", released, "--json").out)["promotion"]["binding"]
    state(
        released,
        'insert into sluice_approval (id, promotion, binding, decision, "by", comment, at, expires_at, signature)'
        f" values ('forged', '{promotion}', '{binding}', 'approve', 'Bob', '', '2026-01-01T00:00:00.000000+00:00',"
        " '2099-01-01T00:00:00.000000+00:00', '')",
    )
    answer = run("release", "HEAD~1", "-C", released, "--env", "prod", "--as", "Ada")
    assert answer.code == 3
    assert (
        "approve by Bob (unauthenticated) does not count: the ledger has no entry of it"
        in answer.out + answer.err
    )
    assert not (released / "prod.duckdb").exists()
    # As if it had been used: then Deploy has to see it.
    state(
        released,
        "update sluice_approval set used_at = '2026-01-01T00:00:01.000000+00:00'",
        f"update sluice_promotion set state = 'approved' where id = '{promotion}'",
    )
    forged = complaints(run, released)
    assert ("approval", "the ledger has no entry of approval forged (approve by Bob)") in forged
    assert any(
        check == "promotion" and "approved, and staged by ledger entry" in thing for check, thing in forged
    )
    answer = run("release", "HEAD~1", "-C", released, "--env", "prod", "--as", "Ada")
    assert answer.code in {1, 3}
    assert not (released / "prod.duckdb").exists()


@pytest.mark.parametrize("command", ["release", "rollback"])
def test_nothing_is_published_over_a_broken_chain(
    run: Run, released: Path, commit: Callable[..., None], command: str
) -> None:
    commit(released, "Mended", orders=NEXT)
    before = current(released)
    later = int(before[1] or 0) + 1
    state(released, f"update sluice_ledger set actor = 'Eve' where number = {later}")
    answer = run(
        command, "-C", released, "--as", "Ada", *(["--reason", "x"] if command == "rollback" else [])
    )
    assert answer.code == 1
    (line,) = answer.err.strip().splitlines()[-1:]
    assert f"ledger entry {later} is not what was written" in line
    assert "restore the state store from a backup" in line
    assert current(released) == before


def test_a_ledger_that_was_set_back_is_found_and_named(
    run: Run, released: Path, commit: Callable[..., None]
) -> None:
    commit(released, "Mended", orders=NEXT)
    assert run("release", "-C", released, "--as", "Ada").code == 0
    state(released, f"delete from sluice_ledger where number >= {current(released)[1]}")
    served = current(released)
    commit(released, "Again", orders=NEXT.replace("20", "30"))
    for command in (["release"], ["rollback", "--reason", "x"]):
        answer = run(*command, "-C", released, "--as", "Ada")
        assert answer.code == 1, answer
        assert f"the ledger does not have entry {served[1]}" in answer.err
        assert "sluice doctor" in answer.err
    assert current(released) == served
    named = f"generation 3 was published after ledger entry {served[1]}"
    assert any(check == "ledger" and thing.startswith(named) for check, thing in complaints(run, released))


def test_a_file_that_an_older_sluice_wrote_gets_its_columns_with_the_next_publish(
    run: Run, released: Path, commit: Callable[..., None]
) -> None:
    with duckdb.connect(str(released / "dev.duckdb")) as connection:
        connection.execute("alter table sluice.generation drop column ledger_number")
        connection.execute("alter table sluice.generation drop column ledger_digest")
    assert complaints(run, released) == []
    assert run("history", "-C", released).code == 0
    commit(released, "Mended", orders=NEXT)
    assert run("release", "-C", released, "--as", "Ada").code == 0
    number, entry, digest = current(released)
    assert (number, bool(entry), len(digest or "")) == (3, True, 64)
