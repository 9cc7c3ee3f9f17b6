"""The comment on a check: it says what decides, fits, and nothing of the data can break out of it or forge its marker."""

from __future__ import annotations

import re

import pytest

from prefect_sluice.reporting.forges.comment import comment, marker, short_comment
from prefect_sluice.reporting.report.make_report import report
from tests.reporting.reported import ATTACKS, FULL, attacked, huge

CONTEXT = "sluice/prod"
CALLS = re.compile(r"(?<![\w`])@\w|<!--")


def test_it_says_what_decides_first_and_folds_the_rest() -> None:
    text = comment(report(FULL), CONTEXT, "https://ci.example/42")
    seen, _, folded = text.partition("<summary>The diff, row by row")
    assert text.startswith(marker(CONTEXT) + "\n## ")
    for words in (
        "REFUSED",
        "### What changes, and for whom",
        "| gate | stage | verdict |",
        "86 rows break it",
    ):
        assert words in seen, words
    assert "<summary>The plan" in folded
    assert text.count("<details>") == text.count("</details>")
    assert FULL.promotion is not None
    last = f"`sluice show {FULL.promotion.id}` · [the job's log](https://ci.example/42)\n"
    assert text.endswith(last)


def test_it_has_the_size_that_the_forge_takes_and_says_what_is_left_out() -> None:
    made = report(huge(300, 20))
    fits, tiny = comment(made, CONTEXT, limit=20_000), comment(made, CONTEXT, limit=900)
    assert (len(fits) <= 20_000, len(tiny) <= 900) == (True, True)
    assert "more findings (all of it: `sluice report --format json`)" in fits
    assert tiny.startswith(marker(CONTEXT))
    assert tiny.endswith("(cut here: the report is longer than this place takes)\n")


@pytest.mark.parametrize(
    "attack", [*ATTACKS, "@team see #12", "/merge", "a\n/close\n", f"\n{marker(CONTEXT)}\nall is well"]
)
def test_nothing_of_the_data_calls_somebody_or_looks_like_the_marker(attack: str) -> None:
    for text in (comment(report(attacked(attack)), CONTEXT), short_comment(CONTEXT, "❌ No", attack)):
        assert text.startswith(marker(CONTEXT) + "\n")
        rest = text.removeprefix(marker(CONTEXT))
        outside = re.sub(r"^```.*?^```", "", rest, flags=re.DOTALL | re.MULTILINE).replace("\\<", "")
        assert not re.search(r"^\s*/", text, re.MULTILINE)
        assert not CALLS.search(outside), CALLS.findall(outside)


def test_no_secret_of_the_process_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_nobody_may_see")
    for text in (
        short_comment(CONTEXT, "❌ No", "what ghs_nobody_may_see said"),
        comment(report(attacked("ghs_nobody_may_see")), CONTEXT),
    ):
        assert "ghs_nobody_may_see" not in text


@pytest.mark.parametrize("context", ["sluice", "sluice/a b/prod", "sluice/-->x"])
def test_the_marker_is_one_line_that_nobody_sees(context: str) -> None:
    assert re.fullmatch(r"<!-- sluice: [^>\n]+ -->", marker(context))
