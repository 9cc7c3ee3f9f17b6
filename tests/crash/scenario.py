"""What the crash tests run in processes that die: a small project with everything that a crash could harm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb

from prefect_sluice import pipeline
from prefect_sluice.faults import VARIABLE
from prefect_sluice.generation import Cause
from prefect_sluice.promotion import Decision
from prefect_sluice.stages.approve import record
from prefect_sluice.stages.work import Request, Status
from prefect_sluice.workshop import Workshop

FILES = {
    ".gitignore": "shop.duckdb*\n",
    "dbt_project.yml": (
        "name: shop\nprofile: shop\nversion: '1.0'\non-run-end: \"create table if not exists runs as select 1 as n\"\n"
    ),
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, schema: main, threads: 1}}}\n",
    "sluice.yml": "environments:\n  prod: {approvals: 1}\n",
    "models/sources.yml": "sources: [{name: raw, schema: raw, tables: [{name: orders}, {name: refunds}]}]\n",
    "models/refunds.sql": "{{ config(materialized='table') }}\nselect * from {{ source('raw', 'refunds') }}\n",
    "models/stg_orders.sql": "select id, day, amount from {{ source('raw', 'orders') }}\n",
    "models/orders.sql": (
        "{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert') }}\n"
        "select * from {{ ref('stg_orders') }}\n"
        "{% if is_incremental() %}where day > (select max(day) from {{ this }}){% endif %}\n"
    ),
    "models/revenue.sql": (
        "{{ config(materialized='table') }}\nselect day, sum(amount) as amount from {{ ref('orders') }} group by day\n"
    ),
    "models/best_day.sql": "select max(amount) as amount from {{ ref('revenue') }}\n",
    "models/old.sql": "select 1 as n\n",
    "models/schema.yml": (
        "models: [{name: revenue, columns: [{name: day, data_tests: [unique, not_null]}]},"
        " {name: refunds, columns: [{name: id, data_tests: [unique]}]}]\n"
    ),
    "snapshots/kept.sql": (
        "{% snapshot kept %}{{ config(unique_key='id', strategy='check', check_cols='all') }}"
        "select id, amount from {{ ref('stg_orders') }}{% endsnapshot %}\n"
    ),
}


def make(folder: Path) -> None:
    """Write the project, its raw data and its first commit."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    load(folder, days=2)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=folder, check=True)


def load(folder: Path, *, days: int) -> None:
    """Load raw orders of the first days: what an ETL job would do. Repeatable."""
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        connection.execute("create schema if not exists raw")
        sql = "create or replace table raw.orders as select i as id, i % {days} as day, i * 1.5 as amount from range({rows}) t(i)"
        connection.execute(sql.format(days=days, rows=days * 10))
        connection.execute("create table if not exists raw.refunds as select 1 as id")


def spoil(folder: Path) -> None:
    """Load a third day, and a refund twice: where a part may be published, it is the orders."""
    load(folder, days=3)
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        connection.execute("insert into raw.refunds values (1)")
    (folder / "sluice.yml").write_text(
        "environments:\n  prod: {approvals: 1, partial: allow}\n", encoding="utf-8"
    )


def edit(folder: Path) -> None:
    """Commit a change: one model changed, one added, one removed."""
    (folder / "models" / "revenue.sql").write_text(
        FILES["models/revenue.sql"].replace("sum(amount)", "2 * sum(amount)"), encoding="utf-8"
    )
    (folder / "models" / "worst_day.sql").write_text(
        "select min(amount) as amount from {{ ref('revenue') }}\n", encoding="utf-8"
    )
    (folder / "models" / "old.sql").unlink()
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(["git", "commit", "-qm", "second"], cwd=folder, check=True)


def go(folder: Path, cause: Cause, fault: str = "") -> None:
    """Do the whole of it in this process: ask, approve if it waits, ask again. Dies at `fault`; exits 1 when refused."""
    os.environ.pop(VARIABLE, None)
    if fault:
        os.environ[VARIABLE] = fault
    work = pipeline.run(
        Request(folder, "prod", cause, "" if cause is Cause.ROLLBACK else "HEAD", actor="Ada")
    )
    if work.outcome is not None and work.outcome.status is Status.WAITING and work.promotion is not None:
        record(Workshop.at(folder), work.promotion, Decision.APPROVE, by="Grace")
        work = pipeline.run(Request(folder, "prod", cause, actor="Ada"))
    if work.outcome is None or work.outcome.status not in {
        Status.DONE,
        Status.UNCHANGED,
        Status.PARTIAL,
    }:
        sys.exit(1)
