"""The parts that pages are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.domain.counting import count
from prefect_sluice.reporting.styled_text import Span, cut, line, plain, wide
from prefect_sluice.reporting.table import table
from prefect_sluice.reporting.wording import ago, number, seconds, size

NOW = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00 s"),
        (0.051, "0.05 s"),
        (1.23, "1.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.9, "1 min 0 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=8), "8 d ago"),
        (-timedelta(hours=1), "just now"),
    ],
)
def test_ago(passed: timedelta, text: str) -> None:
    assert ago(NOW - passed, NOW) == text


def test_numbers() -> None:
    assert [size(0), size(999), size(1536), size(5 * 10**12)] == ["0 B", "999 B", "1.5 KB", "5.0 TB"]
    assert [count(1, "entry", "entries"), count(0, "row")] == ["1 entry", "0 rows"]
    assert [number(None), number(3.0), number(0.12345)] == ["", "3", "0.1235"]


def test_a_number_that_is_none_is_told() -> None:
    assert [number(float("nan")), number(float("inf"))] == ["nan", "inf"]


@given(st.text(), st.integers(min_value=1, max_value=20))
def test_a_cut_text_is_never_too_wide(text: str, columns: int) -> None:
    assert wide(cut(text, columns)) <= columns


@given(st.text())
def test_no_span_steers_a_terminal(text: str) -> None:
    shown = Span(text).text
    assert all(letter.isprintable() or letter.isspace() or not letter.isascii() for letter in shown)
    assert not set(shown) & set("\x1b\n\r\t\x07\x9b\u202e")


@given(
    st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=1), st.integers(min_value=20, max_value=120)
)
def test_a_table_keeps_its_width_and_its_rows(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = table(rows, header=("a", "b", "c"), right=(1,), widest=15, width=width)
    assert all(sum(span.width for span in one) <= width for one in lines)
    assert len(lines) in {len(rows) + 1, len(rows) + 2, len(rows) + 3}, (
        "what does not fit is named, on two lines at most"
    )


def test_columns_that_do_not_fit_are_named() -> None:
    text = plain(table([("x" * 10, "y" * 10, "z" * 10)], header=("first", "second", "third"), width=22))
    assert text == "first       second\nxxxxxxxxxx  yyyyyyyyyy\nand 1 more column:\nthird\n"


def test_the_last_column_stretches() -> None:
    text = plain(table([("a", "w " * 30)], width=30, stretch=True))
    assert text == f"a  {'w ' * 13}w\n   {'w ' * 13}w\n   w w\n"


def test_wide_letters_are_aligned() -> None:
    assert plain(table([("東京", "x"), ("abcd", "x")])) == "東京  x\nabcd  x\n"


def test_an_indented_line() -> None:
    assert plain([line("a", Span("b"), indent=2), ()]) == "  ab\n\n"
