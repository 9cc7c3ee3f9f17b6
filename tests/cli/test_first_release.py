"""A stranger's project, released at the first try: what was there before is told and let pass; a line counts once it changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import git

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

OLD = "select   RANGE as id, range * 10 as amount from range(30)\n"
KEY = "AKIA" + "QX7PLM2ZT4KD9VB3"
SECRET = "password: hunter2" + "-for-the-warehouse\n"


@pytest.fixture
def strange(project: Path) -> Path:
    """A project with sqlfluff's rules, which its code does not keep, a password, a key, and data in hex."""
    files = {
        ".sqlfluff": "[sqlfluff]\ndialect = duckdb\ntemplater = dbt\nrules = LT01, CP01, CP02\n",
        "models/orders.sql": OLD,
        "models/customers.sql": "select 1 as id,'Ada' as name\n",
        "conf.yml": SECRET,
        "keys.txt": f"{KEY}\n",
        "seeds/codes.csv": f"id,code\n1,{'41' * 10}{KEY}{'4b' * 10}\n",
        ".github/workflows/ci.yml": "jobs: {call: {uses: ./x.yml, secrets: inherit}}\n",
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "What was there before")
    return project


def found(answer: Any) -> dict[str, list[tuple[str, str, str]]]:
    """Return verdict, check and place of what lint and secrets found that did not pass."""
    reports = {item["gate"]: item["findings"] for item in json.loads(answer.out)["reports"]}
    return {
        gate: [
            (item["verdict"], item["check"], item["location"])
            for item in reports[gate]
            if item["verdict"] != "PASSED"
        ]
        for gate in ("lint", "secrets")
    }


def test_what_was_there_before_counts_once_it_changes(run: Run, strange: Path) -> None:
    (strange / "tests").mkdir()
    (strange / "tests" / "never.sql").write_text("select 1 as one\n")
    git(strange, "add", "--all")
    git(strange, "commit", "--quiet", "--message", "A test that does not hold")
    # Refused for its data, so nothing was served: the next try is a first release, too.
    assert run("release", "-C", strange).code == 1
    (strange / "tests" / "never.sql").unlink()
    git(strange, "commit", "--all", "--quiet", "--message", "Without it")
    first = run("release", "-C", strange)
    assert first.code == 0, first.out
    lines = first.out.splitlines()
    told = "on lines that were there before; a line counts once it changes"
    assert f"WARNED lint: 5 findings in 2 files, {told}" in lines
    assert f"WARNED secrets: 1 secret-like text in conf.yml, {told}" in lines
    assert (
        "keys.txt holds what looks like a secret: AWS Access Key (line 1): it was there before" in first.out
    )
    assert first.out.count("models/orders.sql") == 0
    assert lines[-1].endswith("; next: sluice promote --to prod")

    # A line that changes has to keep the rules; one that does not is left alone, in a file that changes, too.
    (strange / "models" / "orders.sql").write_text(f"-- a line more\n{OLD}")
    (strange / "conf.yml").write_text(f"a: 1\n{SECRET}")
    git(strange, "commit", "--all", "--quiet", "--message", "Add to old code")
    passed = run("release", "-C", strange, "--json")
    assert passed.code == 0, passed.out
    assert found(passed) == {"lint": [("WARNED", "inherited", "")], "secrets": [("WARNED", "inherited", "")]}
    (strange / "models" / "orders.sql").write_text(OLD.replace("30", "31"))
    (strange / "conf.yml").write_text(f"a: 1\nand_{SECRET}")
    git(strange, "commit", "--all", "--quiet", "--message", "Change old code")
    # Before there is a commit, or after: the answer is the same.
    here = run("lint", "-C", strange, strange / "models" / "orders.sql")
    told = run("release", "-C", strange, "--json")
    assert (here.code, told.code) == (1, 1)
    assert {item[2].partition(":")[0] for item in found(told)["lint"]} == {"models/orders.sql"}
    assert found(told)["secrets"] == [("FAILED", "secret", "conf.yml:2")]
    assert json.loads(told.out)["next"].startswith("let sqlfluff mend it: sluice lint --fix --env dev")

    # A second environment is no way in for what the first one refused; what was there before goes to it.
    refused = run("release", "--env", "prod", "-C", strange, "--json")
    assert refused.code == 1
    assert found(refused)["secrets"] == [
        ("FAILED", "secret", "conf.yml:2"),
        ("WARNED", "secret", "keys.txt:1"),
    ]
    assert [item[:2] for item in found(refused)["lint"]][-1] == ("WARNED", "inherited")
    git(strange, "checkout", "--quiet", "HEAD~2")
    waits = run("release", "--env", "prod", "-C", strange, "--json")
    assert waits.code == 3, waits.out
    assert [item[:2] for item in found(waits)["lint"]] == [("WARNED", "inherited")]
