"""A day in Prefect's UI, told by what the eye sees: released, asked again, rejected, approved, promoted, rolled back, skipped.

Each chapter begins where the one before ended, since each run costs ten seconds. Its pictures are in build/screenshots.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import expect, sync_playwright

from prefect_sluice.cli import main
from tests.browser.prefect_pages import Prefect, opened, until
from tests.browser.shop import CUSTOMERS, SALES, SETTINGS, Shop
from tests.browser.test_report import FLAGS, NAMES
from tests.policies import put_in_force

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("prefect-ui"),
]


def _program() -> str:
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium here, so nobody looked at the Prefect UI (apt-get install chromium)")
    return program


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _up(folder: Path, home: Path) -> Generator[dict[str, str]]:
    """Have `sluice up --open` for a project, and give what it prints: `ui` is where the browser is sent."""
    opened = home.with_name("opened")
    browser = home.with_name("browser")
    browser.write_text(
        f'#!/bin/sh\nprintf %s "$1" > {opened}.new && mv {opened}.new {opened}\n', encoding="utf-8"
    )
    browser.chmod(0o755)
    environ = {**os.environ, "PREFECT_HOME": str(home), "BROWSER": f"{browser} %s"}
    environ.pop("PREFECT_API_URL", None)
    port = str(_free_port())
    command = ["-m", "prefect_sluice.cli", "up", "-C", str(folder), "--port", port, "--open", "--json"]
    with subprocess.Popen(
        [sys.executable, *command], env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            until("the browser is opened", opened.exists)
            assert opened.read_text(encoding="utf-8") == told["ui"]
            yield told
        finally:
            process.terminate()
            process.wait(60)


def _served(shop: Shop, table: str) -> list[tuple[Any, ...]]:
    def rows() -> Any:
        with suppress(duckdb.IOException):  # somebody else has the file just now
            return shop.read("prod", table)

    return until(f"{table} can be read", rows)


class Story:
    """The shop, and what happens to it in the browser. `commits` are the first, an engineer's, and one more on dev."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        settings = shop.folder / "sluice.yml"
        settings.write_text(SETTINGS.replace("approvals: 1", "approvals: 0"), encoding="utf-8")
        shop.commit("Nobody is asked yet", sales=SALES.format(1))
        self._released("prod")
        put_in_force(shop.folder, SETTINGS)
        self.change = shop.commit("Count the amounts twice", sales=SALES.format(2))
        shop.commit("Thrice, and who paid", sales=SALES.format(3), customers=CUSTOMERS.format("sum(amount)"))
        self._released("dev")

    def _released(self, environment: str) -> None:
        assert main(["release", "--env", environment, "-C", str(self.shop.folder), "--via", "local"]) == 0

    @property
    def sales(self) -> list[int]:
        """The amounts that production's readers find."""
        return [amount for _, amount in _served(self.shop, "sales")]

    @property
    def customers(self) -> list[tuple[Any, ...]]:
        """The customers that production's readers find."""
        return _served(self.shop, "customers")


