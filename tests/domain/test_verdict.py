"""What a finding speaks of: a tuple of ids, and one line of it in documents."""

from __future__ import annotations

from typing import Any, cast

import pytest

from prefect_sluice.domain.verdict import Finding, Verdict, subjects_of


@pytest.mark.parametrize(
    ("subjects", "line"), [((), ""), (("model.shop.a",), "model.shop.a"), (("a", "b", "c"), "a, b, c")]
)
def test_the_line_of_a_document_is_read_again(subjects: tuple[str, ...], line: str) -> None:
    assert Finding("diff", "a", Verdict.FAILED, "no", subjects).subject == line
    assert subjects_of(line) == subjects


def test_a_text_for_the_subjects_is_refused() -> None:
    """A gate of somebody's own that gives one id as a text would speak of its letters."""
    with pytest.raises(TypeError, match=r"a tuple of ids, and not 'model\.shop\.a'"):
        Finding("mine", "a", Verdict.FAILED, "no", cast(Any, "model.shop.a"))
