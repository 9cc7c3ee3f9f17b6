"""Prefect's pages as people use them: forms, runs, artifacts, the resume dialog. What is known here is what the eye sees."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, Locator, Page, Request, expect
from playwright.sync_api import TimeoutError as TooLate

from tests.browser import pictures
from tests.browser.test_report import SCREENSHOTS

PATIENCE = 90
"""Seconds that a run may take from one state to the next, on a busy machine."""

_PATIENCE_MS = 30_000
"""Milliseconds that a page may take to show what is there."""

_FEW_FRAMES = """
window.requestAnimationFrame = (draw) => setTimeout(() => draw(performance.now()), 200);
window.cancelAnimationFrame = clearTimeout;
"""
"""The graph of a run is drawn anew sixty times a second, by the processor where there is no other: it keeps one of two busy."""

_MENU_MS = 3_000
"""Milliseconds until an entry of an open menu can be pressed."""

_LIST_MS, _TURNS = 10_000, 5
"""Milliseconds until a line of an open list can be pressed, and how often a list that closed is opened again."""

_WHEEL = 10
"""How often the mouse's wheel is turned until the end of a log is in sight."""

_PRESS_MS = 10_000
"""Milliseconds from a press on a form's button to its request: the form asks the server first whether its values are valid."""


CLICKS: list[str] = []
"""A place for each click of the mouse in the pages."""
_TABLE = Path(__file__).parents[2] / "docs" / "prefect" / "status.md"


@contextmanager
def costs(act: str, *, column: int) -> Generator[None]:
    """Have the block cost as many clicks as the docs say that an act does. `column` of their table is where it begins."""
    rows = [
        line.split("|")[1:-1] for line in _TABLE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"
    ]
    [told] = [row[column].strip() for row in rows if row[0].strip() == act]
    before = len(CLICKS)
    yield
    clicks = len(CLICKS) - before
    assert clicks == int(told[0]), f"{act}: {clicks} clicks, and the docs say {told!r}"


def until(what: str, found: Callable[[], Any]) -> Any:
    """Return what `found` finds, as soon as it is something."""
    end = time.monotonic() + PATIENCE
    while not (answer := found()):
        assert time.monotonic() < end, f"{what}: not within {PATIENCE} s"
        time.sleep(0.4)
    return answer


def opened(browser: Browser) -> Page:
    """Open a page. The browser's flags keep it from other machines. A route of Playwright's would, too, but it switches the
    browser's cache off: each page then loads and compiles all of Prefect's scripts anew."""
    context = browser.new_context(
        viewport={"width": 1300, "height": 1100}, color_scheme="light", reduced_motion="reduce"
    )
    cast(Any, context).expose_function("sluiceClicked", lambda: CLICKS.append(""))
    context.add_init_script(_FEW_FRAMES)
    context.add_init_script("addEventListener('pointerdown', () => window.sluiceClicked(), true)")
    context.set_default_timeout(_PATIENCE_MS)
    expect.set_options(timeout=_PATIENCE_MS)
    return context.new_page()


def fill(place: Locator, label: str, value: str, *, by_keys: bool = False) -> None:
    """Fill in the field of that label: choose the line that holds `value` where it is a list (without the mouse `by_keys`),
    else type."""
    field = place.get_by_label(label).first
    if by_keys:
        field.press("Enter")
        field.page.keyboard.type(value)
        field.page.keyboard.press("Enter")
        expect(field).to_have_text(value)
    elif field.get_attribute("aria-haspopup") == "listbox":
        _choose(field, value)
    else:
        field.fill(value)


def _choose(field: Locator, value: str) -> None:
    """Choose the line that holds `value` of a field's list. On a slow machine the page may draw the form anew, which closes a
    list that was just opened: it is opened again, and only the clicks that chose count."""
    for _ in range(_TURNS):
        before = len(CLICKS)
        field.click()
        try:
            field.page.get_by_role("option").filter(has_text=value).first.click(timeout=_LIST_MS)
        except TooLate:
            del CLICKS[before:]
        else:
            return
    raise AssertionError(f"{value!r} cannot be chosen: the list does not stay open")


