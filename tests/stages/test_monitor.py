"""Monitor reads what is new, and does not take it on trust that the rest is still there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.promotions.work import Status, Work

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TABLE = "{{ config(materialized='table') }}\n"
FILES = {
    ".gitignore": "w.duckdb*\n",
    "dbt_project.yml": "name: p\nprofile: p\nversion: '1.0'\n",
    "profiles.yml": "p: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, schema: main, threads: 1}}}\n",
    "sluice.yml": "",
    "models/a.sql": TABLE + "select 1 as x\n",
    "models/b.sql": TABLE + "select 1 as x\n",
    "models/c.sql": "select x from {{ ref('b') }}\n",
}


def release(folder: Path, files: dict[str, str]) -> Work:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "change"]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    return pipeline.run(ReleaseRequest(folder, "dev"))


def told(work: Work) -> str:
    return next(
        finding.summary
        for report in work.reports
        for finding in report.findings
        if (report.gate, finding.check) == ("monitor", "readable")
    )


def test_what_is_unchanged_is_looked_up_and_what_is_gone_is_built_again(tmp_path: Path) -> None:
    """The next release mends what somebody dropped, and the view that could not be read without it."""
    assert told(release(tmp_path, FILES)) == "3 public relations answer"
    second = release(tmp_path, {"models/a.sql": TABLE + "select 2 as x\n"})
    assert told(second) == "1 public relation answers, 2 unchanged are in place"
    assert second.generation is not None
    address = next(item.address for item in second.generation.pointers if item.name.identifier == "b")
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute(f'drop table sluice_store."{address.identifier}"')
    third = release(tmp_path, {"models/a.sql": TABLE + "select 3 as x\n"})
    assert third.outcome is not None
    assert third.outcome.status is Status.DONE, third.outcome
    assert told(third) == "3 public relations answer"
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as connection:
        assert connection.execute("from main.c").fetchall() == [(1,)]
