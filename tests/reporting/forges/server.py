"""A small GitHub and a small GitLab on this machine: the few calls that a check makes, with the rules of their documentation.

https://docs.github.com/en/rest/commits/statuses#create-a-commit-status,
https://docs.github.com/en/rest/issues/comments#list-issue-comments, https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api,
https://docs.gitlab.com/api/commits/#set-commit-pipeline-status, https://docs.gitlab.com/api/notes/#merge-requests,
https://docs.gitlab.com/api/rest/#pagination
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "a-token-nobody-may-see"
READS_ONLY = "a-token-of-a-fork"
SHA = re.compile(r"[0-9a-f]{40}")
PAGE = 30
"""How many items a page has where nobody asks for more."""

Answer = tuple[int, Any]


@dataclass
class FakeForge:
    """What a forge holds. `kind` is "github" or "gitlab".

    `away` is how many calls it answers with 503 before it does what they say, `lost` how many of what changes something it does,
    and then answers with 502. `robot`: its token is a job's own, which may not ask who it is.
    """

    kind: str
    url: str = ""
    statuses: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    comments: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    calls: list[str] = field(default_factory=list[str])
    away: int = 0
    lost: int = 0
    robot: bool = False
    commits: set[str] = field(default_factory=set[str])
    pipelines: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def me(self) -> dict[str, Any]:
        return author("sluice[bot]" if self.robot else "sluice", 1, bot=self.robot)

    def variables(self, commit: str, change: int = 7, token: str = TOKEN) -> dict[str, str]:
        """Return what this forge sets for a job, and the token that its file passes on."""
        self.commits.add(commit)
        if self.kind == "github":
            return {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": "ada/shop", "GITHUB_SHA": commit, "GITHUB_TOKEN": token,
                    "GITHUB_REF": f"refs/pull/{change}/merge" if change else "refs/heads/main", "GITHUB_RUN_ID": "42",
                    "GITHUB_SERVER_URL": self.url}  # fmt: skip
        self.pipelines["42"] = commit
        return {"CI_API_V4_URL": self.url, "CI_PROJECT_ID": "12", "CI_COMMIT_SHA": commit, "GITLAB_TOKEN": token,
                "CI_PIPELINE_ID": "42", "CI_JOB_URL": f"{self.url}/jobs/43",
                **({"CI_MERGE_REQUEST_IID": str(change)} if change else {})}  # fmt: skip

    def write(self, body: str, who: dict[str, Any] | None = None) -> dict[str, Any]:
        """Add a comment to the one change there is."""
        own = {"github": "user", "gitlab": "author"}[self.kind]
        comment = {"id": len(self.comments) + 100, "body": body, own: who or self.me}
        self.comments.append(comment)
        return comment

    def answer(self, method: str, path: str, given: Mapping[str, Any], token: str) -> Answer:
        if token not in {TOKEN, READS_ONLY}:
            return 401, {"message": "Bad credentials" if self.kind == "github" else "401 Unauthorized"}
        if path == "/user":
            return (
                (403, {"message": "Resource not accessible by integration"}) if self.robot else (200, self.me)
            )
        if method != "GET" and token == READS_ONLY:
            return 403, {
                "message": "Resource not accessible by integration"
                if self.kind == "github"
                else "403 Forbidden"
            }
        routes = {
            "github": (
                ("POST", r"/repos/ada/shop/statuses/(\w+)", self._github_status),
                ("GET", r"/repos/ada/shop/issues/(7)/comments", self._list),
                ("POST", r"/repos/ada/shop/issues/(7)/comments", self._write),
                ("PATCH", r"/repos/ada/shop/issues/comments/(\d+)", self._edit),
            ),
            "gitlab": (
                ("POST", r"/projects/12/statuses/(\w+)", self._gitlab_status),
                ("GET", r"/projects/12/merge_requests/(7)/notes", self._list),
                ("POST", r"/projects/12/merge_requests/(7)/notes", self._write),
                ("PUT", r"/projects/12/merge_requests/7/notes/(\d+)", self._edit),
            ),
        }[self.kind]
        for verb, pattern, act in routes:
            match = re.fullmatch(pattern, path)
            if verb == method and match:
                return act(match[1], given)
        return 404, {"message": "Not Found" if self.kind == "github" else "404 Project Not Found"}

    def _github_status(self, commit: str, given: Mapping[str, Any]) -> Answer:
        if commit not in self.commits:
            return 422, {"message": f"No commit found for SHA: {commit}"}
        if given.get("state") not in {"error", "failure", "pending", "success"}:
            return 422, {"message": "Validation Failed"}
        if len(str(given.get("description", ""))) > 140:
            return 422, {"message": "Validation Failed: description is too long (maximum is 140 characters)"}
        self.statuses.append({"sha": commit, **given})
        return 201, self.statuses[-1]

    def _gitlab_status(self, commit: str, given: Mapping[str, Any]) -> Answer:
        state, pipeline = given.get("state"), given.get("pipeline_id")
        if commit not in self.commits or (pipeline and self.pipelines.get(pipeline) != commit):
            return 404, {"message": "404 Commit Not Found"}
        if state not in {"pending", "running", "success", "failed", "canceled", "skipped"}:
            return 400, {"error": "state does not have a valid value"}
        if len(str(given.get("description", ""))) > 255:
            return 400, {"message": {"description": ["is too long (maximum is 255 characters)"]}}
        before = [one for one in self.statuses if (one["sha"], one["name"]) == (commit, given.get("name"))]
        if before and before[-1]["state"] == state == "running":
            reason = 'Reason(s): Status cannot transition via "run"'
            return 400, {"message": f"Cannot transition status via :run from :running ({reason})"}
        self.statuses.append({"sha": commit, **given})
        return 201, self.statuses[-1]

    def _list(self, _: str, given: Mapping[str, Any]) -> Answer:
        return 200, self.comments

    def _write(self, _: str, given: Mapping[str, Any]) -> Answer:
        if not given.get("body") or len(given["body"]) > (65_536 if self.kind == "github" else 1_000_000):
            return 422 if self.kind == "github" else 400, {"message": "Validation Failed"}
        return 201, self.write(given["body"])

    def _edit(self, identifier: str, given: Mapping[str, Any]) -> Answer:
        for comment in self.comments:
            if comment["id"] == int(identifier):
                comment["body"] = given["body"]
                return 200, comment
        return 404, {"message": "Not Found"}


def author(login: str, identifier: int, *, bot: bool = False) -> dict[str, Any]:
    """Return a user as both forges show one."""
    return {"login": login, "username": login, "id": identifier, "type": "Bot" if bot else "User"}


@contextmanager
def serving(kind: str) -> Generator[FakeForge]:
    """Serve a forge on a free port of this machine while the block runs."""
    forge = FakeForge(kind)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            url = urlsplit(self.path)
            words = {name: values[-1] for name, values in parse_qs(url.query).items()}
            size = int(self.headers.get("Content-Length") or 0)
            given: dict[str, Any] = words | (json.loads(self.rfile.read(size)) if size else {})
            forge.calls.append(f"{self.command} {url.path}")
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            token = bearer if kind == "github" else self.headers.get("PRIVATE-TOKEN", "")
            if url.path.startswith("/moved/"):
                return self._say(307, "", Location=f"{forge.url}{url.path.removeprefix('/moved')}")
            if forge.away:
                forge.away -= 1
                return self._say(503, "<html>away</html>")
            code, answer = forge.answer(self.command, url.path, given, token)
            if forge.lost and self.command != "GET":
                forge.lost -= 1
                return self._say(502, "<html>lost</html>")
            links: dict[str, str] = {}
            if isinstance(answer, list):
                size, page = int(words.get("per_page", PAGE)), int(words.get("page", 1))
                assert size <= 100
                if len(forge.comments) > size * page:
                    links = {"Link": f'<{forge.url}{url.path}?page={page + 1}>; rel="next"'}
                answer = forge.comments[size * (page - 1) : size * page]
            return self._say(code, json.dumps(answer), **links)

        def _say(self, code: int, text: str, **headers: str) -> None:
            body = text.encode()
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_PUT = _serve

        def log_message(self, format: str, *args: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        forge.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield forge
        finally:
            server.shutdown()
            thread.join()