@dataclass(frozen=True)
class Prefect:
    """One server's pages, in one browser's page, and its API, to see when there is something new to look at. `start` is the
    page with the forms, `status` the one that says what serves."""

    start: str
    page: Page
    status: str
    api: httpx.Client

    @property
    def url(self) -> str:
        """Where the server is."""
        return self.start.removesuffix("/v2/deployments")

    def ask(self, path: str, body: object = None) -> Any:
        """Ask the API, as a page does."""
        answer = self.api.get(path) if body is None else self.api.post(path, json=body)
        return answer.raise_for_status().json()

    def shot(self, name: str, *, dark: bool = False, whole: bool = False) -> None:
        """Keep a picture of the page where pictures are asked for; on demand also one in dark colours, and of more than is seen
        at once."""
        if pictures.are_wanted():
            self.keep(name, whole=whole)
            pictures.take(self.page, name)
            if dark:
                self.page.emulate_media(color_scheme="dark")
                self.keep(f"{name}-dark", whole=whole)
                self.page.emulate_media(color_scheme="light")

    def keep(self, name: str, *, whole: bool = False) -> None:
        """Keep a picture of the page, to be looked at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"prefect-{name}.png", full_page=whole, animations="disabled")

    def form(self, deployment: str) -> None:
        """Come to the form of a Prefect deployment, by the menu of its row."""
        self.page.goto(self.start)
        link = self.page.get_by_role("link", name=deployment, exact=True)
        menu = self.page.get_by_role("row").filter(has=link).get_by_role("button", name="Open menu")
        for _ in range(3):  # the list is drawn again when news come, and closes a menu that was opened before
            menu.click()
            with suppress(TooLate):
                self.page.get_by_role("menuitem", name="Custom Run").click(timeout=_MENU_MS)
                break
        self._has_its_defaults()

    def _has_its_defaults(self) -> None:
        """Wait for what is filled in, which takes a moment: a form that is sent before is refused."""
        expect(self.page.get_by_label("Select Environment")).to_have_text(re.compile("dev|prod"))

    def home(self) -> None:
        """Come to the page that says what serves, as its bookmark does."""
        self.page.goto(self.status)
        expect(self.page.get_by_role("heading", name="prod")).to_be_visible()

    def follow(self, link: str, *, into: str = "prod") -> None:
        """Press a link of that page, in the part of an environment, and come to a form that is filled in."""
        part = self.page.locator("section").filter(has=self.page.get_by_role("heading", name=into))
        part.get_by_role("link", name=link, exact=True).first.click()
        if not link.startswith("say "):
            self._has_its_defaults()

    def fill(self, **fields: str) -> None:
        """Fill in fields of the form, by label; a blank of a label is an underscore here."""
        for label, value in fields.items():
            fill(self.page.locator("form"), label.replace("_", " "), value)

    def submit(self) -> str:
        """Send the form, and return the run's id."""
        before = self.newest()
        self._sent(self.page.get_by_role("button", name="Submit"), "/create_flow_run")
        expect(self.page.get_by_text("scheduled to start now")).to_be_visible()
        return until("the run is there", lambda: (run := self.newest()) != before and run)

    def away(self) -> None:
        """Look away: the page of a run that goes on is drawn again and again, by the processor that the run needs. Of the same
        server, since the browser ends the process that has Prefect's scripts where it goes elsewhere."""
        self.page.goto(f"{self.url}/api/health")

    def say_yes(self) -> None:
        """Press the link of that kind at the end of the log of a run that waits, which opens a page of its own."""
        log = self.page.get_by_role("log")
        link = log.locator("a[href*='approve']").first
        for _ in range(_WHEEL):  # of a long log only what is in sight is there
            if link.is_visible():
                break
            log.hover()
            self.page.mouse.wheel(0, 5000)
            with suppress(AssertionError):
                expect(link).to_be_visible(timeout=_MENU_MS)
        with self.page.context.expect_page() as opened:
            link.click()
        self.page.goto(opened.value.url)
        opened.value.close()
        expect(self.page.get_by_label("Select Decision")).to_have_text(re.compile("approve"))

    def refused(self, *reasons: str, press: str) -> None:
        """Send the form by a key, and see why it is not taken. No run comes of it."""
        before = self.newest()
        self.page.get_by_role("button", name="Submit").press(press)
        for reason in reasons:
            expect(self.page.locator("form").get_by_text(reason)).to_be_visible()
        expect(self.page.get_by_text("Validation failed")).to_be_visible()
        assert self.newest() == before

    def _sent(self, button: Locator, path: str) -> None:
        """Press a form's button until the form is sent, to that path. Prefect's forms compare with the errors of the check
        before: a press on a form that had one is taken as a wish to check it again, at times, and sends nothing."""

        def ours(request: Request) -> bool:
            return request.method == "POST" and urlsplit(request.url).path.endswith(path)

        for _ in range(3):
            with suppress(TooLate):
                with self.page.expect_request(ours, timeout=_PRESS_MS) as sent:
                    button.click()
                answer = sent.value.response()
                if (
                    answer is not None and answer.status < 500
                ):  # SQLite is locked at times; a person presses again
                    return
            del CLICKS[-1:]  # of a press that was not taken no act is made
        told = self.page.locator("[data-sonner-toast]").all_inner_texts()
        raise AssertionError(f"the form was not sent to {path}; Prefect says {told}")

    def newest(self) -> str:
        """Return the id of the newest run, "" before the first."""
        found = self.ask("/flow_runs/filter", {"sort": "EXPECTED_START_TIME_DESC", "limit": 1})
        return found[0]["id"] if found else ""

    def state(self, run: str) -> dict[str, Any]:
        """Return a run's state, as the API tells it."""
        return self.ask(f"/flow_runs/{run}")["state"]

    def settled(self, run: str, *, after: str = "") -> dict[str, Any]:
        """Return a run's state, once it waits for somebody or has ended. `after` is the state that it was in before."""
        still = {"SCHEDULED", "PENDING", "RUNNING", "CANCELLING"}

        def found() -> Any:
            state = self.state(run)
            return state if state["type"] not in still and state["id"] != after else None

        return until(f"run {run} has settled", found)

    def see(self, run: str, name: str, state: str) -> None:
        """Open a run's page, and see its name and its state."""
        self.page.goto(f"{self.url}/v2/runs/flow-run/{run}")
        for told in (name, state):
            expect(self.page.get_by_text(told, exact=True).first).to_be_visible(timeout=PATIENCE * 1000)

    def logged(self, run: str, text: str) -> None:
        """See a text in a run's log. The page of a run that has ended does not ask again for what comes late."""

        def there() -> Any:
            lines = self.ask("/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
            return any(text in line["message"] for line in lines)

        until(f"{text!r} is in the log", there)
        self.page.reload()
        expect(self.page.get_by_text(text).first).to_be_visible()

    def tab(self, name: str) -> None:
        """Open a tab of a run."""
        self.page.get_by_role("tab", name=name).click()

    def artifact(self, name: str) -> None:
        """Open the newest artifact of a key, from the page of its run."""
        self.tab("Artifacts")
        self.page.get_by_role("link", name=name).first.click()
        self.page.locator("a[href*='/artifacts/artifact/']").first.click()
        expect(self.page.get_by_role("tab", name="Raw")).to_be_visible()

    def question(self) -> Locator:
        """Open the question that the run waits with, from the page of the run."""
        self.page.get_by_role("button", name="Open menu").last.click()
        self.page.get_by_role("menuitem", name="Resume").click()
        dialog = self.page.get_by_role("dialog")
        expect(dialog.get_by_label("Your name")).to_be_visible()
        return dialog

    def answer(self, run: str, decision: str, name: str, comment: str = "") -> dict[str, Any]:
        """Answer the question that is open, and return the state that comes of it."""
        dialog, before = self.page.get_by_role("dialog"), self.state(run)["id"]
        fill(dialog, "Decision", decision)
        fill(dialog, "Your name", name)
        fill(dialog, "Comment", comment)
        self._sent(dialog.get_by_role("button", name="Resume"), "/resume")
        expect(dialog).to_be_hidden()
        self.away()
        return self.settled(run, after=before)
