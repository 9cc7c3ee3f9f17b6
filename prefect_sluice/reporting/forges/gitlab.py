"""GitLab: commit statuses, and notes of a merge request.

https://docs.gitlab.com/api/commits/#set-commit-pipeline-status, https://docs.gitlab.com/api/notes/#merge-requests,
https://docs.gitlab.com/ci/variables/predefined_variables/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from prefect_sluice.domain.untrusted_text import number, one_line
from prefect_sluice.reporting.forges.base import Api, CommitState, ForgeFailed, Job, document, needed
from prefect_sluice.reporting.report.limits import clipped

_STATES = {
    CommitState.RUNNING: "running",
    CommitState.PASSED: "success",
    CommitState.REFUSED: "failed",
    CommitState.ERROR: "failed",
}
_DESCRIPTION = 255


@dataclass(frozen=True, slots=True)
class GitLab:
    """One project at GitLab, told by the job that runs this process. `pipeline` is that job's, "" for none."""

    api: Api
    project: str
    job: Job
    pipeline: str = ""
    of_pipeline: str = ""

    def set_status(
        self, commit: str, state: CommitState, *, context: str, description: str, target_url: str
    ) -> None:
        """As the port says. A pipeline of another commit (the merge that GitLab made) is not named: it would be refused."""
        own = {"pipeline_id": self.pipeline} if self.pipeline and commit == self.of_pipeline else {}
        status = {
            "state": _STATES[state],
            "name": context,
            "description": clipped(one_line(description), _DESCRIPTION),
        }
        link = {"target_url": target_url} if target_url else {}
        try:
            self.api.ask("POST", f"{self.project}/statuses/{commit}", json={**status, **link, **own})
        except ForgeFailed as failed:
            # A check that is told to run already is that: GitLab refuses to hear it twice. The end tells what else is wrong.
            if state is not CommitState.RUNNING or failed.status != 400:
                raise

    def upsert_comment(self, change: int, marker: str, body: str) -> None:
        """As the port says. What somebody else wrote is never changed, whatever it begins with."""
        notes = f"{self.project}/merge_requests/{change}/notes"
        marked = [note for note in self.api.pages(notes) if str(note["body"]).startswith(marker)]
        own = document(self.api.ask("GET", "/user"))["id"] if marked else 0
        for note in marked:
            if note["author"]["id"] == own:
                self.api.ask("PUT", f"{notes}/{note['id']}", json={"body": body})
                return
        self.api.ask("POST", notes, json={"body": body})


def gitlab(variables: Mapping[str, str]) -> GitLab:
    """Return GitLab as the variables of a job say. Raises BadInput."""
    name = "GitLab"
    base = needed(variables, "CI_API_V4_URL", name).rstrip("/")
    project = f"/projects/{quote(needed(variables, 'CI_PROJECT_ID', name), safe='')}"
    sha = needed(variables, "CI_COMMIT_SHA", name)
    # Set for a pipeline of merged results, where CI_COMMIT_SHA is a merge that GitLab made.
    head = variables.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or sha
    job = Job(
        head,
        frozenset({head, sha}),
        number(variables.get("CI_MERGE_REQUEST_IID", "")) or 0,
        variables.get("CI_JOB_URL", ""),
        base=variables.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", ""),
        branch=_branch(variables),
    )
    headers = {"PRIVATE-TOKEN": variables.get("GITLAB_TOKEN", "").strip()}
    api = Api(name, base, "GITLAB_TOKEN", headers, "the scope api and the role Developer")
    return GitLab(api, project, job, variables.get("CI_PIPELINE_ID", ""), sha)


def _branch(variables: Mapping[str, str]) -> str:
    """Return the branch of the commit in this project: of a merge request its own, unless that is a fork's."""
    if not variables.get("CI_MERGE_REQUEST_IID"):
        return variables.get("CI_COMMIT_BRANCH", "")
    source = variables.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "")
    is_here = source and source == variables.get("CI_MERGE_REQUEST_PROJECT_ID")
    return variables.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "") if is_here else ""
