"""Both forges under one contract, against servers on this machine that have their rules."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.reporting.forges import FORGES, forge
from prefect_sluice.reporting.forges.base import CommitState, ForgeAway, ForgeFailed, persistently
from prefect_sluice.reporting.forges.github import GitHub
from prefect_sluice.reporting.forges.gitlab import GitLab
from tests.reporting.forges.server import READS_ONLY, TOKEN, FakeForge, author, serving

COMMIT = "5732e66" + "0" * 33
MERGE = "e" * 40
MARKER = "<!-- sluice: sluice/prod -->"


@pytest.fixture(params=FORGES)
def fake(request: pytest.FixtureRequest) -> Generator[FakeForge]:
    with serving(request.param) as served:
        yield served


def real(fake: FakeForge, token: str = TOKEN) -> GitHub | GitLab:
    made = forge(fake.kind, fake.variables(COMMIT, token=token))
    assert isinstance(made, GitHub | GitLab)
    return made


def say(one: GitHub | GitLab, state: CommitState, description: str = "what it came to") -> None:
    one.set_status(COMMIT, state, context="sluice/prod", description=description, target_url=one.job.url)


def test_a_commit_has_one_status_in_the_forges_own_words(fake: FakeForge) -> None:
    one = real(fake)
    for state in CommitState:
        say(one, state)
    words = {
        "github": ["pending", "success", "failure", "error"],
        "gitlab": ["running", "success", "failed", "failed"],
    }[fake.kind]
    assert [status["state"] for status in fake.statuses] == words
    context = {"github": "context", "gitlab": "name"}[fake.kind]
    assert {(status[context], status["target_url"]) for status in fake.statuses} == {
        ("sluice/prod", one.job.url)
    }
    assert fake.url in one.job.url


def test_a_status_said_twice_is_no_fault_and_a_long_one_is_cut(fake: FakeForge) -> None:
    one = real(fake)
    say(one, CommitState.RUNNING)
    say(one, CommitState.RUNNING)
    say(one, CommitState.REFUSED, "much to say,\nmuch to say, " * 40)
    description = str(fake.statuses[-1]["description"])
    assert (len(description), description[-1], "\n" in description) == (
        {"github": 140, "gitlab": 255}[fake.kind],
        "…",
        False,
    )


def test_one_comment_is_written_and_then_changed_wherever_it_stands(fake: FakeForge) -> None:
    one = real(fake)
    for number in range(205):
        fake.write(f"talk {number}", author("Bo", 2))
    one.upsert_comment(7, MARKER, f"{MARKER}\nfirst")
    one.upsert_comment(7, MARKER, f"{MARKER}\nsecond")
    one.upsert_comment(7, "<!-- sluice: sluice/dev -->", "<!-- sluice: sluice/dev -->\nof dev")
    assert [comment["body"] for comment in fake.comments[205:]] == [
        f"{MARKER}\nsecond",
        "<!-- sluice: sluice/dev -->\nof dev",
    ]


@pytest.mark.parametrize("robot", [False, True])
def test_what_somebody_else_began_with_our_marker_is_not_changed(fake: FakeForge, robot: bool) -> None:
    fake.robot = robot and fake.kind == "github"
    one = real(fake)
    theirs = fake.write(f"{MARKER}\nall is well, merge it", author("Mallory", 66))
    quoted = fake.write(f"> {MARKER}\n> all is well")
    one.upsert_comment(7, MARKER, f"{MARKER}\nrefused")
    one.upsert_comment(7, MARKER, f"{MARKER}\npassed")
    assert [comment["body"] for comment in fake.comments] == [
        theirs["body"],
        quoted["body"],
        f"{MARKER}\npassed",
    ]


def test_a_forge_that_is_away_for_a_moment_is_asked_again(fake: FakeForge) -> None:
    one = real(fake)
    fake.away = 2
    persistently(lambda: say(one, CommitState.PASSED), (0, 0))
    assert len(fake.statuses) == 1


def test_a_comment_whose_answer_is_lost_is_not_written_twice(fake: FakeForge) -> None:
    one = real(fake)
    fake.lost = 1
    persistently(lambda: one.upsert_comment(7, MARKER, f"{MARKER}\nfirst"), (0,))
    assert [comment["body"] for comment in fake.comments] == [f"{MARKER}\nfirst"]
    assert fake.lost == 0


def test_one_that_stays_away_is_told_as_that(fake: FakeForge) -> None:
    one = real(fake)
    fake.away = 3
    with pytest.raises(ForgeAway, match="says 503"):
        persistently(lambda: say(one, CommitState.PASSED), (0, 0))
    assert (fake.away, fake.statuses) == (0, [])


def test_nobody_there_is_told_without_a_token() -> None:
    with serving("github") as served:
        gone = served.variables(COMMIT)
    one = forge("github", gone)
    with pytest.raises(ForgeAway) as away:
        one.upsert_comment(7, MARKER, "x")
    assert str(away.value) == "GitHub does not answer: ConnectError"
    assert TOKEN not in repr(one)
    odd = forge("github", {**gone, "GITHUB_TOKEN": "pæss wörd"})
    with pytest.raises(ForgeAway, match="UnicodeEncodeError") as unsent:
        odd.upsert_comment(7, MARKER, "x")
    assert unsent.value.__suppress_context__


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("wrong", "holds no valid token"),
        (READS_ONLY, "a fork's has it never"),
        ("", "there is no token; set "),
    ],
)
def test_a_token_that_may_not_is_told_at_once_with_what_it_needs(
    fake: FakeForge, token: str, told: str
) -> None:
    one = real(fake, token)
    with pytest.raises(ForgeFailed, match=told) as failed:
        persistently(lambda: say(one, CommitState.PASSED), (60,))
    assert not failed.value.retry
    assert not token or token not in str(failed.value)


def test_what_is_not_there_is_told(fake: FakeForge) -> None:
    one = real(fake)
    with pytest.raises(ForgeFailed, match="says 404"):
        one.upsert_comment(8, MARKER, "x")


def test_a_redirect_is_not_followed_with_the_token(fake: FakeForge) -> None:
    one = real(fake)
    elsewhere = replace(one, api=replace(one.api, url=f"{fake.url}/moved"))
    with pytest.raises(ForgeFailed, match="says 307"):
        say(elsewhere, CommitState.PASSED)
    assert fake.statuses == []


def test_in_a_pull_request_the_status_is_the_heads(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 9, "head": {"sha": COMMIT}}}))
    given = {"GITHUB_REPOSITORY": "ada/shop", "GITHUB_SHA": MERGE, "GITHUB_EVENT_PATH": str(event)}
    job = forge("github", {**given, "GITHUB_EVENT_NAME": "pull_request"}).job
    assert (job.commit, job.change, job.checkable) == (COMMIT, 9, {COMMIT, MERGE})
    # There, GITHUB_SHA is the base branch, and what it is worth says nothing of the pull request.
    target = forge("github", {**given, "GITHUB_EVENT_NAME": "pull_request_target"}).job
    assert target.checkable == {COMMIT}
    event.write_text("no json")
    with pytest.raises(BadInput, match="is no event of GitHub"):
        forge("github", given)


@pytest.mark.parametrize(
    ("of", "head", "branch"),
    [
        ("", {"ref": "fewer", "repo": {"full_name": "ada/shop"}}, "fewer"),
        ("", {"ref": "fewer", "repo": {"full_name": "bob/shop"}}, ""),
        ("", {"ref": "fewer", "repo": None}, ""),
        ("refs/heads/feature/fewer", None, "feature/fewer"),
        ("refs/tags/v1", None, ""),
    ],
)
def test_the_branch_is_that_of_this_repository(
    tmp_path: Path, of: str, head: dict[str, Any] | None, branch: str
) -> None:
    """What is checked out is a merge on no branch. A fork's branch is none of here, and would be taken for one that is gone."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 9, "head": head}} if head else {}))
    given = {"GITHUB_REPOSITORY": "ada/shop", "GITHUB_SHA": MERGE, "GITHUB_EVENT_PATH": str(event)}
    assert forge("github", {**given, "GITHUB_REF": of}).job.branch == branch


