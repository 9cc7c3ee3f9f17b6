"""The pages of a report and of the status in a real browser, from a file: they show, fold, scroll, change their colours, and
ask for nothing.

Screenshots of each page go to build/screenshots, to be looked at.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from prefect_sluice.reporting.report.html import page as made_page
from prefect_sluice.reporting.report.make_report import report
from prefect_sluice.reporting.status_page import standing_page
from tests.reporting.reported import ATTACKS, FULL, NOW, STANDS, WAITING, attacked, huge
from tests.reporting.test_no_markup import BREAKS
from tests.reporting.test_no_markup import PAGES as ATTACKED

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# --no-sandbox: CI often runs as root. The rest keeps it from looking for updates, for Google and for any other machine.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # fmt: skip
PAGES: dict[str, Callable[[], str]] = {
    "refused": lambda: made_page(report(FULL)),
    "waiting": lambda: made_page(report(WAITING)),
    "attacked": lambda: made_page(report(attacked(ATTACKS[1]))),
    "huge": lambda: made_page(report(huge(60, rows=12))),
    "status": lambda: standing_page(STANDS, NOW, "http://127.0.0.1:4200/v2/deployments"),
}
SCHEMES = ("light", "dark")
WIDTHS = {"wide": 1280, "phone": 390}
PHONE: dict[str, Any] = {"viewport": {"width": WIDTHS["phone"], "height": 850}}
_FINGER = 24
"""Pixels that a target to tap must have at least (WCAG 2.2, 2.5.8); links in a sentence need not."""

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


# Of this module, not of the session: while Playwright runs, its event loop runs in this thread, and no other can.
@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Start the system's Chromium; without one, these tests are skipped."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(
            "no Chromium here, so the report's page was not looked at in a browser (apt-get install chromium)"
        )
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each page as a file."""
    folder = tmp_path_factory.mktemp("reports")
    for name, made in PAGES.items():
        (folder / f"{name}.html").write_text(made(), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in PAGES}


@contextmanager
def opened(browser: Browser, file: Path, **how: Any) -> Generator[Page]:
    """Open a page; fail if it complains, breaks, or asks for anything but itself."""
    context = cast(Any, browser).new_context(**{"viewport": {"width": 1200, "height": 850}, **how})
    page = cast(Page, context.new_page())
    complaints: list[str] = []

    def asked_for(what: Request) -> None:
        if what.url != file.as_uri():
            complaints.append(what.url)

    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", asked_for)
    page.goto(file.as_uri())
    yield page
    context.close()
    assert complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_it_fits_every_screen_in_every_colour(name: str, browser: Browser, files: dict[str, Path]) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for size, width in WIDTHS.items():
        for scheme in SCHEMES:
            how = {"viewport": {"width": width, "height": 850}, "color_scheme": scheme}
            with opened(browser, files[name], **how) as page:
                page.screenshot(path=SCREENSHOTS / f"{name}-{size}-{scheme}.png", full_page=name != "huge")
                page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
                wide, seen = page.evaluate(
                    "(({scrollWidth, clientWidth}) => [scrollWidth, clientWidth])(document.documentElement)"
                )
                assert wide <= seen <= width


@pytest.mark.parametrize("name", ["refused", "status"])
def test_a_finger_hits_what_it_is_meant_for(name: str, browser: Browser, files: dict[str, Path]) -> None:
    with opened(browser, files[name], **PHONE) as page:
        found = page.locator("nav a, .ways a, button, summary").all()
        heights = [box["height"] for one in found if (box := one.bounding_box())]
    assert len(heights) > 8
    assert min(heights) >= _FINGER


def test_no_word_of_a_table_is_broken_on_a_phone(browser: Browser, files: dict[str, Path]) -> None:
    """A table that is too wide scrolls in its frame."""
    with opened(browser, files["refused"], **PHONE) as page:
        lines = page.evaluate("""() => [...document.querySelectorAll('.card td')].map((cell) => {
          cell.textContent = 'average_basket_by_month';
          const text = document.createRange(); text.selectNodeContents(cell);
          return text.getClientRects().length;
        })""")
    assert lines == [1, 1, 1]


# Of each row that is stacked: what shows of its labels, and how far left its values and how far right all of it reaches.
STACKED = """
() => [...document.querySelectorAll('.scroll:not(.fit) td:not(:empty)')].filter((cell) => cell.checkVisibility()).map((cell) => {
  const before = getComputedStyle(cell, '::before'), text = document.createRange(), own = cell.getBoundingClientRect();
  text.selectNodeContents(cell);
  const parts = [...text.getClientRects()].filter((part) => part.width);
  const label = cell.dataset.label, title = !label && !cell.previousElementSibling;
  return {
    told: cell.textContent,
    label: !label || before.content === JSON.stringify(label) && before.display === 'block' && before.visibility === 'visible',
    beside: title || Math.min(...parts.map((part) => part.left)) >= own.left + 6 * 16,
    right: Math.max(...parts.map((part) => part.right)),
  };
})
"""


