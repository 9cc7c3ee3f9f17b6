"""The artifacts of a run in the Prefect UI, in a real browser: the lineage is drawn, and the links lead there."""

from __future__ import annotations

import http.server
import json
import mimetypes
import shutil
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import prefect
import pytest
from playwright.sync_api import Page, sync_playwright
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.settings import PREFECT_UI_URL, temporary_settings

from prefect_sluice.orchestration.shown.links import artifact_url
from prefect_sluice.reporting.prefect.diff import diff_page, report_page
from prefect_sluice.reporting.prefect.generation import generation_page
from prefect_sluice.reporting.prefect.links import ArtifactKind, RunLinks, key
from prefect_sluice.reporting.prefect.plan import plan_page
from prefect_sluice.reporting.report.make_report import report
from tests.browser import pictures
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


@contextmanager
def _its_ui(api: str) -> Generator[None]:
    """Serve Prefect's second UI, which the tests' server does not, and have links lead there. Pages ask that server's API, and
    nobody else for anything. They come from a server, since a browser keeps no scripts where a test answers in its place."""
    bundle, place = Path(prefect.__ui_v2_static_path__), b"/PREFECT_UI_SERVE_BASE_REPLACE_PLACEHOLDER"
    known = {"api_url": api, "csrf_enabled": False, "auth": None, "flags": [], "default_ui": "v2",
             "available_uis": ["v2"], "v1_base_url": None, "v2_base_url": "/v2"}  # fmt: skip

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            file = bundle / path.removeprefix("/v2/")
            file = file if file.is_file() else bundle / "index.html"
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            body = file.read_bytes().replace(place, b"/v2")
            if path == "/ui-settings":
                kind, body = "application/json", json.dumps(known).encode()
            self.send_response(200)
            headers = {
                "Content-Type": kind,
                "Content-Length": str(len(body)),
                "Cache-Control": "max-age=3600",
            }
            for header, value in headers.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        settings: Any = {PREFECT_UI_URL: f"http://127.0.0.1:{server.server_port}/v2"}
        try:
            with temporary_settings(settings):
                yield
        finally:
            server.shutdown()
            thread.join()


def _shot(page: Page, name: str) -> None:
    if pictures.are_wanted():
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"artifact-{name}.png")


def test_the_diff_is_drawn_and_leads_to_the_rest(prefect_server: str) -> None:
    program = _program()
    with _its_ui(prefect_server), sync_playwright() as playwright:
        made = _made()
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page(viewport={"width": 1300, "height": 1400}, color_scheme="light")
        page.goto(artifact_url(made[ArtifactKind.DIFF]))
        drawn = page.locator("svg[id^=mermaid]").get_by_text("Morning board")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            drawn.wait_for(timeout=60_000)
            _shot(page, f"diff-{scheme}")
        page.get_by_role("link", name="plan", exact=True).click()
        page.get_by_role("heading", name="Plan: release").wait_for(timeout=30_000)
        for kind in (ArtifactKind.REPORT, ArtifactKind.GENERATION):
            page.goto(artifact_url(made[kind]))
            page.get_by_role("heading", level=2).first.wait_for(timeout=30_000)
            _shot(page, kind.value)
        browser.close()
