"""What the columns of a change reach, in a check and on the page of a release: built by dbt, and read from what it ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.reporting import gather_reach
from prefect_sluice.workspace.workspace import Workspace

Run = Callable[..., Any]
Commit = Callable[..., None]

ORDERS = (
    "select range as id, range % 4 as customer, {amount} as amount, 'open' as status{rest} from range(100)\n"
)
MODELS = {
    "orders": ORDERS.format(amount="range * 10", rest=", 'n' as note"),
    "paid": "{{ config(materialized='ephemeral') }}\nselect * from {{ ref('orders') }} where status = 'open'\n",
    "daily": "select customer, sum(amount) as revenue, count(*) as n from {{ ref('paid') }} group by customer\n",
    "customers": (
        "{{ config(materialized='view') }}\nselect customer as id, revenue * 2 as value, n from {{ ref('daily') }}\n"
    ),
    "copied": "select * from {{ ref('orders') }}\n",
    "totals": "select 1 as one\n",
    "unread": "pivot {{ ref('orders') }} on status using sum(amount) group by id\n",
}
PYTHON = "def model(dbt, session):\n    return dbt.ref('orders').project('id, amount')\n"
EXPOSURES = (
    "exposures:\n- name: sales\n  label: Sales\n  type: dashboard\n  owner: {name: Ada, email: ada@example.com}\n"
    "  depends_on: [\"ref('customers')\"]\n"
)
LINE = (
    "orders.amount (values change in 3.0 % of the rows) reaches copied.amount, daily.revenue (= SUM(paid.amount)), "
    "customers.value (= daily.revenue * 2), py (not known: python model), unread (not known: its SQL is no single query); "
    "read by Sales"
)

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(project: Path, commit: Commit, run: Run) -> Path:
    """Return a project with a chain of models, released; then three rows of orders change."""
    (project / "models/exposures.yml").write_text(EXPOSURES)
    (project / "models/py.py").write_text(PYTHON)
    commit(project, "Orders", **MODELS)
    assert run("release", "-C", project).code == 0
    dearer = ORDERS.format(amount="range * 10 + (range < 3)::int", rest=", 'n' as note")
    commit(project, "Dearer", orders=dearer)
    return project


def one_line(text: str) -> str:
    return " ".join(text.split())


def page_of(folder: Path, promotion: str) -> str:
    return (folder / ".sluice" / "reports" / f"{promotion}.html").read_text()


def not_read(*_: object) -> None:
    pytest.fail("a query was read")


def test_a_check_and_a_release_say_what_changed_columns_reach(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = run("check", "-C", shop, "--output", shop / "page.html")
    assert checked.code == 0
    assert f"What the changed columns reach {LINE}" in one_line(checked.out)
    assert "What the changed columns reach" in (shop / "page.html").read_text()
    (shop / "page.html").unlink()

    monkeypatch.setattr(gather_reach, "query_lineage", not_read)
    again = json.loads(run("check", "-C", shop, "--json").out)
    [column] = again["column_reach"]["columns"]
    assert (column["relation"], column["column"]) == ("orders", "amount")
    assert column["consumers"] == [{"consumer": "exposure.shop.sales", "name": "Sales"}]
    assert column["reaches"][1] == {
        "relation": "daily",
        "column": "revenue",
        "what": "column",
        "how": "= SUM(paid.amount)",
        "change": "values change",
    }
    markdown = run("report", again["promotion"]["id"], "-C", shop).out
    assert f"* {LINE}".replace("daily.revenue *", "daily.revenue \\*") in markdown
    # Nobody but this change's own columns: `totals` reads none of it.
    assert "totals." not in markdown.partition("What the changed columns reach")[2].partition("###")[0]

    monkeypatch.undo()
    released = json.loads(run("release", "-C", shop, "--json").out)
    assert "column_reach" not in released
    assert "<code>daily.revenue</code> (= SUM(paid.amount))" in page_of(shop, released["promotion"]["id"])


def test_a_column_that_is_dropped_and_still_read_is_said_of_what_is_refused(
    shop: Path, commit: Commit, run: Run
) -> None:
    commit(shop, "Without", orders=ORDERS.format(amount="1", rest="").replace("1 as amount, ", ""))
    refused = run("check", "-C", shop, "--json")
    assert refused.code == 1
    columns = json.loads(refused.out)["column_reach"]["columns"]
    reached = {column["column"]: [place["relation"] for place in column["reaches"]] for column in columns}
    assert columns[0]["change"] == "dropped"
    assert "daily" in reached["amount"]
    assert reached["note"] == ["copied", "py", "unread"]
    page = page_of(shop, json.loads(refused.out)["promotion"]["id"])
    assert "<code>orders.amount</code></td>" in page


def test_a_copy_that_goes_with_its_column_reaches_nobody(shop: Path, commit: Commit, run: Run) -> None:
    """`listed` drops its copy in the same change, and the snapshot has columns that dbt makes."""
    snapshot = "{% snapshot kept %}{{ config(unique_key='id', strategy='check', check_cols='all') }}{% endsnapshot %}"
    (shop / "snapshots").mkdir()
    select = "select id, amount from {{ ref('orders') }}"
    (shop / "snapshots/kept.sql").write_text(snapshot.replace("{% ends", f"{select}{{% ends"))
    commit(shop, "Listed", listed="select id, amount, note from {{ ref('orders') }}\n")
    assert run("release", "-C", shop).code == 0
    dearer = ORDERS.format(amount="range * 10 + (range < 5)::int", rest=", 'n' as note")
    commit(shop, "Dearer still", orders=dearer)
    assert ("kept", "amount", "column") in reached(run, shop, "amount")
    assert ("kept", "", "unknown") not in reached(run, shop, "amount")
    without = ORDERS.format(amount="range * 10", rest="")
    commit(shop, "No note", orders=without, listed="select id, amount from {{ ref('orders') }}\n")
    places = reached(run, shop, "note")
    assert ("copied", "note", "column") in places
    assert not {relation for relation, _, _ in places} & {"listed", "kept"}


def reached(run: Run, folder: Path, column: str) -> list[tuple[str, str, str]]:
    """Return what a column of `orders` reaches by a check of HEAD."""
    columns = json.loads(run("check", "-C", folder, "--json").out)["column_reach"]["columns"]
    return [
        (place["relation"], place["column"], place["what"])
        for one in columns
        if (one["relation"], one["column"]) == ("orders", column)
        for place in one["reaches"]
    ]


def test_a_page_that_is_written_once_the_column_is_gone_knows_of_it(
    shop: Path, commit: Commit, run: Run
) -> None:
    commit(shop, "No note", orders=ORDERS.format(amount="range * 10", rest=""))
    released = json.loads(run("release", "-C", shop, "--json").out)
    assert released["status"] == "done"
    page = page_of(shop, released["promotion"]["id"])
    assert "<code>copied.note</code> (dropped)" in page


def test_nothing_hangs_on_it(shop: Path, commit: Commit, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("sqlglot has changed")

    monkeypatch.setattr(gather_reach, "query_lineage", broken)
    checked = run("check", "-C", shop)
    assert checked.code == 0
    assert "what the changed columns reach is not known: sqlglot has changed" in one_line(checked.out)
    released = json.loads(run("release", "-C", shop, "--json").out)
    assert released["status"] == "done"
    assert "It is not known: sqlglot has changed" in page_of(shop, released["promotion"]["id"])

    # Where no column changed, no query is read and none kept; nor where a refresh brings data.
    monkeypatch.setattr(gather_reach, "query_lineage", not_read)
    kept = texts(shop)
    (shop / "models/raw.yml").write_text("sources: [{name: raw, schema: raw, tables: [{name: days}]}]\n")
    more = "select *, (select max(day) from {{ source('raw', 'days') }}) as day from {{ ref('daily') }}\n"
    load(shop, "create schema raw; create table raw.days as select 1 as day")
    commit(shop, "More", more=more, most="select max(day) as day from {{ ref('more') }}\n")
    checked = run("check", "-C", shop)
    assert checked.code == 0
    assert "changed columns reach" not in checked.out
    monkeypatch.undo()
    assert run("release", "-C", shop).code == 0
    load(shop, "insert into raw.days values (2)")
    renewed = json.loads(run("refresh", "-C", shop, "--json").out)
    assert (renewed["status"], "column_reach" in renewed) == ("done", False)
    assert "changed columns reach" not in page_of(shop, renewed["promotion"]["id"])
    assert texts(shop) == kept


def load(folder: Path, sql: str) -> None:
    """Change the raw data of the environment, as an ETL job does."""
    with duckdb.connect(str(folder / "dev.duckdb")) as connection:
        connection.execute(sql)


def texts(folder: Path) -> int:
    """Return how many compiled texts are kept of the models below `orders`."""
    workspace = Workspace.at(folder)
    live = workspace.warehouse(workspace.environment("dev")).generation("dev")
    return len(workspace.store.cached("compiled.1", [pointer.fingerprint for pointer in live.relations]))
