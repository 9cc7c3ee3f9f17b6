"""A day in Prefect's UI, told by what the eye sees: rejected, released, asked again, approved, promoted, rolled back, skipped.

Each chapter begins where the one before ended, since each run costs ten seconds. `make pictures` has it leave pictures
in build/screenshots.
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
import httpx
import psutil
import pytest
from playwright.sync_api import expect, sync_playwright

from prefect_sluice.cli import main
from tests.browser.prefect_pages import Prefect, costs, fill, opened, until
from tests.browser.shop import CUSTOMERS, SALES, SETTINGS, Shop
from tests.browser.test_report import FLAGS, NAMES
from tests.policies import put_in_force
from tests.prefect_api import client
from tests.warm_commands import Commands

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(900),
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


def _is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.Error):  # it is gone by now, or its parent has not heard of its end
        return "worker" in process.cmdline()
    return False


@contextmanager
def _warm_runs(commands: Commands, told: dict[str, str], api: httpx.Client) -> Generator[None]:
    """Have the worker of `sluice up` start flow runs that have imported everything. How they start by themselves is seen in
    `tests/local_server/test_up.py`."""
    [worker] = [one for one in psutil.Process().children(recursive=True) if _is_worker(one)]
    with commands.flow_runs(worker.environ()) as command:
        for name in told["deployments"]:
            found = api.get(f"/deployments/name/{name}").raise_for_status().json()["id"]
            changed = {"job_variables": {"command": command}}
            api.patch(f"/deployments/{found}", json=changed).raise_for_status()
        yield


def _served(shop: Shop, table: str) -> list[tuple[Any, ...]]:
    def rows() -> Any:
        with suppress(duckdb.IOException):  # somebody else has the file just now
            return shop.read("prod", table)

    return until(f"{table} can be read", rows)


class Story:
    """The shop, and what happens to it in the browser. `change` is an engineer's commit, staged on the command line and not
    answered; one more is on dev."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        settings = shop.folder / "sluice.yml"
        settings.write_text(SETTINGS.replace("approvals: 1", "approvals: 0"), encoding="utf-8")
        shop.commit("Nobody is asked yet", sales=SALES.format(1))
        self._released("prod")
        put_in_force(shop.folder, SETTINGS)
        self.change = shop.commit("Count the amounts twice", sales=SALES.format(2))
        self._released("prod")
        shop.commit("Thrice, and who paid", sales=SALES.format(3), customers=CUSTOMERS.format("sum(amount)"))
        self._released("dev")

    def _released(self, environment: str) -> None:
        assert main(["release", "--env", environment, "-C", str(self.shop.folder), "--via", "local"]) in {
            0,
            3,
        }  # 3: it waits

    @property
    def sales(self) -> list[int]:
        """The amounts that production's readers find."""
        return [amount for _, amount in _served(self.shop, "sales")]

    @property
    def customers(self) -> list[tuple[Any, ...]]:
        """The customers that production's readers find."""
        return _served(self.shop, "customers")


