"""The gates `coverage`, `secrets` and `parity` through the command line: yes, no, and "I could not tell"."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.domain.coverage import BASELINE

Run = Callable[..., Any]
Commit = Callable[..., None]
CANARY = "AKIA" + "QX7PLM2ZT4KD9VB3"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def findings(answer: Any, gate: str) -> list[tuple[str, str]]:
    """Return verdict and summary of each finding of a gate."""
    [report] = [one for one in json.loads(answer.out)["reports"] if one["gate"] == gate]
    if report["not_applicable"]:
        return [("-", report["not_applicable"])]
    return [(one["verdict"], one["summary"]) for one in report["findings"]]


def bad(answer: Any, gate: str) -> list[tuple[str, str]]:
    return [each for each in findings(answer, gate) if each[0] != "PASSED"]


def test_coverage_and_secrets(run: Run, commit: Commit, released: Path) -> None:
    """A lost test and a key in the commit before the last stop it, and the key is nowhere; files that cannot be read hold it."""
    (released / "etl.py").write_text(f"key = '{CANARY}'\n")
    commit(released, "A loader")
    (released / "models" / "models.yml").unlink()
    commit(released, "No YAML", orders="select 1 as id, 1 as amount")
    said = run("release", "-C", released)
    assert said.code == 1
    assert "etl.py" in said.out
    assert "orders had a key test, and has none any more" in said.out
    shown = run(
        "show",
        "-C",
        released,
        "--json",
        json.loads(run("history", "-C", released, "--json").out)["events"][0]["release"]["id"],
    )
    assert ("FAILED", "etl.py holds what looks like a secret: AWS Access Key (line 1)") in bad(
        shown, "secrets"
    )
    assert ("FAILED", "orders had a key test, and has none any more") in bad(shown, "coverage")
    with sqlite3.connect(released / ".sluice" / "state.db") as store:
        assert CANARY not in "\n".join(store.iterdump())
    assert CANARY not in said.out + said.err + shown.out

    (released / ".secrets.baseline").write_text("{}")
    (released / BASELINE).write_text("{}")
    commit(released, "Broken baselines")
    answer = run("release", "-C", released, "--json")
    assert answer.code == 1
    assert [verdict for verdict, _ in findings(answer, "secrets")] == ["ERRORED"]
    assert [verdict for verdict, _ in findings(answer, "coverage")] == ["ERRORED"]


def test_coverage_is_shown_and_a_baseline_adopted(run: Run, released: Path) -> None:
    answer = run("coverage", "-C", released)
    assert answer.code == 0
    assert answer.out.splitlines()[0].split("  ")[0] == "model"
    assert [line.split() for line in answer.out.splitlines()[2:]] == [
        ["orders", "yes", "-", "-", "-", "-"],
        ["totals", "-", "-", "-", "-", "-"],
        ["3", "models", "33%", "0%", "0%", "0%", "0%"],
    ]
    written = run("coverage", "--write-baseline", "-C", released, "--json")
    document = json.loads(written.out)
    assert (len(document["baseline"]), document["shares"]["key_test"]) == (14, 1 / 3)
    assert json.loads((released / BASELINE).read_text())["missing"]["model.shop.orders"][0] == "contract"
    (released / BASELINE).write_text('{"version": 1, "missing": {"model.shop.gone": ["contract"]}}')
    assert "1 entry of the baseline that nothing needs any more" in run("coverage", "-C", released).out
    run("coverage", "--write-baseline", "-C", released)
    assert json.loads((released / BASELINE).read_text())["missing"] == {}


# ---- parity ----------------------------------------------------------------------------------------------

FILES: Mapping[str, str] = {
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nvars: {rate: 2}\n",
    "profiles.yml": (
        "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: dev.duckdb}\n"
        "    prod: {type: duckdb, path: prod.duckdb, settings: {TimeZone: Asia/Tokyo}}\n"
    ),
    "sluice.yml": "environments:\n  dev: {target: dev}\n  prod: {target: prod, approvals: 0}\nwarehouse: {patience: 1s}\n",
    ".gitignore": "*.duckdb\n.sluice\n",
    "models/orders.sql": (
        "{{ config(materialized='table') }}\n"
        "select id * {{ var('rate') }} as id from {{ source('raw', 'orders') }}\n"
    ),
    "models/models.yml": (
        "sources: [{name: raw, schema: \"{{ target.name }}_raw\", tables: [{name: orders}]}]\n"
        "models: [{name: orders, columns: [{name: id, data_tests: [not_null]}]}]\n"
    ),
}  # fmt: skip
HOLD = "import duckdb, sys, time\nc = duckdb.connect(sys.argv[1])\nprint('held', flush=True)\ntime.sleep(120)"


def load(folder: Path, environment: str, columns: str) -> None:
    with duckdb.connect(str(folder / f"{environment}.duckdb")) as connection:
        connection.execute(f"create schema if not exists {environment}_raw")
        connection.execute(f"create or replace table {environment}_raw.orders as select {columns}")


OWNER = "environments: {prod: {target: prod, approvals: 0}}\n"
"""Who owns production says beside the tree how it is judged."""


@pytest.fixture
def owner(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The owner's file."""
    file = tmp_path_factory.mktemp("owner") / "policy.yml"
    monkeypatch.setenv("SLUICE_POLICY", str(file))
    file.write_text(OWNER)
    return file


