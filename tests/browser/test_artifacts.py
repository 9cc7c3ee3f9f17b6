"""The artifacts of a run in the Prefect UI, in a real browser: the lineage is drawn, and the links lead there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

import pytest
from playwright.sync_api import Page, Route, sync_playwright
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate

from prefect_sluice.render.artifacts.diff import diff_page, report_page
from prefect_sluice.render.artifacts.generation import generation_page
from prefect_sluice.render.artifacts.links import Kind, Links, key
from prefect_sluice.render.artifacts.plan import plan_page
from prefect_sluice.render.report.build import report
from prefect_sluice.tasks.links import artifact_url
from tests.browser.test_report import FLAGS, NAMES, SCREENSHOTS
from tests.render.reported import WAITING, huge
from tests.render.test_artifacts import AFTER, BEFORE, SERVING

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), pytest.mark.xdist_group("prefect")]

WIDE = 1300


def _program() -> str:
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(
            "no Chromium here, so no artifact was looked at in the Prefect UI (apt-get install chromium)"
        )
    return program


def _made() -> Mapping[Kind, UUID]:
    """Put a run's artifacts on the server, each leading to those before it."""
    made: dict[Kind, UUID] = {}
    pages = {
        Kind.PLAN: lambda links: plan_page(report(WAITING), links),
        Kind.REPORT: lambda links: report_page(report(huge(60, rows=12)), links),
        Kind.DIFF: lambda links: diff_page(report(WAITING), links),
        Kind.GENERATION: lambda links: generation_page(report(SERVING), links, AFTER, BEFORE),
    }
    with get_client(sync_client=True) as client:
        for kind, page in pages.items():
            links = Links("a run", "", {each: artifact_url(identifier) for each, identifier in made.items()})
            wanted = ArtifactCreate(key=key(kind, "browsed"), type="markdown", data=page(links))
            made[kind] = client.create_artifact(wanted).id
    return made


def _knowing_its_server(page: Page, api: str) -> None:
    """Tell the UI where its API is: the server of the tests has a port that it does not know itself."""

    def told(route: Route) -> None:
        settings = cast(dict[str, Any], route.fetch().json())
        route.fulfill(body=json.dumps({**settings, "api_url": api}), content_type="application/json")

    page.route("**/ui-settings", told)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_diff_is_drawn_and_leads_to_the_rest(prefect_server: str, scheme: str) -> None:
    program, made = _program(), _made()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        context = cast(Any, browser).new_context(
            viewport={"width": WIDE, "height": 1400}, color_scheme=scheme
        )
        page = cast(Page, context.new_page())
        _knowing_its_server(page, prefect_server)
        page.goto(artifact_url(made[Kind.DIFF]))
        drawing = page.locator("svg[id^=mermaid]").get_by_text("Morning board")
        drawing.wait_for(timeout=60_000)
        page.screenshot(path=SCREENSHOTS / f"artifact-diff-{scheme}.png")
        page.get_by_role("link", name="plan", exact=True).click()
        page.get_by_role("heading", name="Plan: release").wait_for(timeout=60_000)
        for kind in (Kind.PLAN, Kind.REPORT, Kind.GENERATION):
            page.goto(artifact_url(made[kind]))
            page.get_by_role("heading", level=2).first.wait_for(timeout=60_000)
            page.screenshot(path=SCREENSHOTS / f"artifact-{kind.value}-{scheme}.png")
        browser.close()
