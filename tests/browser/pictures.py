"""The pictures in the docs: which of the browser test's, and which part of the page. `make pictures` takes them anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tests.browser.test_report import SCREENSHOTS

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = SCREENSHOTS / "docs"
"""Where the browser test puts them, as they are in `docs/pictures` then."""

PICTURES: Mapping[str, tuple[int, int, int, int]] = {
    "deployments": (0, 0, 1300, 680),
    "promote-form": (255, 0, 1045, 0),
    "promote-dashboard": (255, 0, 620, 420),
    "answer-form": (255, 0, 1045, 0),
    "release-question": (380, 120, 540, 860),
    "release-diff": (255, 0, 1045, 900),
    "rollback-form": (255, 0, 1045, 0),
    "status": (0, 0, 1300, 500),
}
"""The part of the page by the picture's name: from the left, from the top, width and height, in pixels. Height 0 is down to
the end of the page's form: a form has another height with each field and each line below one."""
_BELOW = 14

_END_OF_FORM = "() => document.querySelector('form').getBoundingClientRect().bottom + window.scrollY"

_MARKS = """
([from, to, other, another]) => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) walk.currentNode.data = walk.currentNode.data.replaceAll(from, to).replaceAll(other, another);
}
"""
"""Marks in colour have no letter in the fonts of many servers, where a picture would show an empty box."""


def take(page: Page, name: str) -> None:
    """Take the picture of that name for the docs, if they have one."""
    if name in PICTURES:
        left, top, width, height = PICTURES[name]
        FOLDER.mkdir(parents=True, exist_ok=True)
        page.evaluate(_MARKS, "✅✔❌✘")
        height = height or page.evaluate(_END_OF_FORM) + _BELOW
        page.screenshot(
            path=FOLDER / f"{name}.png",
            clip={"x": left, "y": top, "width": width, "height": height},
            full_page=True,
            animations="disabled",
        )
        page.evaluate(_MARKS, "✔✅✘❌")
