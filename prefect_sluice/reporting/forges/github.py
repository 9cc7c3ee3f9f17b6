"""GitHub: commit statuses, and comments of a pull request.

https://docs.github.com/en/rest/commits/statuses, https://docs.github.com/en/rest/issues/comments,
https://docs.github.com/en/actions/reference/workflows-and-actions/variables
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect_sluice.domain.untrusted_text import one_line, parsing
from prefect_sluice.reporting.forges.base import Api, CommitState, ForgeFailed, Job, document, needed
from prefect_sluice.reporting.report.limits import clipped

_STATES = {
    CommitState.RUNNING: "pending",
    CommitState.PASSED: "success",
    CommitState.REFUSED: "failure",
    CommitState.ERROR: "error",
}
_DESCRIPTION = 140
_HEADS = "refs/heads/"
_PULL = re.compile(r"refs/pull/(\d{1,9})/")


@dataclass(frozen=True, slots=True)
class GitHub:
    """One repository at GitHub, told by the job that runs this process."""

    api: Api
    repository: str
    job: Job

    def set_status(
        self, commit: str, state: CommitState, *, context: str, description: str, target_url: str
    ) -> None:
        """As the port says."""
        status = {
            "state": _STATES[state],
            "context": context,
            "description": clipped(one_line(description), _DESCRIPTION),
        }
        link = {"target_url": target_url} if target_url else {}
        self.api.ask("POST", f"{self.repository}/statuses/{commit}", json={**status, **link})

    def upsert_comment(self, change: int, marker: str, body: str) -> None:
        """As the port says. What somebody else wrote is never changed, whatever it begins with."""
        comments = self.api.pages(f"{self.repository}/issues/{change}/comments")
        for comment in comments:
            if str(comment["body"]).startswith(marker) and self._wrote(comment["user"] or {}):
                self.api.ask(
                    "PATCH", f"{self.repository}/issues/comments/{comment['id']}", json={"body": body}
                )
                return
        self.api.ask("POST", f"{self.repository}/issues/{change}/comments", json={"body": body})

    def _wrote(self, author: Mapping[str, Any]) -> bool:
        """Say whether a comment is ours. A job's own token may not ask who it is: then we are a bot."""
        try:
            return document(self.api.ask("GET", "/user"))["login"] == author.get("login")
        except ForgeFailed as failed:
            if failed.retry:
                raise
            return author.get("type") == "Bot"


def github(variables: Mapping[str, str]) -> GitHub:
    """Return GitHub as the variables of a job say. Raises BadInput."""
    name = "GitHub"
    base = variables.get("GITHUB_API_URL", "").rstrip("/") or "https://api.github.com"
    repository = needed(variables, "GITHUB_REPOSITORY", name)
    token = variables.get("GITHUB_TOKEN", "").strip()
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": token and f"Bearer {token}",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    rights = "permissions: statuses: write, pull-requests: write"
    api = Api(name, base, "GITHUB_TOKEN", headers, rights)
    return GitHub(api, f"/repos/{repository}", _job(variables, name))


def _job(variables: Mapping[str, str], name: str) -> Job:
    """Return the job. For a pull request, GITHUB_SHA is a merge that GitHub made (or, for `pull_request_target`, the base
    branch): the commit that people see is in the event."""
    sha = needed(variables, "GITHUB_SHA", name)
    pull: Mapping[str, Any] = _event(variables).get("pull_request") or {}
    tip: Mapping[str, Any] = pull.get("head") or {}
    ref = _PULL.match(variables.get("GITHUB_REF", ""))
    head = str(tip.get("sha") or sha)
    merged = {sha} if variables.get("GITHUB_EVENT_NAME") != "pull_request_target" else set[str]()
    run = variables.get("GITHUB_RUN_ID", "")
    server = variables.get("GITHUB_SERVER_URL", "")
    url = f"{server}/{variables['GITHUB_REPOSITORY']}/actions/runs/{run}" if server and run else ""
    number = int(pull.get("number") or (ref[1] if ref else 0))
    summary, base = variables.get("GITHUB_STEP_SUMMARY", ""), variables.get("GITHUB_BASE_REF", "")
    return Job(head, frozenset({head, *merged}), number, url, summary, base, _branch(variables, tip))


def _branch(variables: Mapping[str, str], tip: Mapping[str, Any]) -> str:
    """Return the branch of the commit in this repository: of a pull request its own, unless that is a fork's."""
    if not tip:
        name = variables.get("GITHUB_REF", "")
        return name.removeprefix(_HEADS) if name.startswith(_HEADS) else ""
    repository: Mapping[str, Any] = tip.get("repo") or {}  # None: the fork was deleted
    is_here = repository.get("full_name") == variables["GITHUB_REPOSITORY"]
    return str(tip.get("ref") or "") if is_here else ""


def _event(variables: Mapping[str, str]) -> Mapping[str, Any]:
    path = variables.get("GITHUB_EVENT_PATH", "")
    if not path:
        return {}
    with parsing("is no event of GitHub", path, "unset GITHUB_EVENT_PATH where no GitHub job runs"):
        return dict(json.loads(Path(path).read_text(encoding="utf-8")))
