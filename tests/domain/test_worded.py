"""A reason as a value: its text in a document is the one that it is read from again."""

from __future__ import annotations

from enum import StrEnum

import pytest

from prefect_sluice.domain.worded import Worded, read
from prefect_sluice.planning.reasons import Because, HeldBy, Noted


@pytest.mark.parametrize("kinds", [Because, Noted, HeldBy])
def test_every_value_is_read_back_from_its_text(kinds: type[StrEnum]) -> None:
    for kind in kinds:
        about = "a, b and 3 more" if "{}" in kind.value else ""
        assert read(kinds, str(Worded(kind, about))) == Worded(kind, about)


@pytest.mark.parametrize(
    ("text", "because", "about"),
    [
        ("unchanged", Because.UNCHANGED, ""),
        ("linked to the new orders, customers", Because.LINKED_TO, "orders, customers"),
        ("its own code changed", Because.OWN_CODE, ""),
        ("dbt's graph changed, which it reads", Because.GRAPH, "dbt's graph"),
        ("var day, its file changed", Because.OWN, "var day, its file"),
        ("what it is built from changed", Because.BUILT_FROM, ""),
        ("renamed from main.a, by its text, which is the same", Because.RENAMED, "main.a"),
        ("reads {} of {}", Because.READS, "{} of {}"),
        ("what an older Sluice said", Because.OTHER, "what an older Sluice said"),
        ("", Because.OTHER, ""),
    ],
)
def test_a_plan_that_was_written_is_read(text: str, because: Because, about: str) -> None:
    found = read(Because, text)
    assert (found.kind, found.about, str(found)) == (because, about, text)


def test_a_text_that_no_value_has_is_refused() -> None:
    class Only(StrEnum):
        ONE = "one"

    with pytest.raises(ValueError, match="none of Only"):
        read(Only, "two")
