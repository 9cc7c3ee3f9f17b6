"""Who holds a lease, as one line and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.domain.lease_holder import Holder, holder_text, read


@given(
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs", "Zl", "Zp", "Cc"])),
    st.from_regex(r"[a-z0-9.-]+", fullmatch=True),
    st.integers(1, 4_000_000),
    st.sampled_from(["", "81234"]),
    st.sampled_from(["", "9f8e7d"]),
)
def test_what_is_written_is_read_back(user: str, host: str, pid: int, start: str, run: str) -> None:
    holder = Holder(user, host, pid, start, run)
    assert read(str(holder)) == holder


@pytest.mark.parametrize("text", ["", "ada", "ada@host", "ada@host pid x", "ada@host pid 1 and more"])
def test_what_is_none_of_ours_stays_as_it_is(text: str) -> None:
    assert read(text) is None
    assert holder_text(text) == text


def test_as_people_read_it() -> None:
    assert holder_text("ada@x.org@build-7 pid 42 start 8 run ab12") == "ada@x.org on host build-7 (pid 42)"
