"""The gate `diff` through the command line: what a commit declares, and what it does not."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import Run, git
from tests.repository import repository

FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: dev.duckdb}\n",
    "sluice.yml": "gates:\n  lint: {on: 'off'}\n",
    ".gitignore": "*.duckdb\n",
    "models/orders.sql": "select id, amount, 0 as fee from raw.orders\n",
    "models/totals.sql": "select count(*) as orders, sum(amount) as amount from {{ ref('orders') }}\n",
    "models/models.yml": "models:\n- name: orders\n  columns:\n  - {name: id, data_tests: [unique]}\n",
}


def _commit(folder: Path, message: str, **files: str) -> None:
    for name, text in files.items():
        (folder / "models" / f"{name}.sql").write_text(text)
    git(folder, "commit", "--quiet", "--all", "--allow-empty", "--message", message)


def _raw(folder: Path, sql: str) -> None:
    with duckdb.connect(folder / "dev.duckdb") as connection:
        connection.execute(sql)


@pytest.mark.slow
def test_no_yes_and_could_not_tell(tmp_path: Path, run: Run) -> None:
    _raw(tmp_path, "create schema raw")
    _raw(tmp_path, "create table raw.orders as select range as id, range * 10 as amount from range(100)")
    repository(tmp_path, FILES)
    assert run("release", "-C", tmp_path).code == 0
    dearer = "select id, amount + (id < 3)::int as amount, (id < 50)::int as fee from raw.orders\n"
    # `expect:` counts as it is committed, and this is not.
    anything = (
        '\nexpect: [{relation: "*", reason: whatever}, {relation: "*", column: rows, reason: whatever}]\n'
    )
    _commit(tmp_path, "Dearer\n\nExpect: orders.amount up to 3% (ticket 5)\nExpect: totals.*", orders=dearer)
    (tmp_path / "sluice.yml").write_text(FILES["sluice.yml"] + anything)
    no = run("release", "-C", tmp_path)
    assert no.code == 1
    assert "diff FAILED" in no.out
    assert "orders: 50 of 100 rows changed (50.0 %), 2 columns; not declared: fee 50.0 %" in (
        " ".join(no.out.split())
    )
    # A commit of its own declares the rest: all that come with the release count.
    (tmp_path / "sluice.yml").write_text(FILES["sluice.yml"])
    _commit(tmp_path, "A fee for old ones\n\nExpect: orders.fee up to 50%\nExpect: total.amount")
    yes = run("release", "-C", tmp_path)
    assert yes.code == 0
    assert "WARNED" in yes.out
    shown = " ".join(run("show", "-C", tmp_path).out.split())
    assert "expected total.amount: there is no such relation; did you mean 'totals'?" in shown
    # New data comes, and a new rule on top of it: the rule alone is judged, by what the old one makes of the same data.
    _raw(tmp_path, "insert into raw.orders values (100, 1)")
    _commit(tmp_path, "Free\n\nExpect: totals.*", orders=dearer.replace("amount + (id < 3)::int", "0"))
    mixed = run("release", "-C", tmp_path)
    told = " ".join(mixed.out.split())
    assert mixed.code == 1, told
    assert "diff FAILED" in mixed.out
    assert "raw.orders moved since what serves was built: it holds new data as well" in told
    assert "by the new code alone: 101 of 101 rows changed (100.0 %), 1 column" in told
    assert "not declared: amount 100.0 %" in told
    # The old code on the new data first: then the two are on the same inputs, and only the rule is judged.
    assert run("refresh", "-C", tmp_path).code == 0
    clear = run("release", "-C", tmp_path)
    assert clear.code == 1
    assert "not declared: amount 100.0 %" in " ".join(clear.out.split())
    assert "new data" not in clear.out
    # A column of the source gets another name: the old code cannot say what it would have made of it.
    _raw(tmp_path, "alter table raw.orders rename amount to price")
    other = "select id, price * 2 as amount, (id < 50)::int as fee from raw.orders\n"
    _commit(tmp_path, "Twice\n\nExpect: totals.*", orders=other)
    unclear = run("release", "-C", tmp_path)
    assert unclear.code == 1
    assert "diff INCONCLUSIVE" in unclear.out
    assert "the code that serves fails on today's data: orders: " in " ".join(unclear.out.split())
