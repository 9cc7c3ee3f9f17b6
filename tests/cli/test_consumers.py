"""Through the command line: whom a change reaches, what breaks one, and what hooks may not do."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Answer, Run
from tests.repository import repository

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("consumers")]

FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: dev.duckdb}}}\n",
    "sluice.yml": "{}\n",
    ".gitignore": "*.duckdb\n.sluice\ntarget\nlogs\n",
    "models/orders.sql": "select id, id * 10 as amount, 'x' as note from {{ ref('raw') }}\n",
    "seeds/raw.csv": "id\n1\n2\n3\n",
    "models/customers.sql": "select range as id, 'Ada' as name from range(3)\n",
    "models/sums.sql": (
        '{{ config(post_hook="delete from {{ this }} where orders = 0") }}\n'
        "select count(*) as orders, sum(amount) as amount from {{ ref('orders') }}\n"
    ),
    "models/exposures.yml": """\
exposures:
- name: sheet
  label: Order sheet
  type: dashboard
  owner: {name: Sales, email: sales@example.org}
  depends_on: [ref('orders')]
  config: {meta: {sluice: {columns: {orders: [id, note]}}}}
- name: board
  label: Board
  type: dashboard
  owner: {name: Ops, email: ops@example.org}
  depends_on: [ref('customers'), ref('orders')]
""",
}
Change = Callable[..., Path]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """A project that was released once, with hooks and consumers. Read only."""
    folder = repository(tmp_path_factory.mktemp("shop"), FILES)
    answer = run("release", "-C", folder, "--json")
    assert answer.code == 0, answer.err
    assert (found(answer, "safety"), found(answer, "impact")) == ([("PASSED", "looked-at")], [])
    return folder


@pytest.fixture
def change(served: Path, tmp_path: Path) -> Change:
    """Return a copy of the project with other files, committed."""

    def change(**models: str) -> Path:
        folder = tmp_path / "copy"
        shutil.copytree(served, folder, symlinks=True)
        for name, text in models.items():
            (folder / "models" / f"{name}.sql").write_text(text)
        subprocess.run(["git", "commit", "-qam", "change"], cwd=folder, check=True)
        return folder

    return change


def found(answer: Answer, gate: str) -> list[tuple[str, str]]:
    """Return the verdict and the check of each finding of a gate."""
    reports: list[dict[str, Any]] = json.loads(answer.out)["reports"]
    return [
        (finding["verdict"], finding["check"])
        for report in reports
        if report["gate"] == gate
        for finding in report["findings"]
    ]


def test_a_change_names_whom_it_reaches(change: Change, run: Run) -> None:
    folder = change(orders="select id, id * 11 as amount, 'x' as note from {{ ref('raw') }}\n")
    planned = run("plan", "-C", folder)
    assert "reaches 1 consumer:\n  Board (Ops): orders: amount changes\n" in planned.out
    [board] = json.loads(run("plan", "-C", folder, "--json").out)["consumers"]
    assert [effect["column"] for effect in board["effects"]] == ["amount"]
    answer = run("release", "-C", folder, "--json")
    assert answer.code == 0
    assert found(answer, "impact") == [("PASSED", "board")]


def test_the_plan_names_who_is_no_longer_declared_to_read_what_goes(change: Change, run: Run) -> None:
    orders = "select id, id * 10 as amount from {{ ref('raw') }}\n"
    exposures, _, board = FILES["models/exposures.yml"].partition("- name: sheet")
    folder = change(orders=orders)
    (folder / "models" / "exposures.yml").write_text(
        f"{exposures}- name: board{board.partition('- name: board')[2]}"
    )
    subprocess.run(["git", "commit", "-qam", "no sheet"], cwd=folder, check=True)
    planned = run("plan", "-C", folder)
    lines = (
        "1 consumer no longer declared to read it:\n  breaks Order sheet (Sales): orders: note is dropped\n"
    )
    assert lines in planned.out
    [sheet] = json.loads(run("plan", "-C", folder, "--json").out)["given_up"]
    assert (sheet["name"], sheet["breaking"]) == ("Order sheet", True)


def test_what_breaks_a_consumer_stops_the_release(change: Change, run: Run) -> None:
    folder = change(
        orders="select id, id * 10 as amount from {{ ref('raw') }}\n",
        customers="select range as id, cast(range || 'x' as integer) as name from range(3)\n",
    )
    assert "breaks Order sheet (Sales): orders: note is dropped" in run("plan", "-C", folder).out
    answer = run("release", "-C", folder, "--json")
    assert answer.code == 1
    assert sorted(found(answer, "impact")) == [
        ("FAILED", "board"),
        ("FAILED", "sheet"),
        ("INCONCLUSIVE", "board"),
    ]
    assert '"summary": "Order sheet (Sales) would break: orders: note is dropped"' in answer.out


def test_a_hook_that_writes_elsewhere_stops_the_release(change: Change, run: Run) -> None:
    hook = "{{{{ config(post_hook=\"{}\") }}}}\nselect range as id, 'Ada' as name from range(3)\n"
    folder = change(
        customers=hook.format("insert into audit.log select 1"),
        orders=hook.format("insert into {{ var('log') }} select 1"),
    )
    answer = run("release", "-C", folder, "--json")
    assert answer.code == 1
    assert sorted(found(answer, "safety")) == [
        ("FAILED", "writes-elsewhere"),
        ("INCONCLUSIVE", "not-known"),
        ("PASSED", "looked-at"),
    ]
    assert "insert into audit.log select 1: audit.log is outside the project's schemas" in answer.out
