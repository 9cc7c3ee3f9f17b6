"""Which of dbt's unit tests a release runs: those of what changed, whatever kind of model it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.promotions.work import Status
from tests.repository import repository

YML = """
models:
- {name: ver, latest_version: 2, versions: [{v: 1}, {v: 2}]}
unit_tests:
- name: t
  model: eph
  given: [{input: ref('orders'), rows: [{id: 1}]}]
  expect: {rows: [{id: 1, twice: 2}]}
- name: t
  model: ver
  given: [{input: ref('orders'), rows: [{id: 1}]}]
  expect: {rows: [{id: 1}]}
- name: t
  model: grows
  overrides: {macros: {is_incremental: true}}
  given:
  - {input: ref('orders'), rows: [{id: 1}, {id: 2}]}
  - {input: this, rows: [{id: 1}]}
  expect: {rows: [{id: 2}]}
- name: t
  model: still
  given: [{input: ref('orders'), rows: [{id: 1}]}]
  expect: {rows: [{id: 1}]}
"""
GROWS = (
    "{{ config(materialized='incremental', on_schema_change='append_new_columns') }}"
    "select id from {{ ref('orders') }} {% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}"
)
FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: dev.duckdb}}}\n",
    "sluice.yml": "environments: {dev: {target: dev}}\n",
    ".gitignore": "*.duckdb\n",
    "models/orders.sql": "select 1 as id",
    "models/eph.sql": "{{ config(materialized='ephemeral') }} select id, id * 2 as twice from {{ ref('orders') }}",
    "models/on_eph.sql": "select * from {{ ref('eph') }}",
    "models/ver_v1.sql": "select id from {{ ref('orders') }}",
    "models/ver_v2.sql": "select id from {{ ref('orders') }} where true",
    "models/grows.sql": GROWS,
    "models/still.sql": "select id from {{ ref('orders') }}",
    "models/models.yml": YML,
}


def release(folder: Path) -> tuple[Status | None, GateReport]:
    work = pipeline.run(ReleaseRequest(folder, "dev", actor="Ada"))
    (report,) = (report for report in work.reports if report.gate == "unit_tests")
    return work.outcome.status if work.outcome else None, report


def change(folder: Path, **models: str) -> None:
    for name, text in models.items():
        (folder / "models" / f"{name}.sql").write_text(text, encoding="utf-8")
    subprocess.run(["git", "commit", "-qam", "change"], cwd=folder, check=True)


@pytest.mark.slow
def test_every_kind_of_model_has_its_unit_tests_run_when_it_changes(tmp_path: Path) -> None:
    folder = repository(tmp_path / "shop", FILES)
    status, report = release(folder)
    assert (status, [f.verdict.name for f in report.findings]) == (Status.DONE, ["PASSED"] * 5)
    grown = GROWS.replace("select id from {{ ref('orders')", "select id, id as extra from {{ ref('orders')")
    change(
        folder,
        eph=FILES["models/eph.sql"].replace("* 2", "* 3"),
        ver_v1="select id + 1 as id from {{ ref('orders') }}",
        grows=grown.replace("id >", "id >="),
    )
    status, report = release(folder)
    failed = {finding.subject for finding in report.findings if finding.verdict.name == "FAILED"}
    assert status is Status.REFUSED
    assert failed == {"model.shop.eph", "model.shop.ver.v1", "model.shop.grows"}
    assert "model.shop.still" not in {finding.subject for finding in report.findings}


@pytest.mark.slow
def test_what_cannot_be_built_before_a_unit_test_is_the_one_thing_told(tmp_path: Path) -> None:
    broken = "select id from raw.orders_of_another_warehouse"
    folder = repository(tmp_path / "shop", {**FILES, "models/orders.sql": broken})
    status, report = release(folder)
    (finding,) = report.findings
    assert (status, finding.verdict.name, finding.subject) == (
        Status.REFUSED,
        "INCONCLUSIVE",
        "model.shop.orders",
    )
    assert finding.summary.startswith("5 unit tests cannot run, because orders cannot be built: ")
    assert "orders_of_another_warehouse" in finding.summary
