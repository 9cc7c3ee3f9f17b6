"""A pull request of the demo's project, from the push to the end of its preview, through the steps of the action."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.source import git
from prefect_sluice.workspace.workspace import Workspace
from tests.cli.forge_jobs import action, closing_job
from tests.flights import Flights
from tests.reporting.forges.server import FakeForge, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("flights")]

PUNCTUALITY = "models/marts/carrier_punctuality.sql"
DAYS = "select sum(on_time_flights) from {schema}.carrier_punctuality"


def on_time(flights: Flights, schema: str) -> int:
    """Return how many flights a reader of a schema counts as on time."""
    with duckdb.connect(str(flights.warehouse), read_only=True) as reader:
        [(number,)] = reader.execute(DAYS.format(schema=schema)).fetchall()
    return int(number)


def schemas(flights: Flights) -> list[str]:
    """Return the schemas of previews."""
    with duckdb.connect(str(flights.warehouse), read_only=True) as reader:
        sql = "select schema_name from information_schema.schemata where schema_name like 'pr_7%' order by 1"
        return [str(row[0]) for row in reader.execute(sql).fetchall()]


def job(flights: Flights, hub: FakeForge, event: Path) -> Mapping[str, str]:
    """Return the variables of a job for pull request 7. What is checked out is a merge that GitHub made, on no branch."""
    tip = git.output(flights.folder, "rev-parse", "fewer").strip()
    flights.git("checkout", "-q", "--detach", "main")
    flights.git("merge", "-q", "--no-ff", "-m", f"Merge {tip} into main", "fewer")
    head = {"sha": tip, "ref": "fewer", "repo": {"full_name": "ada/shop"}}
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": head}}), encoding="utf-8")
    merge = git.output(flights.folder, "rev-parse", "HEAD").strip()
    return hub.variables(tip) | {
        "GITHUB_SHA": merge,
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_EVENT_NAME": "pull_request",
    }


def test_a_pull_request_is_refused_mended_seen_merged_and_its_preview_ends(
    released_flights: Flights, tmp_path: Path
) -> None:
    flights, event = released_flights.copied(tmp_path / "nyc"), tmp_path / "event.json"
    policy = (flights.folder / "sluice.yml").read_text(encoding="utf-8")
    assert policy.count("environments:\n") == 1
    flights.write(
        "sluice.yml", policy.replace("environments:\n", "environments:\n  'pr-*': {like: dev, ttl: 3d}\n")
    )
    flights.commit("Show pull requests")
    origin = tmp_path / "origin.git"
    flights.git("init", "-q", "--bare", str(origin))
    flights.git("remote", "add", "origin", str(origin))
    flights.git("push", "-q", "origin", "main")
    served, inputs = on_time(flights, "analytics_marts"), {"environment": "dev", "preview": "pr-7"}

    flights.git("checkout", "-q", "-b", "fewer")
    flights.edit(PUNCTUALITY, "filter (where is_on_time)", "filter (where not is_on_time)")
    flights.commit("Count the late ones")
    with serving("github") as hub:
        code, text = action(flights.folder, inputs, job(flights, hub, event))
        assert code == 1, text
        assert (hub.statuses[-1]["context"], hub.statuses[-1]["state"]) == ("sluice/dev", "failure")
        assert schemas(flights) == [], "what is refused is not shown"
        (flights.folder / ".sluice/sluice-report.html").unlink()  # the next job has a checkout of its own

        flights.git("checkout", "-q", "fewer")
        flights.edit(
            PUNCTUALITY, "filter (where not is_on_time)", "filter (where arrival_delay_minutes < 10)"
        )
        flights.commit(
            "Count a flight as on time below 10 minutes\n\nExpect: carrier_punctuality.on_time_* up to 100%"
        )
        code, text = action(flights.folder, inputs, job(flights, hub, event))
        assert code == 0, text
        assert (hub.statuses[-1]["context"], hub.statuses[-1]["state"]) == ("sluice/dev", "success")
        (flights.folder / ".sluice/sluice-report.html").unlink()
        [comment] = hub.comments
        assert "## ✅ dev: Check: " in comment["body"]
        shown = next(schema for schema in schemas(flights) if schema.endswith("marts"))
        number = on_time(flights, shown)
        assert number != served == on_time(flights, "analytics_marts")
        [preview] = Workspace.at(flights.folder).store.previews()
        assert (preview.name, preview.branch) == ("pr-7", "fewer")

    flights.git("checkout", "-q", "main")
    flights.git("merge", "-q", "--no-ff", "-m", "Merge pull request 7", "fewer")
    released: Any = flights.run("release", "--env", "dev")
    assert released.code == 0, released.text
    assert on_time(flights, "analytics_marts") == number == on_time(flights, shown), (
        "readers get what reviewers saw"
    )
    assert schemas(flights) != [], "the branch is still there, and nobody closed it"
    code, text = closing_job(7, flights.folder)
    assert code == 0, text
    assert schemas(flights) == []
    code, text = closing_job(7, flights.folder)
    assert code == 0, f"run again, it is green: {text}"
    ends = [
        str(entry.facts["reason"])
        for entry in Workspace.at(flights.folder).store.entries()
        if entry.event == "preview.ended"
    ]
    assert len(ends) == 1, "by the first of the two"
    assert ends[0].endswith(" ended it")
    assert on_time(flights, "analytics_marts") == number
