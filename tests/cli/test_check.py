"""`sluice check`: a commit is built and judged as its release would be, and nothing is published, asked, ended or kept out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.lease_holder import check_lease
from prefect_sluice.domain.promotion import State
from prefect_sluice.promotions.records import OPEN
from prefect_sluice.promotions.request import CheckRequest
from prefect_sluice.promotions.work import Status
from prefect_sluice.runtime import process
from prefect_sluice.state.lease import hold_lease, this_process
from prefect_sluice.workspace.workspace import Workspace

Run = Callable[..., Any]
Commit = Callable[..., None]
MENDED = "select range as id, range * 11 as amount from range(30)\n"

pytestmark = pytest.mark.slow


def serves(folder: Path, environment: str) -> int:
    workspace = Workspace.at(folder)
    return workspace.warehouse(workspace.environment(environment)).generation(environment).number


def candidates(folder: Path) -> set[str]:
    return {path.name for path in (folder / ".sluice" / "candidates").iterdir()}


def test_a_check_judges_publishes_nothing_and_its_release_takes_what_it_built(
    run: Run, released: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The story of a branch: refused, mended, checked beside a hold, released, and collected when nobody needs it."""
    store = Workspace.at(released).store
    waits = store.promotions(states=(State.STAGED,))

    refused = json.loads(run("check", "-C", released, "--json", "--as", "Ada").out)
    assert (refused["status"], refused["exit_code"]) == ("refused", 1)
    assert refused["promotion"]["cause"] == "check"
    assert "unique_orders_id" in json.dumps(refused["reports"])
    assert run("check", "-C", released, "no-such-branch").code == 2

    commit(released, "Mended", orders=MENDED)
    assert run("hold", "dev", "-C", released, "--reason", "audit", "--as", "Ada").code == 0
    passed = run("check", "-C", released, "--as", "Ada")
    assert passed.code == 0
    assert "passes in dev, beside generation 2" in passed.out
    assert "nothing was published. A release would be refused now: dev is held by Ada" in passed.out
    assert (serves(released, "dev"), serves(released, "prod")) == (2, 0)
    assert store.promotions(states=OPEN) == waits

    plan = json.loads(run("plan", "-C", released, "--json").out)
    assert (plan["checked"]["verdict"], plan["checked"]["branch"]) == ("passed", "main")
    shown = run("plan", "-C", released, "--exit-code")
    assert shown.code == 4
    assert "checked: " in shown.out
    assert " passed, just now" in shown.out
    listed = json.loads(run("checks", "-C", released, "--json").out)["checks"]
    assert [(check["environment"], check["verdict"], check["findings"]) for check in listed] == [
        ("dev", "passed", 0),
        ("dev", "refused", 1),
    ]
    assert listed[1]["promotion"] == refused["promotion"]["id"]
    assert listed[0]["promotion"] in run("checks", "-C", released, "--env", "dev", "--limit", "1").out
    assert (
        run("checks", "-C", released, "--env", "prod").out.strip()
        == "no commit was checked yet: sluice check"
    )

    result = store.checks("dev")[0]
    assert (result.word, result.findings, result.by, result.ref) == ("passed", 0, "Ada", "main")
    page = run("report", result.promotion, "-C", released)
    assert "Check: Mended" in page.out
    assert "nothing was published, and nobody was asked; dev still serves generation 2" in page.out
    assert "Approve" not in run("show", result.promotion, "-C", released).out
    assert "begins: check of HEAD for dev" in run("logs", result.promotion, "-C", released).out
    assert result.promotion in candidates(released)
    assert run("approve", result.promotion, "-C", released, "--as", "Grace").code == 1
    assert '"check"' not in run("history", "-C", released, "--env", "dev", "--json").out

    again = json.loads(run("check", "-C", released, "--json", "--as", "Bob").out)
    assert (again["status"], again["promotion"]["id"]) == ("checked", result.promotion)
    assert "as found before" in again["message"]

    assert run("unhold", "dev", "-C", released, "--reason", "done", "--as", "Ada").code == 0
    out = run("release", "-C", released, "--as", "Ada").out
    assert "2 taken from an earlier attempt" in out
    assert serves(released, "dev") == 3
    assert result.promotion not in candidates(released)
    assert run("plan", "-C", released, "--exit-code").code == 0
    served = json.loads(run("check", "-C", released, "--json", "--as", "Ada").out)
    assert (served["status"], served["exit_code"]) == ("unchanged", 0)

    later = datetime.now(UTC) + timedelta(days=30)
    monkeypatch.setattr(process, "now", lambda: later)
    for path in (released / ".sluice").rglob("*"):
        os.utime(path, (0, 0), follow_symlinks=False)
    assert store.relations(result.promotion)
    assert run("collect", "-C", released, "--as", "Ada").code == 0
    assert not store.relations(result.promotion)
    assert store.checks("dev") == ()
    assert not (released / ".sluice" / "reports" / f"{result.promotion}.html").exists()


