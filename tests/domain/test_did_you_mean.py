"""A name that comes near is proposed in one wording, and one that does not is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_sluice.domain.counting import did_you_mean, near

KNOWN = ("orders", "order_items", "customers")
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("word", "most", "text"),
    [
        ("order", 1, "did you mean 'orders'?"),
        ("order", 3, "did you mean 'orders' or 'order_items'?"),
        ("zzz", 3, ""),
        ("", 1, ""),
    ],
)
def test_what_comes_near_is_proposed(word: str, most: int, text: str) -> None:
    assert did_you_mean(word, KNOWN, most) == text
    assert bool(near(word, KNOWN, most)) == bool(text)


def test_names_are_compared_in_one_place() -> None:
    texts = {path.name: path.read_text() for path in (ROOT / "prefect_sluice").rglob("*.py")}
    assert [name for name, text in texts.items() if "difflib" in text] == ["counting.py"]
