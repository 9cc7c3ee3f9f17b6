"""Links from what is recorded to where people act, and what is told of a run that was cut off: without a server."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.orchestration.cut_off_runs import cut_off
from prefect_sluice.planning.choices import parse_waiting_choice
from prefect_sluice.reporting.gather_status import standing
from prefect_sluice.reporting.report.model import WebLinks
from prefect_sluice.reporting.status_page import standing_markdown
from prefect_sluice.reporting.web_addresses import form_url, remember_forms, remember_run, way_of
from prefect_sluice.source import git
from prefect_sluice.stages.plan_release import pack
from prefect_sluice.workspace.workspace import Workspace
from tests.repository import repository

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
FORM, RUN = (
    "http://127.0.0.1:4200/v2/deployments/deployment/1/run",
    "http://127.0.0.1:4200/v2/runs/flow-run/r1",
)
FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, schema: main}}}\n",
    "sluice.yml": "environments:\n  prod: {approvals: 1, approvers: [Grace]}\n",
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project whose first release waits for a yes."""
    made = Workspace.at(repository(tmp_path, FILES))
    release = pack(made, made.environment(), git.resolve(made.root, "HEAD", "."), "Ada")
    promotion = Promotion(
        "p1", "prod", release.id, Cause.RELEASE, 0, "", State.STAGED, "Ada", NOW, NOW, "plan", "evidence"
    )
    with made.store.transaction() as transaction:
        transaction.put_promotion(promotion)
    return made


def put(workspace: Workspace, state: State) -> Promotion:
    """Have the promotion in another state."""
    found = workspace.store.promotion("p1")
    assert found is not None
    moved = replace(found, state=state)
    with workspace.store.transaction() as transaction:
        transaction.put_promotion(moved)
    return moved


def test_a_form_is_opened_filled_in(workspace: Workspace) -> None:
    """With what the Prefect deployment has for itself beside it; nobody noted it: there is no link."""
    assert form_url(workspace, "answer", promotion="p1") == ""
    remember_forms(workspace, {"answer": (FORM, {"folder": "/srv/shop", "wait_seconds": 600})})
    url = form_url(workspace, "answer", promotion="p&1 # é")
    assert url.partition("?")[0] == FORM
    [filled] = parse_qs(urlsplit(url).query, strict_parsing=True)["parameters"]
    assert json.loads(filled) == {"folder": "/srv/shop", "wait_seconds": 600, "promotion": "p&1 # é"}


def test_only_what_waits_leads_to_an_answer(workspace: Workspace) -> None:
    remember_forms(workspace, {"answer": (FORM, {})})
    remember_run(workspace, "p1", "r1", RUN, "release a1b2c3d → prod", resumes=True)
    waits = way_of(workspace, put(workspace, State.STAGED))
    filled = [json.loads(parse_qs(urlsplit(url).query)["parameters"][0]) for url in (waits.yes, waits.no)]
    waiting = put(workspace, State.STAGED)
    assert [parse_waiting_choice(str(each["promotion"])) for each in filled] == [
        ("p1", waiting.binding[:8])
    ] * 2
    assert [each["decision"] for each in filled] == ["approve", "reject"]
    assert filled[0]["promotion"].endswith(": first → prod")
    assert (waits.run, waits.resumes, waits.is_there, FORM in waits.yes) == (RUN, True, True, True)
    assert way_of(workspace, put(workspace, State.STABLE)) == WebLinks(RUN, "release a1b2c3d → prod")


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State.STARTED, "The worker was killed while building. "),
        (State.DEPLOYING, "The worker was killed while publishing. "),
        (State.STABLE, "The worker was killed. "),
    ],
)
def test_a_run_that_was_cut_off_says_what_it_was_at(workspace: Workspace, state: State, told: str) -> None:
    rest = "Nothing is half done; prod serves nothing yet. Run it again: it goes on."
    put(workspace, state)
    assert cut_off(workspace, "r1", "The worker was killed").startswith(
        "The worker was killed. Nothing is half done. "
    )
    remember_run(workspace, "p1", "r1", RUN, "a run", resumes=True)
    assert cut_off(workspace, "r1", "The worker was killed") == f"{told}{rest}"


def test_what_stands_is_told_without_a_warehouse(workspace: Workspace) -> None:
    remember_forms(workspace, {"answer": (FORM, {}), "release": (FORM, {})})
    text = standing_markdown(standing(workspace))
    assert "* nothing is served yet" in text
    assert "first, since 2026-03-04 12:00 UTC, waits for a yes of Grace — [say yes](" in text
    assert text == standing_markdown(standing(workspace)), "no clock is in it"
    assert not (workspace.root / "shop.duckdb").exists()