@pytest.mark.parametrize("name", ["refused", "waiting", "huge", "attacked"])
def test_a_row_on_a_phone_is_a_block_with_each_value_beside_its_label(
    name: str, browser: Browser, files: dict[str, Path]
) -> None:
    """Also a value of several pieces, such as what a column goes into; and a value without a label stands below the others."""
    with opened(browser, files[name], **PHONE) as page:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        cells = page.evaluate(STACKED)
        heads = page.locator(".scroll:not(.fit) thead:visible").count()
    assert len(cells) > 40
    assert heads == 0
    assert [cell for cell in cells if not cell["label"]] == []
    assert [cell for cell in cells if not cell["beside"] or cell["right"] > WIDTHS["phone"]] == []


@pytest.mark.parametrize("name", ["refused", "attacked"])
def test_no_label_is_broken_or_covered_on_a_phone(
    name: str, browser: Browser, files: dict[str, Path]
) -> None:
    """Beside a value that is long, and above a first column that is."""
    with opened(browser, files[name], **PHONE) as page:
        lines, over = page.evaluate("""() => {
          const all = document.createRange();
          const text = (it) => { all.selectNodeContents(it); return all.getBoundingClientRect(); };
          const heads = [...document.querySelectorAll('.fit th')].filter((it) => it.checkVisibility());
          return [
            [...document.querySelectorAll('.finding dt')].map((it) => text(it).height),
            heads.filter((it) => text(it).right > it.getBoundingClientRect().right).map((it) => it.textContent),
          ];
        }""")
    assert lines
    assert max(lines) < _FINGER
    assert over == []


def test_a_wide_table_keeps_its_first_column_where_it_scrolls(
    browser: Browser, files: dict[str, Path]
) -> None:
    """The rows of a diff on a phone: whose they are is seen beside the last column, and on a ground of its own."""
    with opened(browser, files["refused"], **PHONE) as page:
        frame = page.get_by_role("region", name="rows of daily")
        frame.evaluate("(it) => { it.scrollLeft = it.scrollWidth; }")
        key = frame.locator("tbody td").first
        seen, last = key.bounding_box(), frame.locator("thead th").last.bounding_box()
        grounds = [one.evaluate("(it) => getComputedStyle(it).backgroundColor") for one in
                   (key, frame.locator("thead th").first)]  # fmt: skip
        moved = frame.evaluate("(it) => it.scrollLeft")
    assert seen is not None
    assert last is not None
    assert moved > 0
    assert 0 <= seen["x"] < seen["x"] + seen["width"] <= last["x"] < WIDTHS["phone"]
    assert "rgba(0, 0, 0, 0)" not in grounds


def test_a_verdict_beside_a_long_name_is_no_taller_on_a_phone(
    browser: Browser, files: dict[str, Path]
) -> None:
    with opened(browser, files["refused"], **PHONE) as page:
        pills = page.locator("#changes td .pill").all()
        boxes = [box["height"] for one in pills if (box := one.bounding_box())]
    assert boxes
    assert max(boxes) < _FINGER


# The colours as the browser computes them: text against the nearest ground under it, or against its box in a drawing.
CONTRAST = """
() => {
  const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const box = at.tagName === 'g' && at.querySelector('rect');
      const found = rgba(box ? getComputedStyle(box).fill : getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255, 255];
  };
  const poor = [];
  let seen = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || ['SCRIPT', 'TITLE', 'title'].includes(node.tagName)) continue;
    if (!node.checkVisibility()) continue;
    seen += 1;
    const style = getComputedStyle(node);
    const text = rgba(node.tagName === 'text' ? style.fill : style.color);
    const [a, b] = [light(text), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const told = walk.currentNode.data.trim().slice(0, 40);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)}: ${told} <${node.tagName} ${node.className}>`);
  }
  return {poor: [...new Set(poor)], seen};
}
"""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("name", "texts"), [("refused", 100), ("waiting", 100), ("status", 30)])
def test_every_text_stands_out_from_its_ground(
    name: str, texts: int, scheme: str, browser: Browser, files: dict[str, Path]
) -> None:
    with opened(browser, files[name], color_scheme=scheme) as page:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        found = page.evaluate(CONTRAST)
    assert found["seen"] > texts
    assert found["poor"] == []


def test_poor_contrast_would_be_seen(browser: Browser, files: dict[str, Path]) -> None:
    with opened(browser, files["refused"]) as page:
        page.evaluate("document.querySelector('h1').style.setProperty('color', '#999')")
        assert any("Count a flight" in line for line in page.evaluate(CONTRAST)["poor"])


@pytest.mark.parametrize("name", PAGES)
def test_every_link_in_the_page_leads_somewhere_and_no_name_is_twice(
    name: str, browser: Browser, files: dict[str, Path]
) -> None:
    with opened(browser, files[name]) as page:
        lost = page.evaluate(
            "[...document.querySelectorAll('a[href^=\"#\"]')].map((a) => a.hash.slice(1))"
            ".filter((id) => !document.getElementById(id))"
        )
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert lost == []
    assert len(ids) == len(set(ids))


