"""What the crash tests run in processes that die: a small project with everything that a crash could harm."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
from dbt.cli.main import dbtRunner

from prefect_sluice import pipeline
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Decision
from prefect_sluice.maintenance import collect as upkeep
from prefect_sluice.maintenance import leave as stage
from prefect_sluice.promotions.request import (
    PromoteRequest,
    RefreshRequest,
    ReleaseRequest,
    Request,
    request_for,
)
from prefect_sluice.promotions.work import Status
from prefect_sluice.runtime.faults import SLEEP, VARIABLE
from prefect_sluice.stages.approve import record
from prefect_sluice.state.lease import TTL
from prefect_sluice.workspace.workspace import Workspace
from tests.policies import put_in_force
from tests.warm import let_go

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


def write(folder: Path) -> None:
    """Write the project's files."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def make(folder: Path) -> None:
    """Write the project, its raw data and its first commit."""
    write(folder)
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
    put_in_force(folder, "environments:\n  prod: {approvals: 1, partial: allow}\n")


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


def edit_for_dev(folder: Path) -> None:
    """Commit the same change and a table without sources, for a project that has an environment before prod."""
    prod = "prod: {type: duckdb, path: shop.duckdb, schema: main, threads: 1}"
    profile = FILES["profiles.yml"].replace(
        prod, f"{prod}, dev: {{type: duckdb, path: dev/shop.duckdb, schema: main, threads: 1}}"
    )
    (folder / "profiles.yml").write_text(profile, encoding="utf-8")
    (folder / "sluice.yml").write_text(
        "default_environment: prod\nenvironments:\n  dev: {target: dev}\n  prod: {approvals: 1}\n",
        encoding="utf-8",
    )
    (folder / ".gitignore").write_text("*.duckdb*\n", encoding="utf-8")
    (folder / "models" / "rates.sql").write_text(
        "{{ config(materialized='table') }}\nselect 1 as rate\n", encoding="utf-8"
    )
    (folder / "dev").mkdir()
    load(folder / "dev", days=2)
    edit(folder)


def leave_behind(folder: Path) -> None:
    """Release the change to dev, promote all of it up to where it waits, then move prod: the promotion of a part finds
    the candidate of this one."""
    edit_for_dev(folder)
    done = pipeline.run(ReleaseRequest(folder, "dev", actor="Ada"))
    waits = pipeline.run(PromoteRequest(folder, "prod", actor="Ada"))
    load(folder, days=3)
    moved = pipeline.run(RefreshRequest(folder, "prod", actor="Ada"))
    ends = [work.outcome.status for work in (done, waits, moved) if work.outcome is not None]
    assert ends == [Status.DONE, Status.WAITING, Status.DONE], ends


def _promotion(folder: Path) -> Request:
    return PromoteRequest(folder, "prod", actor="Ada", select="revenue worst_day rates")


def _request(folder: Path, cause: Cause) -> Request:
    match cause:
        case Cause.PROMOTION:
            return _promotion(folder)
        case Cause.ADOPTION:  # asked for as a release
            return ReleaseRequest(folder, "prod", adopt=True, actor="Ada")
        case _:
            return request_for(cause, folder, "prod", actor="Ada")


def ask_and_approve(folder: Path, cause: Cause) -> None:
    """Do the first half of `go`: ask, and approve what waits then."""
    work = pipeline.run(_request(folder, cause))
    assert work.outcome is not None
    assert work.outcome.status is Status.WAITING, work.outcome
    assert work.promotion is not None
    record(Workspace.at(folder), work.promotion, Decision.APPROVE, by="Grace")


def approve_release(folder: Path) -> None:
    """Have a release approved, and nothing of it published."""
    ask_and_approve(folder, Cause.RELEASE)


def approve_promotion(folder: Path) -> None:
    """The same with a promotion."""
    ask_and_approve(folder, Cause.PROMOTION)


def go(folder: Path, cause: Cause, fault: str = "") -> None:
    """Do the whole of it in this process: ask, approve if it waits, ask again. Exits 1 when refused.

    Dies at `fault`, or sleeps there (`sleep:deploy.intent`), with a lease that soon runs out then.
    """
    ttl = timedelta(seconds=3) if fault.startswith(SLEEP) else TTL
    os.environ.pop(VARIABLE, None)
    if fault:
        os.environ[VARIABLE] = fault
    request = _request(folder, cause)
    work = pipeline.run(request, ttl=ttl)
    if work.outcome is not None and work.outcome.status is Status.WAITING and work.promotion is not None:
        record(Workspace.at(folder), work.promotion, Decision.APPROVE, by="Grace")
        work = pipeline.run(request, ttl=ttl)
    if work.outcome is None or work.outcome.status not in {
        Status.DONE,
        Status.UNCHANGED,
        Status.PARTIAL,
        Status.CHECKED,
    }:
        sys.exit(1)


def ask(folder: Path, fault: str = "") -> None:
    """Ask for a release that nobody says yes to. Exits 1 when it does not wait then. Dies at `fault`."""
    os.environ.pop(VARIABLE, None)
    if fault:
        os.environ[VARIABLE] = fault
    work = pipeline.run(ReleaseRequest(folder, "prod", actor="Ada"))
    if work.outcome is None or work.outcome.status is not Status.WAITING:
        sys.exit(1)


def leave(folder: Path, fault: str = "") -> None:
    """Leave the environment, in this process. Dies at `fault`."""
    os.environ.pop(VARIABLE, None)
    if fault:
        os.environ[VARIABLE] = fault
    workspace = Workspace.at(folder)
    stage.leave(workspace, workspace.environment("prod"), actor="Ada")


def build(folder: Path) -> None:
    """Build it with plain dbt, then have the sources forget most of it: the history is in the relations alone."""
    os.chdir(folder)
    answer = dbtRunner().invoke(["--quiet", "build"])  # pyright: ignore[reportUnknownMemberType]  # its keywords
    assert answer.success, answer
    let_go()
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        connection.execute("delete from raw.orders where id < 15")


def by_copy(folder: Path) -> None:
    """Have every publish go by a copy."""
    with (folder / "sluice.yml").open("a", encoding="utf-8") as file:
        file.write("warehouse: {publish: copy}\n")


def collect(folder: Path, fault: str = "") -> None:
    """Collect in this process. Dies at `fault`."""
    os.environ.pop(VARIABLE, None)
    if fault:
        os.environ[VARIABLE] = fault
    upkeep.collect(upkeep.CollectRequest(folder, actor="Ada"))


def load_more(folder: Path) -> None:
    """Load one more day of raw orders."""
    load(folder, days=3)
