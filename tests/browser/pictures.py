"""The pictures in the docs: which of the browser test's, and which part of the page. `make pictures` takes them anew."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tests.browser.test_report import SCREENSHOTS

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = SCREENSHOTS / "docs"
"""Where the browser test puts them, as they are in `docs/pictures` then."""

PICTURES: Mapping[str, tuple[int, int, int, int | str]] = {
    "deployments": (0, 0, 1300, "table"),
    "promote-form": (255, 0, 1045, "form"),
    "promote-dashboard": (255, 130, 620, "[role=tabpanel]"),
    "answer-form": (255, 0, 1045, "form"),
    "release-question": (380, 120, 540, 860),
    "release-diff": (255, 130, 620, "svg[id^=mermaid]"),
    "rollback-form": (255, 0, 1045, "form"),
    "status": (0, 0, 1300, "main"),
}
"""The part of the page by the picture's name: from the left, from the top, width, and height in pixels, or what the picture ends
below: the lowest element of the page that this selects. So nothing is cut when a form gets one more field, or a list a row."""
_BELOW = 14

_END = """
(what) => Math.max(...[...document.querySelectorAll(what)].map(it => it.getBoundingClientRect().bottom)) + window.scrollY
"""

_MARKS = """
([from, to, other, another]) => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) walk.currentNode.data = walk.currentNode.data.replaceAll(from, to).replaceAll(other, another);
}
"""
"""Marks in colour have no letter in the fonts of many servers, where a picture would show an empty box."""


def are_wanted() -> bool:
    """Say whether pictures are to be taken: each costs the browser's processor as much as a page, and a test looks at none."""
    return bool(os.environ.get("SLUICE_TEST_PICTURES"))


def take(page: Page, name: str) -> None:
    """Take the picture of that name for the docs, if they have one."""
    if name in PICTURES:
        left, top, width, height = PICTURES[name]
        FOLDER.mkdir(parents=True, exist_ok=True)
        page.evaluate(_MARKS, "✅✔❌✘")
        if isinstance(height, str):
            height = page.evaluate(_END, height) + _BELOW - top
        page.screenshot(
            path=FOLDER / f"{name}.png",
            clip={"x": left, "y": top, "width": width, "height": height},
            full_page=True,
            animations="disabled",
        )
        page.evaluate(_MARKS, "✔✅✘❌")