def test_a_day_in_the_prefect_ui(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = _program()
    story = Story(Shop(tmp_path / "shop"))
    with _up(story.shop.folder, tmp_path / "home") as told, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        prefect = Prefect(told["ui"], opened(browser))
        try:
            a_stranger_says_yes_and_an_approver_no(prefect, story)
            an_engineer_releases_and_another_approves(prefect, story)
            an_analyst_promotes_one_dashboard(prefect, story)
            on_call_goes_back(prefect, story)
            the_night_is_skipped(prefect)
            on_call_lifts_what_the_rollback_placed(prefect, told["reports"])
            who_was_not_there_reads_it_in_the_list(prefect)
        except BaseException:
            prefect.shot("failed")
            raise
        finally:
            browser.close()


def _asked(prefect: Prefect, story: Story, picture: str = "") -> str:
    """Have Ada ask for the release of her change in the form; return the run that waits for a yes."""
    prefect.form("release")
    prefect.fill(Environment="prod", Commit=story.change, Your_name="Ada")
    if picture:
        prefect.shot(picture, dark=True)
    run = prefect.submit()
    prefect.away()
    assert prefect.settled(run)["name"] == "Suspended"
    prefect.see(run, f"release {story.change[:7]} → prod", "Suspended")
    return run


def a_stranger_says_yes_and_an_approver_no(prefect: Prefect, story: Story) -> None:
    """Who is unknown leaves the run waiting, and the form says why. A no ends it: grey, with who and why."""
    prefect.page.goto(prefect.start)
    expect(prefect.page.get_by_role("link", name="nightly-refresh", exact=True).first).to_be_visible()
    prefect.shot("deployments")
    run, name = _asked(prefect, story, "release-form"), f"release {story.change[:7]} → prod"
    prefect.shot("release-waits", dark=True)

    prefect.artifact("diff-prod")
    for told in ("What changes for prod", "10 → 20"):
        expect(prefect.page.get_by_text(told).first).to_be_visible()
    expect(prefect.page.locator("svg[id^=mermaid]").get_by_text("reads it")).to_be_visible()
    prefect.shot("release-diff", dark=True, whole=True)

    prefect.see(run, name, "Suspended")
    told = prefect.question()
    expect(told.get_by_text("What changes in prod for Sales team")).to_be_visible()
    prefect.shot("release-question", dark=True)
    assert prefect.answer(run, "approve", "Mallory")["name"] == "Suspended"

    prefect.see(run, name, "Suspended")
    told = prefect.question()
    expect(told.get_by_text("Mallory is not one of the approvers of prod")).to_be_visible()
    prefect.shot("release-asks-again", dark=True)
    assert prefect.answer(run, "reject", "Grace", "not on a Friday")["name"] == "Rejected"

    prefect.see(run, name, "Rejected")
    prefect.tab("Details")
    expect(prefect.page.get_by_text("rejected by Grace (unauthenticated): not on a Friday")).to_be_visible()
    prefect.shot("release-rejected")
    assert story.sales == [10, 25, 40]


def an_engineer_releases_and_another_approves(prefect: Prefect, story: Story) -> None:
    """The same change, asked for again, approved by another person than its author: production has it."""
    run = _asked(prefect, story)
    prefect.question()
    assert prefect.answer(run, "approve", "Grace", "as agreed")["name"] == "Released"
    prefect.see(run, f"release {story.change[:7]} → prod", "Released")
    prefect.shot("release-done", dark=True)
    prefect.tab("Task Runs")
    expect(prefect.page.get_by_text("Monitor", exact=True).first).to_be_visible()
    prefect.shot("release-tasks", whole=True)
    prefect.artifact("generation-prod")
    expect(prefect.page.get_by_text("prod serves generation 2").first).to_be_visible()
    prefect.shot("release-generation")
    assert (story.sales, story.customers) == ([20, 50, 80], [("Ann", 2), ("Ben", 1)])


def an_analyst_promotes_one_dashboard(prefect: Prefect, story: Story) -> None:
    """Picked from the list, by the name that analysts know; what other dashboards read stays as it is."""
    prefect.form("promote-report")
    prefect.page.get_by_label("Select Report").click()
    prefect.shot("promote-reports")
    prefect.page.get_by_role("option").filter(has_text="Sales (dashboard), Sales team").click()
    prefect.fill(Your_name="Anna")
    prefect.shot("promote-form")
    run = prefect.submit()
    prefect.away()
    state = prefect.settled(run)
    assert state["name"] == "Suspended", state
    prefect.page.goto(f"{prefect.url}/v2/runs/flow-run/{run}")
    told = prefect.question()
    expect(told.get_by_text("Only Sales dashboard. Written by Ada: ")).to_be_visible()
    expect(told.get_by_text("Thrice, and who paid")).to_be_visible()
    prefect.shot("promote-question", dark=True)
    assert prefect.answer(run, "approve", "Grace")["name"] == "Released"
    prefect.page.goto(f"{prefect.url}/v2/runs/flow-run/{run}")
    expect(prefect.page.get_by_text("promote Sales dashboard → prod", exact=True).first).to_be_visible()
    prefect.artifact("dashboard-prod")
    prefect.shot("promote-dashboard")
    assert (story.sales, story.customers) == ([30, 75, 120], [("Ann", 2), ("Ben", 1)])


def on_call_goes_back(prefect: Prefect, story: Story) -> None:
    """First without a reason, which the form refuses; then to the generation from the list. Who alone reaches the server need
    not say who it is."""
    prefect.form("rollback")
    prefect.refused("Why is missing")
    prefect.shot("rollback-refused")
    prefect.fill(Back_to="prod 1 - ", Why="sales are counted thrice", Your_name="Olga")
    prefect.shot("rollback-form")
    run = prefect.submit()
    prefect.see(run, "rollback to generation 1 → prod", "Released")
    prefect.logged(run, "sales are counted thrice")
    expect(prefect.page.get_by_text("prod is held: no release and no refresh until")).to_be_visible()
    prefect.shot("rollback-done", whole=True)
    assert story.sales == [10, 25, 40]


def the_night_is_skipped(prefect: Prefect) -> None:
    """The hold that the rollback left stops the refresh, which says whose it is and why."""
    prefect.form("nightly-refresh")
    run = prefect.submit()
    prefect.away()
    assert prefect.settled(run)["name"] == "Skipped"
    prefect.page.goto(f"{prefect.url}/v2/runs/flow-run/{run}")
    prefect.tab("Details")
    expect(prefect.page.get_by_text("sales are counted thrice").first).to_be_visible()
    prefect.shot("night-skipped")


def on_call_lifts_what_the_rollback_placed(prefect: Prefect, status: str) -> None:
    """From the page that says what serves: one click leads to the form, filled in but for why and who."""
    prefect.page.goto(status)
    expect(prefect.page.get_by_role("heading", name="prod")).to_be_visible()
    prefect.shot("status", dark=True)
    prefect.page.get_by_role("link", name="lift it").click()
    expect(prefect.page.get_by_label("What to do").first).to_have_text(re.compile("lift the hold"))
    prefect.fill(Why="mended", Your_name="Olga")
    prefect.shot("controls-form")
    run = prefect.submit()
    prefect.away()
    assert prefect.settled(run)["name"] == "Lifted"


def who_was_not_there_reads_it_in_the_list(prefect: Prefect) -> None:
    """The list of runs has each by name and outcome."""
    prefect.page.goto(f"{prefect.url}/v2/runs")
    for state in ("Rejected", "Released", "Skipped"):
        expect(prefect.page.get_by_text(state, exact=True).first).to_be_visible()
    prefect.shot("runs", dark=True, whole=True)
