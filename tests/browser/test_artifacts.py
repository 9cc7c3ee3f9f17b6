"""The artifacts of a run in the Prefect UI, in a real browser: the lineage is drawn, and the links lead there."""

from __future__ import annotations

import mimetypes
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import prefect
import pytest
from playwright.sync_api import Page, Route, sync_playwright
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate

from prefect_sluice.orchestration.shown.links import artifact_url
from prefect_sluice.reporting.prefect.diff import diff_page, report_page
from prefect_sluice.reporting.prefect.generation import generation_page
from prefect_sluice.reporting.prefect.links import ArtifactKind, RunLinks, key
from prefect_sluice.reporting.prefect.plan import plan_page
from prefect_sluice.reporting.report.make_report import report
from tests.browser.test_report import FLAGS, NAMES, SCREENSHOTS
from tests.reporting.reported import WAITING, huge
from tests.reporting.test_artifacts import AFTER, BEFORE, SERVING

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), pytest.mark.xdist_group("prefect")]


def _program() -> str:
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(
            "no Chromium here, so no artifact was looked at in the Prefect UI (apt-get install chromium)"
        )
    return program


def _made() -> Mapping[ArtifactKind, UUID]:
    """Put a run's artifacts on the server, each leading to those before it."""
    made: dict[ArtifactKind, UUID] = {}
    pages: dict[ArtifactKind, Callable[[RunLinks], str]] = {
        ArtifactKind.PLAN: lambda links: plan_page(report(WAITING), links),
        ArtifactKind.REPORT: lambda links: report_page(report(huge(60, rows=12)), links),
        ArtifactKind.DIFF: lambda links: diff_page(report(WAITING), links),
        ArtifactKind.GENERATION: lambda links: generation_page(report(SERVING), links, AFTER, BEFORE),
    }
    with get_client(sync_client=True) as client:
        for kind, page in pages.items():
            links = RunLinks(
                "a run", "", {each: artifact_url(identifier) for each, identifier in made.items()}
            )
            wanted = ArtifactCreate(key=key(kind, "browsed"), type="markdown", data=page(links))
            made[kind] = client.create_artifact(wanted).id
    return made


def _with_its_ui(page: Page, api: str) -> None:
    """Give the page Prefect's second UI, which the tests' server does not serve, before that server's API; nothing else
    is asked for."""
    bundle, place = Path(prefect.__ui_v2_static_path__), b"/PREFECT_UI_SERVE_BASE_REPLACE_PLACEHOLDER"
    known = {"api_url": api, "csrf_enabled": False, "auth": None, "flags": [], "default_ui": "v2",
             "available_uis": ["v2"], "v1_base_url": None, "v2_base_url": "/v2"}  # fmt: skip

    def answer(route: Route) -> None:
        url, path = route.request.url, urlsplit(route.request.url).path
        if url.startswith(api):
            route.continue_()
        elif not url.startswith(api.removesuffix("/api")):
            route.abort()
        elif path == "/ui-settings":
            route.fulfill(json=known)
        else:
            file = bundle / path.removeprefix("/v2/")
            file = file if file.is_file() else bundle / "index.html"
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            route.fulfill(body=file.read_bytes().replace(place, b"/v2"), content_type=kind)

    page.route("**/*", answer)


def test_the_diff_is_drawn_and_leads_to_the_rest(prefect_server: str) -> None:
    program, made = _program(), _made()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page(viewport={"width": 1300, "height": 1400}, color_scheme="light")
        _with_its_ui(page, prefect_server)
        page.goto(artifact_url(made[ArtifactKind.DIFF]))
        drawn = page.locator("svg[id^=mermaid]").get_by_text("Morning board")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            drawn.wait_for(timeout=60_000)
            page.screenshot(path=SCREENSHOTS / f"artifact-diff-{scheme}.png")
        page.get_by_role("link", name="plan", exact=True).click()
        page.get_by_role("heading", name="Plan: release").wait_for(timeout=30_000)
        for kind in (ArtifactKind.REPORT, ArtifactKind.GENERATION):
            page.goto(artifact_url(made[kind]))
            page.get_by_role("heading", level=2).first.wait_for(timeout=30_000)
            page.screenshot(path=SCREENSHOTS / f"artifact-{kind.value}.png")
        browser.close()
