"""Values written into SQL come back as they were."""

from __future__ import annotations

from datetime import datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.warehouse.duckdb.literals import Value, bound

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VALUES = st.one_of(
    st.none(), st.integers(-(2**62), 2**62), TEXTS, st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))
)


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_what_is_written_is_read_back(values: list[Value]) -> None:
    """Quotes, question marks, backslashes, any script."""
    with duckdb.connect() as connection:
        sql = bound(f"select {', '.join('?' for _ in values)}", values)
        assert connection.execute(sql).fetchall() == [tuple(values)]


def test_no_place_is_left_over() -> None:
    with pytest.raises(ValueError, match="1 places for 2 values"):
        bound("select ?", ["a", "b"])


def test_a_zero_byte_is_no_text() -> None:
    with pytest.raises(ValueError, match="zero byte"):
        bound("select ?", ["a\0b"])