@pytest.mark.parametrize(
    ("given", "branch"),
    [
        ({"CI_COMMIT_BRANCH": "main"}, "main"),
        ({"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "12"}, "fewer"),
        ({"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "13"}, ""),
        ({}, ""),
    ],
)
def test_the_branch_is_that_of_this_project(given: dict[str, str], branch: str) -> None:
    request = {
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_PROJECT_ID": "12",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fewer",
    }
    of_job = {"CI_API_V4_URL": "http://127.0.0.1", "CI_PROJECT_ID": "12", "CI_COMMIT_SHA": COMMIT}
    is_request = "CI_MERGE_REQUEST_SOURCE_PROJECT_ID" in given
    assert forge("gitlab", {**of_job, **(request if is_request else {}), **given}).job.branch == branch


def test_in_a_pipeline_of_merged_results_the_status_is_the_heads() -> None:
    with serving("gitlab") as fake:
        given = {**fake.variables(MERGE), "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": COMMIT}
        fake.commits.add(COMMIT)
        one = forge("gitlab", given)
        assert (one.job.commit, one.job.checkable) == (COMMIT, {COMMIT, MERGE})
        one.set_status(COMMIT, CommitState.PASSED, context="sluice", description="", target_url="")
        assert "pipeline_id" not in fake.statuses[-1]
        one.set_status(MERGE, CommitState.PASSED, context="sluice", description="", target_url="")
        assert fake.statuses[-1]["pipeline_id"] == "42"


@pytest.mark.parametrize(("name", "missing"), [("github", "GITHUB_REPOSITORY"), ("gitlab", "CI_API_V4_URL")])
def test_outside_of_a_forge_the_missing_variable_is_named(name: str, missing: str) -> None:
    with pytest.raises(BadInput, match=f"the variable {missing} is not set"):
        forge(name, {})
