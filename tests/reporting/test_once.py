"""A sentence stands once on a page, where people look for it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.reporting.report.html import page
from prefect_sluice.reporting.report.make_report import report
from prefect_sluice.reporting.report.markdown import markdown
from prefect_sluice.reporting.report.model import ReleaseRecord
from prefect_sluice.reporting.styled_text import plain
from prefect_sluice.reporting.terminal.show import dossier_lines
from tests.reporting.reported import BOARD, FULL, REPORTS, WAITING, huge, uid
from tests.reporting.test_artifacts import FORMS
from tests.reporting.test_rendered_pages import MARKDOWN, PAGES

WORDS = 5
"""So many words make a sentence: fewer are a name, a number, a heading."""

BREAKS = Finding(
    "impact", "board", Verdict.FAILED, "Morning board (Operations) would break: daily: carrier is dropped", (uid("daily"),),
    fix="keep the column beside the new one for a release",
)  # fmt: skip
DIFF = Finding(
    "diff", "daily", Verdict.FAILED, "daily: 14 of 16 rows changed (87.5 %), 1 column; more than the limit allows",
    (uid("daily"),),
    0.875, 0.5, fix="say so in the commit message if it is meant to be",
)  # fmt: skip
ONE = Finding("build", "built", Verdict.PASSED, "2 relations built in half a second")
REFUSED = replace(
    FULL,
    reports=(
        GateReport("build", (ONE,)),
        REPORTS[2],
        GateReport("impact", (BREAKS,)),
        GateReport("diff", (DIFF,)),
    ),
    stages=("stage",) * 4,
    consumers=(BOARD,),
)
DOSSIERS = {"waits": WAITING, "refused": FULL, "breaks": REFUSED}


def repeated(text: str) -> list[str]:
    """Return the sentences that stand more than once: the parts between ends of lines, cells, marks and full stops."""
    found = Counter(" ".join(part.split()).strip(" .;*") for part in _parts(text))
    return [part for part, times in found.items() if times > 1 and len(part.split()) >= WORDS]


def _parts(text: str) -> Iterable[str]:
    text = re.sub(r"(?s)```.*?```|<style>.*?</style>|<script>.*?</script>|<title>.*?</title>", "\n", text)
    text = re.sub(r"</?(?:span|strong|code|a)\b[^>]*>", "", text)  # these stand within a sentence
    return re.split(r"\n|\||<[^>]*>|[;.](?=\s)|\*\*|: ", text)


def on_a_terminal(found: ReleaseRecord) -> str:
    return plain(dossier_lines(report(found), width=400))


RENDERED: dict[str, Callable[[], str]] = {
    **{f"{form} {name}": lambda make=make, found=found: make(report(found)) for name, found in DOSSIERS.items()
       for form, make in FORMS.items()},
    **{f"page {name}": lambda found=found: page(report(found)) for name, found in DOSSIERS.items()},
    **{f"show {name}": lambda found=found: on_a_terminal(found) for name, found in DOSSIERS.items()},
    **{f"markdown {name}": make for name, make in MARKDOWN.items()},
    **{name: lambda make=make: plain(make()) for name, make in PAGES.items() if name in ("refused", "show", "plan", "rollback")},
}  # fmt: skip


@pytest.mark.parametrize("name", RENDERED)
def test_a_sentence_stands_once(name: str) -> None:
    assert repeated(RENDERED[name]()) == []


class Counted(tuple[Any, ...]):
    """A tuple that counts how often it is gone through."""

    times = 0

    def __iter__(self) -> Iterator[Any]:
        Counted.times += 1
        return super().__iter__()


@pytest.mark.parametrize("form", [page, markdown])
def test_where_sentences_stand_is_looked_up_once_and_not_for_each_finding(
    form: Callable[..., str],
) -> None:
    counts: list[int] = []
    for many in (20, 80):
        made = report(huge(many, rows=1))
        counted = {
            name: Counted(getattr(made, name))
            for name in ("changed", "points", "noted", "reached", "findings")
        }
        Counted.times = 0
        form(replace(made, **counted), limit=10**9)
        counts.append(Counted.times)
    assert 0 < counts[1] <= counts[0]


def test_what_repeats_is_found() -> None:
    assert repeated("| this one stands here twice | x\n* **this one stands here twice**") == [
        "this one stands here twice"
    ]
    assert repeated("<p>x: it <code>is</code> said two times over.</p><td>it is said two times over</td>")