def test_a_day_in_the_prefect_ui(
    tmp_path: Path, warm_commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    program = _program()
    story = Story(Shop(tmp_path / "shop"))
    with (
        _up(story.shop.folder, tmp_path / "home") as told,
        closing(client(told["api"])) as api,
        _warm_runs(warm_commands, told, api),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        prefect = Prefect(told["ui"], opened(browser), told["reports"], api)
        try:
            an_approver_says_no(prefect, story)
            an_engineer_releases_a_stranger_says_yes_and_an_approver(prefect, story)
            an_analyst_promotes_one_dashboard(prefect, story)
            another_sees_what_a_promotion_would_do(prefect, story)
            on_call_goes_back(prefect, story)
            the_night_is_skipped(prefect)
            on_call_lifts_what_the_rollback_placed(prefect)
            each_branch_is_checked_by_itself(prefect, story)
            who_was_not_there_reads_it_in_the_list(prefect)
        except BaseException:
            prefect.keep("failed")
            raise
        finally:
            browser.close()


def an_approver_says_no(prefect: Prefect, story: Story) -> None:
    """From the page that says what waits: which promotion, and the decision, are filled in. It ends grey, with who and why."""
    prefect.home()
    with costs("say yes or no", column=1):
        prefect.follow("say no")
        expect(prefect.page.get_by_label("Promotion").first).to_have_value(
            re.compile(r"\w+ as [0-9a-f]{8}: Count the amounts twice → prod")
        )
        expect(prefect.page.get_by_label("Select Decision")).to_have_text(re.compile("reject"))
        prefect.shot("answer-form")
        prefect.fill(Your_name="Grace", Comment="not on a Friday")
        run = prefect.submit()
    prefect.away()
    assert prefect.settled(run)["name"] == "Rejected"
    prefect.page.goto(f"{prefect.url}/v2/runs/flow-run/{run}?tab=Details")
    expect(prefect.page.get_by_text("Rejected", exact=True).first).to_be_visible()
    expect(prefect.page.get_by_text("rejected by Grace (unauthenticated): not on a Friday")).to_be_visible()
    prefect.shot("release-rejected")
    assert story.sales == [10, 25, 40]


def an_engineer_releases_a_stranger_says_yes_and_an_approver(prefect: Prefect, story: Story) -> None:
    """The same change, asked for again. Who is unknown leaves the run waiting, and the form says why; after the yes of another
    person than its author production has it."""
    prefect.page.goto(prefect.start)
    expect(prefect.page.get_by_role("link", name="nightly-refresh", exact=True).first).to_be_visible()
    prefect.shot("deployments")
    with costs("release a commit", column=3):
        prefect.form("release")
        prefect.fill(Commit=story.change, Your_name="Ada")
        fill(prefect.page.locator("form"), "Environment", "prod", by_keys=True)
        prefect.shot("release-form", dark=True)
        run = prefect.submit()
    prefect.away()
    assert prefect.settled(run)["name"] == "Suspended"
    name = f"release {story.change[:7]} → prod"
    prefect.see(run, name, "Suspended")
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
    assert prefect.answer(run, "approve", "Grace", "as agreed")["name"] == "Released"

    prefect.see(run, name, "Released")
    prefect.shot("release-done", dark=True)
    prefect.tab("Task Runs")
    expect(prefect.page.get_by_text("Monitor", exact=True).first).to_be_visible()
    prefect.shot("release-tasks", whole=True)
    prefect.artifact("generation-prod")
    expect(prefect.page.get_by_text("prod serves generation 2").first).to_be_visible()
    expect(prefect.page.get_by_role("link", name="form rollback")).to_be_visible()
    prefect.shot("release-generation")
    assert (story.sales, story.customers) == ([20, 50, 80], [("Ann", 2), ("Ben", 1)])


def an_analyst_promotes_one_dashboard(prefect: Prefect, story: Story) -> None:
    """Picked by the name that analysts know, and said yes to from the run's log; what other dashboards read stays as it is."""
    prefect.home()
    with costs("promote a dashboard", column=1):
        prefect.follow("Sales dashboard")
        expect(prefect.page.get_by_label("Select Report")).to_have_text(
            re.compile(r"Sales \(dashboard\), Sales team")
        )
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
    prefect.page.goto(f"{prefect.url}/v2/runs/flow-run/{run}")
    with costs("say yes or no", column=2):
        prefect.say_yes()
        prefect.fill(Your_name="Grace")
        answer = prefect.submit()
    prefect.away()
    assert prefect.settled(answer)["name"] == "Answered"
    assert prefect.settled(run, after=state["id"])["name"] == "Released"
    prefect.page.goto(f"{prefect.url}/v2/runs/flow-run/{run}")
    expect(prefect.page.get_by_text("promote Sales dashboard → prod", exact=True).first).to_be_visible()
    prefect.artifact("dashboard-prod")
    prefect.shot("promote-dashboard")
    assert (story.sales, story.customers) == ([30, 75, 120], [("Ann", 2), ("Ben", 1)])


def another_sees_what_a_promotion_would_do(prefect: Prefect, story: Story) -> None:
    """From the list of deployments, with the other dashboard chosen from the form's own list: what is built, what it is expected
    to cost, and for whom. Nothing changes."""
    with costs("see what a dashboard's promotion would do", column=3):
        prefect.form("plan")
        prefect.fill(What_would_be_done="promote", Report="Customers")
        look = prefect.submit()
    prefect.away()
    planned = prefect.settled(look)
    assert planned["name"] == "Planned", planned
    assert "it reaches Customers. Nothing was changed" in planned["message"]
    prefect.page.goto(f"{prefect.url}/v2/runs/flow-run/{look}")
    prefect.artifact("plan-prod")
    cost = re.compile(r"expected: about .* \(from \d+ builds?\), 2 rows")
    expect(prefect.page.get_by_text(cost).first).to_be_visible()
    prefect.shot("promote-plan")
    assert story.customers == [("Ann", 2), ("Ben", 1)]


def on_call_goes_back(prefect: Prefect, story: Story) -> None:
    """First without a reason, which the form refuses; then to the generation from the list. Who alone reaches the server need
    not say who it is."""
    prefect.home()
    with costs("roll back to another generation", column=1):
        prefect.follow("roll back")
        prefect.fill(Back_to="prod 1 - ", Why="sales are counted thrice", Your_name="Olga")
        prefect.shot("rollback-form")
        prefect.fill(Why="")
        prefect.refused("Why is missing", press="Enter")
        prefect.shot("rollback-refused")
        prefect.fill(Why="sales are counted thrice")
        run = prefect.submit()
    prefect.see(run, "rollback to generation 1 → prod", "Released")
    prefect.logged(run, "sales are counted thrice")
    expect(prefect.page.get_by_text("prod is held: no release and no refresh until")).to_be_visible()
    prefect.shot("rollback-done", whole=True)
    assert story.sales == [10, 25, 40]


def the_night_is_skipped(prefect: Prefect) -> None:
    """The hold that the rollback left stops the refresh, which says whose it is and why, and has the form that lifts it."""
    prefect.home()
    prefect.shot("status", dark=True)
    with costs("refresh now", column=1):
        prefect.follow("refresh")
        run = prefect.submit()
    prefect.away()
    assert prefect.settled(run)["name"] == "Skipped"
    prefect.page.goto(f"{prefect.url}/v2/runs/flow-run/{run}?tab=Details")
    expect(prefect.page.get_by_text("sales are counted thrice").first).to_be_visible()
    expect(prefect.page.get_by_text("form controls, http").first).to_be_visible()
    prefect.shot("night-skipped")


def on_call_lifts_what_the_rollback_placed(prefect: Prefect) -> None:
    """One click leads to the form, filled in but for why and who; and to the other forms of each day."""
    for act, field, filled in (("hold", "What to do", "hold"), ("plan", "What would be done", "release")):
        prefect.home()
        prefect.follow(act)
        expect(prefect.page.get_by_label(field).first).to_have_text(re.compile(filled))
    prefect.home()
    with costs("lift a hold", column=1):
        prefect.follow("lift it")
        expect(prefect.page.get_by_label("What to do").first).to_have_text(re.compile("lift the hold"))
        prefect.fill(Why="mended", Your_name="Olga")
        prefect.shot("controls-form")
        run = prefect.submit()
    prefect.away()
    assert prefect.settled(run)["name"] == "Lifted"


def each_branch_is_checked_by_itself(prefect: Prefect, story: Story) -> None:
    """Two branches, one of which a gate stops. The list of runs shows those of one branch when its name is typed, and the run's
    artifact has what the check found. Nothing that is served changes."""
    served = (story.sales, story.customers)
    tips = {
        "halved": story.shop.branch("halved", "Half of it", sales=SALES.format(0.5)),
        "twins": story.shop.branch(
            "twins", "Each twice", sales=f"{SALES.format(1)} union all {SALES.format(1)}"
        ),
    }
    runs: dict[str, str] = {}
    for branch, state in (("halved", "Checked"), ("twins", "Refused")):
        with costs("check a branch", column=3):
            prefect.form("check")
            prefect.fill(Commit=branch, Your_name="Ada", Environment="prod")
            runs[branch] = prefect.submit()
        prefect.away()
        assert prefect.settled(runs[branch])["name"] == state
    names = {branch: f"check {branch} {commit[:7]} and 2 more → prod" for branch, commit in tips.items()}
    prefect.page.goto(f"{prefect.url}/v2/runs")
    for name in names.values():
        expect(prefect.page.get_by_role("link", name=name)).to_be_visible()
    prefect.page.get_by_placeholder("Search by flow run name").fill("check twins")
    expect(prefect.page.get_by_role("link", name=names["halved"])).to_be_hidden()
    expect(prefect.page.get_by_role("link", name=names["twins"])).to_be_visible()
    prefect.shot("checks-of-a-branch", dark=True)
    prefect.see(runs["twins"], names["twins"], "Refused")
    prefect.artifact("check-report-prod")
    expect(prefect.page.get_by_text(re.compile("unique")).first).to_be_visible()
    prefect.shot("check-report", whole=True)
    assert (story.sales, story.customers) == served


def who_was_not_there_reads_it_in_the_list(prefect: Prefect) -> None:
    """The list of runs has each by name and outcome."""
    prefect.page.goto(f"{prefect.url}/v2/runs")
    for state in ("Rejected", "Released", "Skipped"):
        expect(prefect.page.get_by_text(state, exact=True).first).to_be_visible()
    prefect.shot("runs", dark=True, whole=True)
