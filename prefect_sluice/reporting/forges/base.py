"""The port of forges, and how both are asked: by HTTP, again where they do not answer, and with no token in a message."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, ClassVar, Protocol, cast

import httpx

from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.domain.untrusted_text import one_line

TIMEOUT = 10
"""Seconds for one call."""
PAUSES = (1.0, 3.0)
"""Seconds between the tries of one act."""
_LONGEST = 200


class CommitState(Enum):
    """What a commit's status says of its check."""

    RUNNING = auto()
    PASSED = auto()
    REFUSED = auto()
    ERROR = auto()


@dataclass(frozen=True, slots=True)
class Job:
    """What a forge runs a job for. `commit` gets the status; `checkable` are the commits that stand for it: itself, and what
    the forge made by merging it. `change` is the number of the pull request or merge request, 0 for none; `url` leads to
    the job's log; `summary` is the file whose Markdown the job's page shows, "" for none; `base` the branch that the change goes
    to, "" for none. `branch` is where the commit is found ("": a tag's, or a fork's branch, which this repository does not have):
    what is checked out is seldom on one."""

    commit: str
    checkable: frozenset[str]
    change: int = 0
    url: str = ""
    summary: str = ""
    base: str = ""
    branch: str = ""


class Forge(Protocol):
    """A forge that runs this process as a job. What it cannot be told raises ForgeFailed."""

    @property
    def job(self) -> Job:
        """What the job is for."""
        ...

    def set_status(
        self, commit: str, state: CommitState, *, context: str, description: str, target_url: str
    ) -> None:
        """Say under `context` how a commit fares; a description that is too long is cut. Repeatable."""
        ...

    def upsert_comment(self, change: int, marker: str, body: str) -> None:
        """Have one comment of ours in a change whose text begins with `marker`: written once, then changed. Repeatable."""
        ...


@dataclass(eq=False)
class ForgeFailed(Refused):
    """A forge was not told something: it says no (`status`: of HTTP), or there is no token."""

    status: int = field(default=0, kw_only=True)


@dataclass(eq=False)
class ForgeAway(ForgeFailed):
    """A forge does not answer now, or says that it cannot."""

    retry: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Api:
    """The HTTP interface of one forge. `token` is the name of the variable that holds the token; `headers` hold it, and are
    shown nowhere."""

    forge: str
    url: str
    token: str
    headers: Mapping[str, str] = field(repr=False)
    rights: str = ""

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Return an answer that says yes. Raises ForgeAway, ForgeFailed."""
        if not all(self.headers.values()):
            raise ForgeFailed(f"{self.forge} is told nothing: there is no token", f"set {self.token}")
        try:
            answer = httpx.request(
                method, f"{self.url}{path}", headers=dict(self.headers), timeout=TIMEOUT, **request
            )
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            # Their own text may repeat a header, the token with it.
            raise ForgeAway(f"{self.forge} does not answer: {type(error).__name__}") from None
        if answer.is_success:
            return answer
        raise self._failure(method, path, answer)

    def _failure(self, method: str, path: str, answer: httpx.Response) -> ForgeFailed:
        problem = f"{self.forge} says {answer.status_code} to {method} {path}{_message(answer)}"
        status = answer.status_code
        match status:
            case 401:
                fix = f"{self.token} holds no valid token"
            case 403 | 404:
                fix = f"{self.token} needs {self.rights}; a fork's has it never"
            case _:
                fix = ""
        kind = ForgeAway if status == 429 or answer.is_server_error else ForgeFailed
        return kind(problem, fix, status=status)

    def pages(self, path: str) -> Sequence[Mapping[str, Any]]:
        """Return all items of a list, page by page, as GitHub (`Link`) and GitLab (`Link` too) say where it goes on."""
        items: list[Mapping[str, Any]] = []
        page = 1
        while True:
            answer = self.ask("GET", path, params={"per_page": 100, "page": page})
            items += cast(list[Mapping[str, Any]], document(answer))
            if "next" not in answer.links:
                return items
            page += 1


def document(answer: httpx.Response) -> Any:
    """Return the JSON of an answer. Raises ForgeAway where it is none: a proxy's page, for one."""
    try:
        return answer.json()
    except ValueError:
        raise ForgeAway(f"{answer.request.url.host} says what is no JSON") from None


def _message(answer: httpx.Response) -> str:
    """Return what an answer says in words, cut; "" where it says nothing."""
    try:
        content = answer.json()
    except ValueError:
        return ""
    words = (
        cast(Mapping[str, Any], content).get("message") or cast(Mapping[str, Any], content).get("error")
        if isinstance(content, dict)
        else None
    )
    return f": {one_line(str(words))[:_LONGEST]}" if words else ""


def persistently(act: Callable[[], None], pauses: Sequence[float] = PAUSES) -> None:
    """Do something that can be repeated, again after each pause where the forge is away. Raises ForgeFailed."""
    for pause in pauses:
        try:
            return act()
        except ForgeAway:
            time.sleep(pause)
    return act()


def needed(variables: Mapping[str, str], name: str, forge: str) -> str:
    """Return a variable that the forge sets. Raises BadInput where it is not set."""
    value = variables.get(name, "")
    if not value:
        fix = f"{forge} sets it for its jobs; elsewhere, deployments/ci/sluice-check.sh does"
        raise BadInput(f"the variable {name} is not set", f"--report-to {forge.lower()}", fix)
    return value