@pytest.fixture
def served(tmp_path: Path, run: Run) -> Path:
    """A project with a source, served in dev; prod has the source under another schema, with another type."""
    from tests.repository import repository

    folder = repository(tmp_path, FILES)
    load(folder, "dev", "1 as id, 'a' as name")
    load(folder, "prod", "1::bigint as id, 'a' as name")
    answer = run("release", "-C", folder, "--json")
    assert answer.code == 0, answer.err
    assert findings(answer, "parity") == [("-", "no environment comes before this one")]
    return folder


def test_parity(run: Run, served: Path, owner: Path) -> None:
    owner.write_text(f"{OWNER}gates: {{parity: {{strict: true}}}}\n")
    answer = run("promote", "--to", "prod", "-C", served, "--json")
    assert answer.code == 1
    assert [told for _, told in bad(answer, "parity")][1:] == [
        "sources.raw.orders.id is BIGINT in prod, and INTEGER in dev"
    ]
    assert bad(answer, "parity")[0][1].startswith("settings.timezone is Asia/Tokyo in prod, and ")

    # The other warehouse cannot be opened: what was recorded counts; where nothing was, nobody can tell.
    release = json.loads(run("status", "-C", served, "--json").out)["environments"][0]["generation"][
        "release"
    ]
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(served / "dev.duckdb")], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        known = "{settings.timezone: it is there, sources.*: one day}"
        owner.write_text(f"{OWNER}gates: {{parity: {{strict: true, known: {known}}}}}\n")
        answer = run("promote", release, "--to", "prod", "-C", served, "--json", "--as", "Ada")
        notes = [told for verdict, told in bad(answer, "parity") if verdict == "WARNED"]
        assert answer.code == 0, answer.err
        assert len(notes) == 1
        assert notes[0].startswith("dev's warehouse could not be opened, so its sources are those of 20")
        assert ("PASSED", "dbt variables that the project reads: the same as in dev") in findings(
            answer, "parity"
        )
    finally:
        holder.kill()
        holder.wait()
        if holder.stdout is not None:
            holder.stdout.close()


def test_parity_cannot_tell_what_was_never_recorded(run: Run, served: Path, tmp_path: Path) -> None:
    with sqlite3.connect(served / ".sluice" / "state.db") as store:
        assert store.execute("delete from sluice_conditions").rowcount == 1
    answer = run("promote", "--to", "prod", "-C", served, "--json")
    assert answer.code == 1
    held = [told for verdict, told in bad(answer, "parity") if verdict == "INCONCLUSIVE"]
    assert [told.partition(" in dev ")[0] for told in held] == [
        "dbt packages",
        "dbt variables that the project reads",
        "environment variables that the project reads",
    ]
    shutil.rmtree(tmp_path / "prod.duckdb", ignore_errors=True)
