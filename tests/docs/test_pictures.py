"""The docs' pictures are those that the browser test takes, all of them are shown, and none is large."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.browser.pictures import PICTURES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "pictures"
LARGEST = 150_000
"""Bytes: a page of docs with four of them opens at once on a slow line."""


def test_the_docs_have_the_pictures_that_the_browser_test_takes() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(f"{name}.png" for name in PICTURES)
    story = ast.parse((ROOT / "tests/browser/test_prefect.py").read_text(encoding="utf-8"))
    words = {node.value for node in ast.walk(story) if isinstance(node, ast.Constant)}
    assert set(PICTURES) <= words, "`make pictures` takes them; is one called otherwise now?"


def test_every_picture_is_shown_and_small() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    shown = re.findall(r"!\[[^\]]+\]\([./]*pictures/([\w-]+)\.png\)", pages)
    assert sorted(set(shown)) == sorted(PICTURES)
    assert [path.name for path in FOLDER.iterdir() if path.stat().st_size > LARGEST] == []