def test_all_that_was_found_is_there(browser: Browser, files: dict[str, Path]) -> None:
    with opened(browser, files["refused"]) as page:
        text = page.evaluate("document.body.textContent")
    for finding in (item for each in FULL.reports for item in each.findings):
        assert finding.summary.removeprefix(f"{finding.check}: ") in text


def test_the_first_screen_is_enough_to_decide(browser: Browser, files: dict[str, Path]) -> None:
    """Verdict, what changes, who reads it, the command and what a yes binds are seen without scrolling."""
    with opened(browser, files["waiting"]) as page:
        for text in (
            "WAITING",
            "14 of 16 rows changed",
            "Morning board (Operations)",
            "sluice approve 5e9c1d2f3a",
            "generation 3",
        ):
            box = page.get_by_text(text).first.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 850, text


def test_folded_parts_open_by_keyboard(browser: Browser, files: dict[str, Path]) -> None:
    with opened(browser, files["refused"]) as page:
        fold = page.locator("details", has_text="passed, one by one").first
        inside = fold.locator("table").first
        assert not inside.is_visible()
        fold.locator("summary").first.focus()
        page.keyboard.press("Enter")
        assert inside.is_visible()


def test_a_keyboard_reaches_all_there_is(browser: Browser, files: dict[str, Path]) -> None:
    with opened(browser, files["refused"]) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        deaf = page.evaluate(
            "[...document.querySelectorAll('.scroll')]"
            ".filter((one) => one.tabIndex !== 0 || !one.getAttribute('aria-label')).length"
        )
    assert deaf == 0


def test_it_reads_well_aloud(browser: Browser, files: dict[str, Path]) -> None:
    with opened(browser, files["refused"]) as page:
        levels = page.evaluate(
            "[...document.querySelectorAll('h1,h2,h3,h4')].map((one) => Number(one.tagName[1]))"
        )
        bare = page.evaluate("[...document.querySelectorAll('th')].filter((one) => !one.scope).length")
        language, title = page.evaluate("[document.documentElement.lang, document.title]")
        assert page.locator("main").count() == page.locator("h1").count() == 1
        assert page.get_by_role("img", name="Lineage").count() == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert (bare, language, title) == (0, "en", "REFUSED: Count a flight once")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_button_changes_dark_and_light(scheme: str, browser: Browser, files: dict[str, Path]) -> None:
    with opened(browser, files["waiting"], color_scheme=scheme) as page:
        ground = "getComputedStyle(document.body).backgroundColor"
        before = page.evaluate(ground)
        page.get_by_role("button").click()
        after = page.evaluate(ground)
        page.get_by_role("button").click()
        assert page.evaluate(ground) == before != after


def test_the_button_names_the_other_colours_also_when_the_system_changes_them(
    browser: Browser, files: dict[str, Path]
) -> None:
    with opened(browser, files["waiting"], color_scheme="light") as page:
        expect(page.locator("#theme")).to_have_text("Dark")
        page.emulate_media(color_scheme="dark")
        expect(page.locator("#theme")).to_have_text("Light")


def test_it_can_be_read_without_scripts(browser: Browser, files: dict[str, Path]) -> None:
    with opened(browser, files["waiting"], java_script_enabled=False) as page:
        assert page.get_by_text("WAITING").is_visible()
        assert not page.locator("#theme").is_visible()


def test_on_paper_everything_is_unfolded(browser: Browser, files: dict[str, Path]) -> None:
    with opened(browser, files["refused"]) as page:
        assert len(page.pdf()) > 10_000
        assert page.evaluate("[...document.querySelectorAll('details')].every((one) => one.open)")
        page.emulate_media(media="print", color_scheme="dark")
        assert not page.locator("nav").is_visible()
        assert page.evaluate("getComputedStyle(document.querySelector('main')).color") == "rgb(27, 32, 39)"


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_of_the_data_runs(attack: str, browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "attacked.html"
    file.write_text(made_page(report(attacked(attack))), encoding="utf-8")
    with opened(browser, file) as page:
        for link in page.locator("main a:visible").all()[:5]:
            link.hover()
        assert page.evaluate("typeof window.stolen") == "undefined"
        assert page.locator("img, iframe, object").count() == 0


@pytest.mark.parametrize("name", ATTACKED)
def test_nothing_that_any_field_holds_runs(name: str, browser: Browser, tmp_path: Path) -> None:
    """Chromium reads the page of a model attacked in all its text fields as it reads that of a calm one, element by element."""
    outline = "[...document.querySelectorAll('*')].map((one) => [one.tagName, ...one.getAttributeNames()].join(' '))"
    shapes: list[str] = []
    for attack in ("", *BREAKS):
        file = tmp_path / f"{len(shapes)}.html"
        file.write_text(ATTACKED[name](0, lambda text, attack=attack: f"{attack}{text}"), encoding="utf-8")
        with opened(browser, file) as page:
            shapes.append(page.evaluate(outline))
            assert page.evaluate("typeof window.stolen") == "undefined"
    assert all(shape == shapes[0] for shape in shapes)
