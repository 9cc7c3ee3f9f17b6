"""Code that gate `safety` refuses has not run by then: whatever it is written in, and whichever command meets it first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefect_sluice.stages.candidate import baseline
from prefect_sluice.workspace.workspace import Workspace
from tests.cli.conftest import git

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROJECT = """name: shop
profile: shop
version: '1.0'
on-run-start: ["copy (select 1) to '{0}/on_run_start'"]
on-run-end: ["copy (select 1) to '{0}/on_run_end'"]
models:
  shop:
    +materialized: table
    +pre-hook: ["copy (select 1) to '{0}/pre_hook'"]
    +post-hook: ["copy (select 1) to '{0}/post_hook'"]
"""
CODE = {
    "macros/leave.sql": (
        "{{% macro leave() %}}{{% do run_query(\"copy (select 1) to '{0}/macro'\") %}}{{% endmacro %}}\n"
    ),
    "models/totals.sql": "{{% do leave() %}}\nselect count(*) as orders from {{{{ ref('orders') }}}}\n",
    "models/customers.sql": (
        "{{% if execute %}}{{% do run_query(\"copy (select 1) to '{0}/template'\") %}}{{% endif %}}\n"
        "select 1 as id, 'Ada' as name\n"
    ),
    "models/orders.sql": "select range as id, range * 7 as amount from range(30)\n",
    "models/more.yml": (
        "models: [{{name: customers, config: {{contract: {{enforced: true}}}},"
        " columns: [{{name: id, data_type: int}}, {{name: name, data_type: varchar}}]}}]\n"
        "unit_tests: [{{name: one, model: totals, given: [{{input: ref('orders'), rows: [{{id: 1}}]}}],"
        " expect: {{rows: [{{orders: 1}}]}}}}]\n"
    ),
    "contracts/orders.py": (
        "import contextlib, pathlib\nwith contextlib.suppress(OSError):\n    pathlib.Path('{0}/contract').touch()\n"
        "import pandera.ibis as pa\nclass Orders(pa.DataFrameModel):\n    id: int\n"
    ),
    "tests/test_shop.py": "import pathlib\ndef test_it():\n    pathlib.Path('pytest').touch()\n",
}


def trace_files(project: Path, outside: Path) -> list[Path]:
    """Return the files that code left: outside, and of the tests, which are shut in, in their own checkout."""
    return [*outside.iterdir(), *(project / ".sluice" / "checkouts").glob("*-tests/pytest")]


def traces(project: Path, outside: Path) -> list[str]:
    return sorted(path.name for path in trace_files(project, outside))


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the code leaves its traces."""
    return tmp_path_factory.mktemp("outside")


@pytest.fixture
def leaving(released: Path, outside: Path) -> Path:
    """A project that serves in dev, and has a commit since that leaves a trace in every way there is."""
    (released / "dbt_project.yml").write_text(PROJECT.format(outside))
    for name, text in CODE.items():
        (released / name).parent.mkdir(exist_ok=True)
        (released / name).write_text(text.format(outside))
    with (released / "sluice.yml").open("a") as settings:
        settings.write(f"build: {{may_write: [{outside}]}}\n")  # nothing but the gate keeps it from there
    git(released, "add", "--all")
    git(released, "commit", "--quiet", "--message", "Leave traces")
    return released


def test_nothing_that_is_refused_leaves_a_trace(run: Run, leaving: Path, outside: Path) -> None:
    """Planned, compared, released, released again, refreshed, promoted: refused each time, and nothing of it ran."""
    assert run("plan", "-C", leaving).code == 0
    assert traces(leaving, outside) == []
    answer = run("release", "-C", leaving, "--json")
    assert answer.code == 1
    reports = {one["gate"]: one for one in json.loads(answer.out)["reports"]}
    refused = {one["check"] for one in reports["safety"]["findings"] if one["verdict"] == "FAILED"}
    assert refused == {"copies-out"}
    for gate in ("project_tests", "unit_tests", "promises"):
        assert reports[gate]["not_applicable"].endswith(
            "nothing of the change runs while gate safety refuses it"
        )
    for command in (["release"], ["diff"], ["refresh"], ["plan", "--refresh"], ["promote", "--to", "prod"]):
        run(*command, "-C", leaving)
        assert traces(leaving, outside) == [], command
    workspace = Workspace.at(leaving)
    found = baseline.build(workspace, workspace.environment("dev"), ["model.shop.orders"])
    assert (found.why, traces(leaving, outside)) == ("", []), (
        "a baseline is of the code that serves, whatever lies in the tree"
    )


def test_what_one_environment_excepted_another_one_still_refuses(
    run: Run, leaving: Path, outside: Path
) -> None:
    """Let pass in dev, it runs there; where it is not let pass, its promotion to prod is refused, and nothing runs."""
    # What waits for prod is released there, and with it the policy that refuses.
    assert run("approve", "--as", "Grace", "--yes", "-C", leaving).code == 0
    assert run("release", "HEAD~2", "--env", "prod", "-C", leaving).code == 0
    policy = (leaving / "sluice.yml").read_text()
    (leaving / "sluice.yml").write_text(f"{policy}gates: {{safety: {{on: warn}}}}\n")
    git(leaving, "commit", "--quiet", "--all", "--message", "Let it pass")
    answer = run("release", "-C", leaving, "--json")
    assert answer.code == 0, answer.out
    reports = {one["gate"]: one for one in json.loads(answer.out)["reports"]}
    assert reports["promises"]["verdict"] == "PASSED"  # the contract ran; shut in, it leaves no trace
    written = [name for name in traces(leaving, outside) if name != "contract"]
    assert written == [
        "macro", "on_run_end", "on_run_start", "post_hook", "pre_hook", "pytest", "template",
    ]  # fmt: skip
    for path in trace_files(leaving, outside):
        path.unlink()
    for command in (["plan", "--env", "prod"], ["promote", "--to", "prod", "--as", "Ada"]):
        answer = run(*command, "-C", leaving)
        assert traces(leaving, outside) == [], command
    assert answer.code == 1
    # In dev it serves: a refresh there builds again what was let through.
    assert run("refresh", "-C", leaving).code == 0
