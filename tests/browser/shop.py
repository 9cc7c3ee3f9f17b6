"""A small shop for the story in the browser: raw orders, two tables for two dashboards, dev, and prod behind an approval."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import duckdb

from tests.repository import repository

SETTINGS = """\
default_environment: dev
environments:
  dev: {approvals: 0}
  prod: {approvals: 1, approvers: [Ada, Grace]}
schedules: {refresh: off, collect: off, monitor: off}
"""
SALES = "select id, amount * {} as amount from {{{{ source('raw', 'orders') }}}}\n"
CUSTOMERS = "select customer, {} as orders from {{{{ source('raw', 'orders') }}}} group by customer\n"
FILES = {
    ".gitignore": "*.duckdb*\n.sluice\ntarget\nlogs\n",
    "sluice.yml": SETTINGS,
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodels: {+materialized: table}\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: dev.duckdb, schema: marts},"
    " prod: {type: duckdb, path: prod.duckdb, schema: marts}}}\n",
    "models/sources.yml": "sources: [{name: raw, tables: [{name: orders}]}]\n",
    "models/sales.sql": SALES.format(1),
    "models/customers.sql": CUSTOMERS.format("count(*)"),
    "models/schema.yml": """\
models:
  - name: sales
    description: Every order, with what it was worth.
    columns: [{name: id, data_tests: [unique, not_null]}]
  - name: customers
    description: Who ordered how often.
    columns: [{name: customer, data_tests: [unique]}]
exposures:
  - {name: sales_board, label: Sales, type: dashboard, owner: {name: Sales team}, depends_on: [ref('sales')]}
  - {name: customer_board, label: Customers, type: dashboard, owner: {name: Marketing},
     depends_on: [ref('customers')]}
""",
}
ORDERS = [(1, "Ann", 10), (2, "Ann", 25), (3, "Ben", 40)]


class Shop:
    """The shop's repository, in a folder. Its commits are Ada's."""

    def __init__(self, folder: Path) -> None:
        self.folder = repository(folder, FILES)
        for name in ("dev", "prod"):
            with duckdb.connect(str(folder / f"{name}.duckdb")) as connection:
                connection.execute("create schema raw")
                connection.execute("create table raw.orders (id int, customer text, amount int)")
                connection.executemany("insert into raw.orders values (?, ?, ?)", ORDERS)

    def commit(self, message: str, **models: str) -> str:
        """Write these models, commit them, and return the commit."""
        for name, sql in models.items():
            (self.folder / "models" / f"{name}.sql").write_text(sql, encoding="utf-8")
        self._git("commit", "-qam", message)
        return self._git("rev-parse", "HEAD").strip()

    def branch(self, name: str, message: str, **models: str) -> str:
        """Commit these models on a branch of their own, and return the commit. What is checked out stays."""
        before = self._git("symbolic-ref", "--short", "HEAD").strip()
        self._git("checkout", "-qb", name)
        commit = self.commit(message, **models)
        self._git("checkout", "-q", before)
        return commit

    def read(self, environment: str, table: str) -> list[tuple[Any, ...]]:
        """Return the rows of a table as its readers find them. Raises duckdb.IOException while somebody publishes."""
        with duckdb.connect(str(self.folder / f"{environment}.duckdb"), read_only=True) as connection:
            return connection.execute(f"from marts.{table} order by all").fetchall()

    def _git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout
