"""Nothing that stands in the data becomes an element or an attribute of a page: every text field of the model is attacked."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

import pytest

from prefect_sluice.reporting.report.html import page
from prefect_sluice.reporting.report.model import Report
from prefect_sluice.reporting.status_page import EnvironmentCard, standing_page
from prefect_sluice.reporting.styled_text import clean
from tests.reporting.planted import TOKEN, Maker, with_texts
from tests.reporting.reported import ATTACKS, NOW
from tests.reporting.test_report import Seen

BREAKS = (
    *ATTACKS,
    "]]><img src=x onerror=stolen>",
    "x\" autofocus onfocus=stolen y='",
    "{{ 7 * 7 }}{% raw %}",
    "--><svg/onload=stolen>",
    "\u2066\u202e\x00<b>",
    " JavaScript:stolen//",
)
UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
TEMPLATES = files("prefect_sluice.reporting.report") / "templates"


def report_page(seed: int, put: Callable[[str], str]) -> str:
    return page(with_texts(Maker(seed).make(Report), put), limit=10**9)


def stands_page(seed: int, put: Callable[[str], str]) -> str:
    maker = Maker(seed)
    stands = [with_texts(maker.make(EnvironmentCard), put) for _ in range(3)]
    return standing_page(stands, NOW, put(maker.text()))


PAGES: dict[str, Callable[[int, Callable[[str], str]], str]] = {"report": report_page, "status": stands_page}


def shape(text: str) -> Sequence[tuple[str, Sequence[str]]]:
    """Return the elements of a page with the names of their attributes."""
    return [(name, sorted(about)) for name, about in Seen(text).tags]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", PAGES)
def test_no_field_of_the_model_can_break_out_of_its_place(name: str, seed: int) -> None:
    make = PAGES[name]
    calm = make(seed, lambda text: text)
    # A half letter is in no record: a digest of it cannot be made.
    for attack in BREAKS if name == "report" else (*BREAKS, "\ud800"):
        hit = make(seed, lambda text, attack=attack: f"{attack}{text}")
        assert shape(hit) == shape(calm), attack
        assert not UNCLEAN.search(hit)
        links = [about["href"] or "" for tag, about in Seen(hit).tags if tag == "a"]
        assert all(link.startswith("#") for link in links), "javascript: is text"


@pytest.mark.parametrize("name", PAGES)
def test_what_is_shown_is_shown_as_it_is(name: str) -> None:
    """Else the test above could pass because nothing of the model is on the page."""
    seen = Seen(PAGES[name](0, lambda text: f"{BREAKS[0]}{text}"))
    shown = set(TOKEN.findall(seen.text))
    assert len(shown) > {"report": 120, "status": 15}[name]
    assert seen.text.count(clean(BREAKS[0])) >= len(shown)


def test_every_field_of_the_report_is_filled() -> None:
    """A field that the maker left out would not be attacked."""
    made: Report = Maker(0).make(Report)
    empty = [each.name for each in dataclasses.fields(made) if getattr(made, each.name) in (None, (), "", {})]
    assert empty == []


def test_web_addresses_of_the_model_are_links() -> None:
    hit = report_page(0, lambda text: f'https://example.com/?q="><b>&{text}')
    links = [about["href"] or "" for tag, about in Seen(hit).tags if tag == "a"]
    assert [link for link in links if link.startswith('https://example.com/?q="><b>&')]


def test_templates_put_text_into_quoted_places_only() -> None:
    """What is escaped is safe between tags and in quotes, and nowhere else. Only style and script are put in as they are."""
    for each in sorted(TEMPLATES.iterdir(), key=lambda one: one.name):
        text = each.read_text(encoding="utf-8")
        assert re.findall(r"(\w+) \| safe", text) == (
            ["style", "script"] if each.name == "sheet.html" else []
        )
        assert not re.search(r"autoescape|Markup|=\s*\{\{|<!--", text), each.name
        assert not re.search(r"<[^>{]*\{\{[^}]*\}\}(?![^<]*[\">])", _without_texts(text)), each.name
        assert not re.search(r"\b(?:style|on\w+|src)\s*=\s*[\"']", text), each.name


def _without_texts(text: str) -> Any:
    """Return the tags of a template alone."""
    return "\n".join(re.findall(r"<[a-z][^>]*>", re.sub(r"\{%.*?%\}|\{#.*?#\}", "", text, flags=re.DOTALL)))