def test_beside_what_waits_and_what_is_at_work(run: Run, released: Path, commit: Commit) -> None:
    """A promotion that waits keeps its yes; a release at work does not keep a check out, another check does."""
    workspace = Workspace.at(released)
    [waits] = workspace.store.promotions(states=(State.STAGED,))
    assert run("approve", waits.id, "-C", released, "--as", "Grace").code == 0
    commit(released, "Mended", orders=MENDED)
    with hold_lease(workspace.store, "prod", this_process("Bob")):
        assert run("check", "-C", released, "--env", "prod", "--as", "Ada").code == 0
    with hold_lease(workspace.store, check_lease("prod"), this_process("Bob")):
        busy = run("check", "-C", released, "--env", "prod", "--as", "Ada", "--wait", "0s")
        assert busy.code == 1
        assert "a check of prod is at work: Bob on host" in busy.err
        commit_of = workspace.store.release(waits.release)
        assert commit_of is not None
        done = run("release", commit_of.change.commit, "-C", released, "--env", "prod", "--as", "Ada")
    assert done.code == 0
    assert serves(released, "prod") == 1


def test_what_another_check_found_while_this_one_waited_is_its_answer(released: Path) -> None:
    """Two runs that are asked for the same commit do not both do the work, whatever the answer is."""
    asked = process.now()
    first = pipeline.run(CheckRequest(released, "dev", actor="Ada"))
    waited = pipeline.run(CheckRequest(released, "dev", actor="Bob", asked=asked))
    after = pipeline.run(CheckRequest(released, "dev", actor="Bob"))
    assert first.promotion is not None
    assert waited.promotion is not None
    assert after.promotion is not None
    for work in (first, waited, after):
        assert work.outcome is not None
        assert work.outcome.status is Status.REFUSED
    assert waited.promotion.id == first.promotion.id
    assert after.promotion.id != first.promotion.id
    checks = [item for item in Workspace.at(released).store.promotions() if item.cause is Cause.CHECK]
    assert len(checks) == 2


def test_the_plan_of_a_merge_has_the_check_of_its_branch(run: Run, released: Path, commit: Commit) -> None:
    """The check of the same files counts first, and where main moved on it is said that the files are others."""

    def on(*words: str) -> None:
        subprocess.run(["git", *words], cwd=released, check=True, capture_output=True)

    def planned() -> tuple[dict[str, Any], str]:
        answer = json.loads(run("plan", "-C", released, "--json").out)
        assert "checked" not in answer
        return answer.get("branch_checked", {}), run("plan", "-C", released).out

    on("checkout", "-q", "-b", "fewer")
    commit(released, "Broken still", orders="select range // 3 as id, range as amount from range(30)\n")
    assert run("check", "-C", released).code == 1
    commit(released, "Mended", orders=MENDED)
    assert "branch_checked" not in json.loads(run("plan", "-C", released, "--json").out), "it is no merge"
    on("checkout", "-q", "main")
    on("merge", "-q", "--no-ff", "-m", "Merge fewer", "fewer")
    branch, text = planned()
    assert (branch["verdict"], branch["same_files"]) == ("refused", False)
    assert "refused, just now, branch fewer; the merge has other files than it looked at" in text

    on("checkout", "-q", "fewer")
    assert run("check", "-C", released).code == 0
    on("checkout", "-q", "main")
    branch, text = planned()
    assert (branch["verdict"], branch["same_files"]) == ("passed", True)
    assert "passed, just now, branch fewer; the merge has the same files" in text

    on("reset", "-q", "--hard", "main^1")
    (released / "README.md").write_text("main moved on\n", encoding="utf-8")
    on("add", "-A")
    on("commit", "-q", "-m", "Read me")
    on("merge", "-q", "--no-ff", "-m", "Merge fewer", "fewer")
    branch, _ = planned()
    assert (branch["verdict"], branch["same_files"]) == ("passed", False)
