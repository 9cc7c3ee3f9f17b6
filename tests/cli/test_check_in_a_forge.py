"""`sluice check` as a job of a forge: the files of deployments/ci are run as they stand, against a forge on this machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.forge_jobs import CI, action, bash, component
from tests.reporting.forges.server import READS_ONLY, TOKEN, FakeForge, serving

Run = Callable[..., Any]
Commit = Callable[..., None]
MENDED = "select range as id, range * 11 as amount from range(30)\n"

pytestmark = pytest.mark.slow


def head(folder: Path) -> str:
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def dirt(folder: Path) -> str:
    """Return what lies in a checkout and is not committed."""
    status = ["git", "status", "--porcelain", "--untracked-files=all"]
    return subprocess.run(status, cwd=folder, check=True, capture_output=True, text=True).stdout


def of_fork(fake: FakeForge, folder: Path) -> dict[str, str]:
    return fake.variables(head(folder), token=READS_ONLY)


def test_the_files_of_a_job_tell_the_forge_what_a_check_came_to(
    released: Path, commit: Commit, tmp_path: Path
) -> None:
    """A pull request at GitHub is refused; mended, it passes at GitLab; the plain script finds the same for GitHub."""
    with serving("github") as hub, serving("gitlab") as lab:
        hub.robot = True
        tip, merge, event, summary = (
            head(released),
            "e" * 40,
            tmp_path / "event.json",
            tmp_path / "summary.md",
        )
        event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": tip}}}))
        of_job = hub.variables(tip) | {
            "GITHUB_SHA": merge, "GITHUB_EVENT_PATH": str(event), "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_STEP_SUMMARY": str(summary),
        }  # fmt: skip
        code, said = action(released, {"environment": "dev"}, of_job)
        assert code == 1, said
        assert [(one["sha"], one["context"], one["state"]) for one in hub.statuses] == [
            (tip, "sluice/dev", "pending"),
            (tip, "sluice/dev", "failure"),
        ]
        [refused] = hub.comments
        assert refused["body"].startswith("<!-- sluice: sluice/dev -->\n## ❌ dev: Check: Broken")
        assert "unique_orders_id" in refused["body"]
        assert summary.read_text() == refused["body"]
        assert "Check: Broken" in (released / ".sluice/sluice-report.html").read_text()

        (released / ".sluice/sluice-report.html").unlink()  # the next job has a checkout of its own
        commit(released, "Mended", orders=MENDED)
        code, said = component(released, {"environment": "dev"}, lab.variables(head(released)))
        assert code == 0, said
        assert [(one["name"], one["state"]) for one in lab.statuses] == [
            ("sluice/dev", "running"),
            ("sluice/dev", "success"),
        ]
        assert "passes in dev, beside generation 2" in lab.statuses[-1]["description"]
        assert "## ✅ dev: Check: Mended" in lab.comments[0]["body"]

        # The API's address is set, as it must be for a forge on a free port; the commit and the change are not.
        subprocess.run(
            ["git", "remote", "add", "origin", "git@hub.example:ada/shop.git"], cwd=released, check=True
        )
        hub.commits.add(head(released))
        script = f"CHANGE=7 {CI / 'sluice-check.sh'} github --env dev --json"
        code, said = bash(script, released, {"GITHUB_API_URL": hub.url, "GITHUB_TOKEN": TOKEN})
        assert (code, json.loads(said)["status"]) == (0, "checked")
        assert hub.statuses[-1]["state"] == "success"
        assert len(hub.comments) == 1
        assert "## ✅ dev: Check: Mended" in hub.comments[0]["body"]
        assert "Check: Mended" in (released / ".sluice/sluice-report.html").read_text()
        assert dirt(released) == ""
        elsewhere = {"GITHUB_API_URL": hub.url, "GITHUB_TOKEN": TOKEN, "REPORT": str(tmp_path / "r.html")}
        assert bash(script, released, elsewhere)[0] == 0
        assert (tmp_path / "r.html").is_file()


def test_what_the_forge_does_not_take_changes_nothing_of_the_check(
    run: Run, released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def given(variables: Mapping[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    with serving("gitlab") as fake:
        given(of_fork(fake, released))
        answer = run("check", "-C", released, "--env", "dev", "--report-to", "gitlab")
        assert answer.code == 1
        assert (
            answer.err.count("GITLAB_TOKEN needs the scope api and the role Developer; a fork's has it never")
            == 2
        )
        assert (fake.statuses, fake.comments) == ([], [])

        # What cannot be checked is told too, and so is a commit that the job is not for.
        given(fake.variables(head(released)))
        other = run("check", "HEAD~1", "-C", released, "--report-to", "gitlab")
        assert other.code == 2
        assert "'HEAD~1' is commit " in other.err
        missing = run("check", "-C", released, "--env", "@team", "--report-to", "gitlab")
        assert missing.code == 2
        assert [(one["name"], one["state"]) for one in fake.statuses] == [
            ("sluice", "running"), ("sluice", "failed"), ("sluice/@team", "running"), ("sluice/@team", "failed"),
        ]  # fmt: skip
        assert [comment["body"].splitlines()[1] for comment in fake.comments] == [
            "## ❌ The check could not be made"
        ] * 2
        assert "@team" not in fake.comments[1]["body"].partition("\n")[2]
    for name in ("CI_API_V4_URL", "CI_PROJECT_ID"):
        monkeypatch.delenv(name)
    outside = run("check", "-C", released, "--report-to", "gitlab")
    assert (outside.code, "the variable CI_API_V4_URL is not set" in outside.err) == (2, True)


def test_a_job_of_a_pull_request_is_told_beside_its_target(run: Run, released: Path, commit: Commit) -> None:
    """The target is the forge's own variable, unless an input names another; one that git cannot tell costs a line."""
    commit(released, "Mended", orders=MENDED)
    subprocess.run(["git", "checkout", "-q", "-b", "names"], cwd=released, check=True)
    commit(released, "Names", customers="select 1 as id, 'Bob' as name\n")
    with serving("github") as hub, serving("gitlab") as lab:
        of_job = hub.variables(head(released))
        code, said = action(released, {"environment": "dev"}, {**of_job, "GITHUB_BASE_REF": "main"})
        assert code == 0, said
        assert "of this branch (1): main.customers" in said
        [told] = hub.comments
        assert "* **beside** main at " in told["body"]
        assert "Of this branch: 1; already on main, not served: 2" in told["body"]
        assert told["body"].index("| main.customers |") < told["body"].index("| main.orders |")

        code, said = action(released, {"environment": "dev"}, {**of_job, "GITHUB_BASE_REF": "gone"})
        assert code == 0, said
        assert "sluice: the check is not told beside gone: " in said
        code, said = bash("sluice check --env dev --base gone --report-to github", released, of_job)
        assert (code, hub.statuses[-1]["state"]) == (2, "error"), said

        of_job = lab.variables(head(released)) | {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "gone"}
        code, said = component(released, {"environment": "dev", "base": "main"}, of_job)
        assert code == 0, said
        assert "Of this branch: 1; already on main, not served: 2" in lab.comments[0]["body"]
        own = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
        code, said = component(released, {"environment": "dev"}, of_job | own)
        assert "of this branch (1): main.customers" in said
