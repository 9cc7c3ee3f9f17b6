"""A release that does not have what serves: three authors, a hotfix in production, and a branch that was made before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import git

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def written(folder: Path, by: str, message: str, name: str) -> None:
    """Commit a file that no model reads: a release of it builds nothing."""
    (folder / f"{name}.md").write_text(message, encoding="utf-8")
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "--author", f"{by} <{by.lower()}@example.com>", "-m", message)


def published(run: Run, folder: Path, ref: str) -> None:
    """Release a ref to production, with Grace's yes."""
    assert run("release", ref, "-C", folder, "--as", "Ada", "--env", "prod").code == 3
    assert run("approve", "-C", folder, "--as", "Grace").code == 0
    assert run("release", ref, "-C", folder, "--as", "Ada", "--env", "prod").code == 0


def test_a_hotfix_does_not_go_without_a_word(run: Run, released: Path) -> None:
    git(released, "checkout", "-q", "-b", "feature", "HEAD~1")
    git(released, "checkout", "-q", "-b", "hotfix")
    assert run("approve", "-C", released, "--as", "Grace").code == 0
    assert run("release", "feature", "-C", released, "--as", "Ada", "--env", "prod").code == 0
    written(released, "Bob", "Hotfix 2", "hotfix")
    published(run, released, "hotfix")
    git(released, "checkout", "-q", "feature")
    for number in range(3):
        written(released, "Cyd", f"Wider {number}", f"wider{number}")

    planned = run("plan", "feature", "-C", released, "--env", "prod")
    assert "Hotfix 2 (Bob)" in planned.out
    refused = run("release", "feature", "-C", released, "--as", "Ada", "--env", "prod")
    assert refused.code == 1
    out = " ".join(refused.out.split())
    assert "Hotfix 2 (Bob), and no commit says so" in out
    assert "stopped it in test" in out, "nothing is built for a release that is not to be"
    line = out.rpartition("say so in a commit message: ")[2].partition(" (why)")[0]
    checked = run("check", "feature", "-C", released, "--as", "Cyd", "--env", "prod")
    assert checked.code == 0, "a branch that is behind is no fault of the branch"
    assert "no commit says so; a release of it is refused" in " ".join(checked.out.split())

    git(released, "commit", "-q", "--allow-empty", "-m", f"Without it\n\n{line} (not needed)")
    answer = run("release", "feature", "-C", released, "--as", "Ada", "--env", "prod", "--json")
    assert answer.code == 3
    end = json.loads(answer.out)
    goes = [commit["subject"] for commit in end["commits"]["goes"]]
    assert (end["commits"]["coming"], goes) == (4, ["Hotfix 2"])
    (finding,) = (
        finding
        for report in end["reports"]
        for finding in report["findings"]
        if finding["check"] == "commits"
    )
    assert finding["verdict"] == "WARNED"
    assert "Hotfix 2 (Bob), as commit" in finding["summary"]
    page = run("report", "-C", released).out
    assert "goes:" in page
    assert "Without it, and 3 more commits" in page

    old = run("release", "feature~4", "-C", released, "--as", "Ada", "--env", "prod")
    assert old.code == 1
    out = " ".join(old.out.split())
    assert "is an old commit" in out
    assert "sluice rollback --env prod --to 1" in out
