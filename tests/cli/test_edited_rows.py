"""Rows edited in the store: the doctor finds them in every generation that can be served, Monitor by turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.domain.node import Name
from prefect_sluice.monitoring import care
from prefect_sluice.promotions import reread as rereading
from prefect_sluice.runtime import process
from prefect_sluice.warehouse.content import RereadRelation
from prefect_sluice.warehouse.duckdb.served_state import DuckServedReader
from prefect_sluice.workspace.workspace import Workspace

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def deep(run: Run, folder: Path) -> list[dict[str, Any]]:
    """Return what the doctor finds when it reads all rows, notes too."""
    return json.loads(run("doctor", "--deep", "-C", folder, "--json").out)["findings"]


def edit(folder: Path, name: str, statement: str, *, live: bool = True) -> str:
    """Edit the relation behind a public name, as a person with the file would; return its address."""
    sql = f"select address from sluice.pointer where identifier = '{name}' and until is {'' if live else 'not '}null"
    with duckdb.connect(str(folder / "dev.duckdb")) as connection:
        ((address,),) = connection.execute(sql).fetchall()
        connection.execute(statement.format(f'sluice_store."{address}"'))
    return str(address)


def test_what_was_published_is_what_is_there(run: Run, released: Path) -> None:
    assert deep(run, released) == []
    with duckdb.connect(str(released / "dev.duckdb"), read_only=True) as connection:
        kept = connection.execute(
            "select count(*), count(distinct address), min(rows) from sluice.content"
        ).fetchall()
        there = connection.execute("select count(distinct address) from sluice.pointer").fetchall()
    assert kept == [(*there[0], there[0][0], 1)]


def test_one_edited_value_is_found_and_named_in_every_generation_that_can_be_served(
    run: Run, released: Path
) -> None:
    live = edit(released, "orders", "update {} set amount = amount + 1 where id = 7")
    (found,) = deep(run, released)
    assert (found["check"], found["environment"]) == ("content", "dev")
    assert found["thing"] == f"sluice_store.{live} was edited since it was published"
    assert f'drop table "sluice_store"."{live}"' in found["fix"]
    older = edit(released, "orders", "delete from {} where id = 7", live=False)
    things = {item["thing"] for item in deep(run, released)}
    assert f"sluice_store.{older} was edited since it was published: 29 rows, published with 30" in things
    assert len(things) == 2
    # As it says.
    with duckdb.connect(str(released / "dev.duckdb")) as connection:
        connection.execute(f'drop table sluice_store."{live}"')
    assert run("release", "HEAD~1", "-C", released, "--as", "Ada").code == 0
    left = {item["thing"] for item in deep(run, released) if item["check"] == "content"}
    assert left == things - {found["thing"]}


def test_monitor_finds_an_edited_relation_that_a_release_reuses(
    run: Run, released: Path, commit: Callable[..., None]
) -> None:
    edit(released, "customers", "update {} set name = 'Eve'")
    commit(released, "Mended", orders="select range as id, range * 20 as amount from range(30)\n")
    answer = run("release", "-C", released, "--as", "Ada")
    assert answer.code == 1
    assert "main.customers: sluice_store.customers__" in answer.out
    assert "was edited since it was published" in answer.out
    assert "sluice doctor --deep --env dev" in answer.out


def test_nothing_is_built_on_edited_rows_and_nothing_is_read_again_where_only_sluice_wrote(
    run: Run, released: Path, commit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    reread = DuckServedReader.reread

    def counting(
        reader: DuckServedReader, addresses: Sequence[Name], **how: Any
    ) -> tuple[RereadRelation, ...]:
        if not how:  # Monitor's turns have an end
            read.append(len(addresses))
        return reread(reader, addresses, **how)

    monkeypatch.setattr(DuckServedReader, "reread", counting)
    address = edit(released, "orders", "update {} set amount = amount + 1 where id = 7")
    # The orders that serve: those of the last commit were refused.
    orders = "select range as id, range * 10 + (range < 3)::int as amount from range(30)\n"
    commit(
        released, "Twice", orders=orders, totals="select 2 * count(*) as orders from {{ ref('orders') }}\n"
    )
    answer = run("release", "-C", released, "--as", "Ada")
    assert (answer.code, read) == (1, [1]), answer
    assert (
        f"main.orders, on which this is built: sluice_store.{address} was edited since it was published;"
        in answer.err
    )
    # Put right, and its digest by an engine that makes another one.
    edit(released, "orders", "update {} set amount = amount - 1 where id = 7")
    with duckdb.connect(str(released / "dev.duckdb")) as connection:
        sql = f"update sluice.content set algorithm = 'hash-1 duckdb 0.9', digest = 'd' where address = '{address}'"
        connection.execute(sql)
    answer = run("release", "-C", released, "--as", "Ada")
    assert answer.code == 0
    told = " ".join(answer.out.split())
    assert "WARNED stage content main.orders: sluice_store.orders__" in told
    assert "has a digest by hash-1 duckdb 0.9, and this engine makes another one of as many rows" in told
    assert deep(run, released) == []
    read.clear()
    commit(released, "Named", customers="select 1 as id, orders::varchar as name from {{ ref('totals') }}\n")
    answer = run("release", "-C", released, "--as", "Ada")
    assert (answer.code, sum(read)) == (0, 0), "totals is as our own publish left it"


def test_an_edit_that_was_meant_is_declared_by_a_commit_and_counts_for_one_release(
    run: Run, released: Path, commit: Callable[..., None]
) -> None:
    """Rows that go by law: from what serves and from what can be served again. Nothing has to be built for it, and a relation
    that there is not is no word for another."""
    live = edit(released, "orders", "delete from {} where id = 7")
    older = edit(released, "orders", "delete from {} where id = 7", live=False)
    orders = "select range as id, range * 10 + (range < 3)::int as amount from range(30)\n"
    totals = "select 3 * count(*) as orders from {{ ref('orders') }}\n"
    commit(released, "Thrice\n\nExpect: order edited (ticket 512)", orders=orders, totals=totals)
    answer = run("release", "-C", released, "--as", "Ada")
    assert answer.code == 1
    assert "29 rows, published with 30; commit" in answer.err
    assert "there is no such relation; did you mean 'orders'?" in answer.err
    assert "release a commit that says so: Expect: orders edited (why)" in answer.err
    commit(released, "Erased\n\nExpect: main.orders edited (ticket 512)", totals=totals.replace("3", "4"))
    assert run("refresh", "-C", released, "--as", "Ada").code == 0, "nothing is new"
    planned = json.loads(run("plan", "-C", released, "--json").out)["edited"]
    assert [item["relation"] for item in planned] == ["main.orders", "order"]
    answer = run("release", "-C", released, "--as", "Ada")
    told = " ".join(answer.out.split())
    assert answer.code == 0, answer
    assert (
        f"main.orders: sluice_store.{live} was edited since it was published: 29 rows, published with 30; commit"
        in told
    )
    assert f"sluice_store.{older} was edited" in told
    assert "(ticket 512) declares the edit" in told
    assert deep(run, released) == []
    edit(released, "orders", "delete from {} where id = 8")
    commit(released, "Again", totals=totals.replace("3", "5"))
    answer = run("release", "-C", released, "--as", "Ada")
    assert answer.code == 1
    assert "28 rows, published with 29;" in answer.err


def test_the_hourly_look_reads_by_turns(run: Run, released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace.at(released)
    environment = workspace.environment("dev")
    edit(released, "totals", "update {} set orders = 0")
    start = process.now()
    problems: list[str] = []
    for hour in range(1, 4):
        monkeypatch.setattr(process, "now", lambda at=hour: start + at * timedelta(hours=2))
        problems.append(care.care_for(workspace, environment, "Ada").problem)
        assert not rereading.is_due(workspace, environment)
    assert any("main.totals" in problem and "was edited" in problem for problem in problems)


def test_a_warehouse_of_an_older_sluice_is_no_finding(run: Run, released: Path) -> None:
    with duckdb.connect(str(released / "dev.duckdb")) as connection:
        connection.execute("drop table sluice.content")
    (note,) = deep(run, released)
    assert note["note"]
    assert "published by an older Sluice, without a digest, and " in note["thing"]


def test_a_turn_begins_after_the_last_one() -> None:
    names = [Name("s", letter) for letter in "abcd"]
    assert [name.identifier for name in rereading.turn(names, "s.b")] == ["c", "d", "a", "b"]
    assert rereading.turn(names, "") == tuple(names)
    assert rereading.turn(names, "s.d") == tuple(names)
