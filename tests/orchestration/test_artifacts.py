"""What a run shows in the Prefect UI, made by real flows on a real server; and the pages that a web server shows."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.sorting import ArtifactSort

from prefect_sluice import pipeline
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Decision
from prefect_sluice.flows import run
from prefect_sluice.orchestration.shown.approval_text import request_text
from prefect_sluice.orchestration.shown.artifacts import show_approval, show_plan
from prefect_sluice.orchestration.shown.links import artifact_url, ui_url
from prefect_sluice.promotions.request import ReleaseRequest, request_for
from prefect_sluice.promotions.work import Work
from prefect_sluice.reporting.write_pages import path_of
from prefect_sluice.stages.approve import record
from prefect_sluice.workspace.workspace import Workspace
from tests.flows.test_flows import FILES, commit
from tests.repository import repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("prefect")]

WEB = "http://reports.example.com"
# An environment of this module's own: the server, and so each key's history, is shared by all tests.
NAME = "shop_art"
KEY = re.compile(r"(plan|report|diff|approval|generation)-shop-art-[0-9a-f]{4}")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_REPORTS_URL", f"{WEB}/")
    profile = FILES["profiles.yml"].replace("prod", NAME)
    return repository(tmp_path, {**FILES, "profiles.yml": profile, "sluice.yml": settings(approvals=0)})


def settings(*, approvals: int) -> str:
    """Return a sluice.yml in which the gates that this is not about, and that cost seconds, are off."""
    off = "".join(f"  {gate}: {{on: off}}\n" for gate in ("lint", "secrets", "project_tests", "unit_tests"))
    return f"environments:\n  {NAME}: {{approvals: {approvals}}}\ngates:\n{off}"


def ask(folder: Path, cause: Cause = Cause.RELEASE) -> Work:
    return run(request_for(cause, folder, NAME, actor="Ada"))


def approve(folder: Path, work: Work) -> None:
    assert work.promotion is not None
    record(Workspace.at(folder), work.promotion, Decision.APPROVE, by="Grace")


def shown() -> dict[str, list[Artifact]]:
    """Return this module's artifacts by kind, the newest first."""
    with get_client(sync_client=True) as client:
        every = client.read_artifacts(sort=ArtifactSort.CREATED_DESC)
    found: dict[str, list[Artifact]] = {}
    for item in every:
        match = KEY.fullmatch(item.key or "")
        if match:
            found.setdefault(match[1], []).append(item)
    return found


def page(folder: Path, work: Work) -> str:
    assert work.promotion is not None
    return path_of(Workspace.at(folder), work.promotion.id).read_text(encoding="utf-8")


def test_each_run_shows_what_it_did_and_the_pages_keep_up(prefect_server: str, project: Path) -> None:
    first = pipeline.run(ReleaseRequest(project, NAME, actor="Ada"))
    assert ">SERVING<" in page(project, first)
    (project / "sluice.yml").write_text(settings(approvals=1), encoding="utf-8")

    text = FILES["models/orders.sql"].replace("10", "20")
    (project / "models" / "orders.sql").write_text(text, encoding="utf-8")
    commit(project, "second")
    second = ask(project)
    assert ">WAITING<" in page(project, second)
    assert set(shown()) == {"plan", "report", "diff", "approval"}
    approve(project, second)
    ask(project)
    assert ">SERVED<" in page(project, first)
    assert ">SERVING<" in page(project, second)

    @flow
    def resumed() -> str:
        show_approval(second)
        show_approval(second)  # as in a run that was suspended, and went on from the top
        return request_text(second)

    asked = resumed()
    found = shown()
    assert f"[approval]({artifact_url(found['approval'][0].id)})" in asked
    # One version for each run; a run shows nothing twice.
    runs = Counter(str(item.flow_run_id) for items in found.values() for item in items)
    assert sorted(runs.values()) == [1, 4, 5]
    newest = {kind: items[0] for kind, items in found.items()}
    newest["approval"] = found["approval"][1]  # of the release itself
    assert "10 → 20" in str(newest["diff"].data)
    assert "approved by **Grace**" in str(newest["approval"].data)
    assert "serves generation 2" in str(newest["generation"].data)
    # Each leads to all others of its run, and to the page.
    for kind, item in newest.items():
        for other, there in newest.items():
            assert (f"]({artifact_url(there.id)})" in str(item.data)) == (kind != other), (kind, other)
        assert f"]({WEB}/{second.promotion.id if second.promotion else ''}.html)" in str(item.data)

    ask(project, Cause.ROLLBACK)
    assert "those of generation 1, written again" in str(shown()["generation"][0].data)


def test_links_lead_to_the_second_ui_of_the_server(prefect_server: str) -> None:
    assert ui_url() == f"{prefect_server.removesuffix('/api')}/v2"


def test_what_cannot_be_shown_stops_no_stage(
    project: Path, caplog: pytest.LogCaptureFixture, prefect_server: str
) -> None:
    """The server is away, or the page cannot be made: the stage is done all the same, and the log says it."""
    from prefect_sluice.domain.promotion import Lease
    from tests.reporting.reported import NOW, PLAN, PROMOTION

    opened = Workspace.at(project)

    @flow
    def shows() -> str:
        lease = Lease(NAME, 0, "", NOW, NOW)
        show_plan(
            Work(ReleaseRequest(project, NAME), lease, plan=PLAN, promotion=PROMOTION, workspace=opened)
        )
        return "done"

    (project / "profiles.yml").unlink()
    assert shows() == "done"
    assert "an artifact of this run could not be made (ConfigInvalid" in caplog.text
