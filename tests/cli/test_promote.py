"""`sluice promote` as a user meets it: dev serves, a release to prod waits, and one was refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def release(run: Run, folder: Path, commit: int) -> str:
    """Return the id of the release of the nth commit, the newest first."""
    shown = json.loads(run("history", "-C", folder, "--json").out)
    ids = [event["release"]["id"] for event in shown["events"]]
    return ids[commit]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("promote", 2, "Missing option '--to'"),
        ("promote --to live", 2, "no environment 'live' (there are: dev, prod)"),
        ("promote --to dev", 2, "nothing says where a promotion to 'dev' comes from"),
        ("promote --to prod --from prod", 2, "'prod' cannot be promoted to itself"),
        ("promote --to prod --from nowhere", 2, "no environment 'nowhere'"),
        ("promote --to dev --from prod", 1, "environment 'prod' serves nothing yet"),
        ("promote zzz --to prod", 2, "no release 'zzz': give the beginning"),
        ("promote abc --to prod --from dev", 2, "two answers to one question"),
        ("promote --to prod --select orders", 1, "serves nothing yet that a part could be put on"),
    ],
)
def test_what_cannot_be_meant(run: Run, shared: Path, arguments: str, code: int, says: str) -> None:
    answer = run(*arguments.split(), "-C", shared)
    assert (answer.code, answer.out) == (code, "")
    assert says in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_release_that_was_refused_stays_where_it_is(run: Run, shared: Path) -> None:
    answer = run("promote", release(run, shared, 0)[:8], "--to", "prod", "-C", shared)
    assert answer.code == 1
    assert re.search(
        r"never stable in dev, which comes before prod \(there it is refused\); .*sluice release \w+ --env dev",
        answer.err,
    )


def test_plan_shows_and_does_nothing(run: Run, released: Path) -> None:
    before = run("status", "-C", released, "--json").out
    answer = run("promote", "--to", "prod", "--plan", "-C", released)
    assert answer.code == 0, answer.err
    assert re.match(
        r"(?s).*promotion \w{7} → prod \(it serves nothing yet\).*3 built, 0 reused, 0 removed", answer.out
    )
    assert run("status", "-C", released, "--json").out == before
    assert not (released / "prod.duckdb").exists()


def test_from_request_to_the_end(run: Run, released: Path) -> None:
    """It waits, status and approve name the command that goes on, and asked for again it is unchanged."""
    answer = run("promote", "--to", "prod", "--as", "Ada", "-C", released, "--json")
    assert answer.code == 3, answer.err
    waiting = json.loads(answer.out)
    assert (waiting["status"], waiting["promotion"]["cause"]) == ("waiting", "promotion")
    go_on = f"sluice promote {waiting['release']['id'][:7]} --to prod"
    approved = run("approve", waiting["promotion"]["id"], "--as", "Grace", "-C", released)
    assert go_on in approved.out
    assert go_on in run("status", "-C", released).out
    answer = run(*go_on.split()[1:], "-C", released)
    assert answer.code == 0, answer.err
    assert "done: prod serves generation 1" in answer.out
    again = run("promote", "--to", "prod", "-C", released)
    assert (again.code, "unchanged: prod serves this already" in again.out) == (0, True)
    shown = run("history", "--env", "prod", "-C", released)
    assert "promotion" in shown.out
    part = run("promote", "--to", "prod", "--select", "orders", "-C", released)
    assert (part.code, "unchanged" in part.out) == (0, True)
