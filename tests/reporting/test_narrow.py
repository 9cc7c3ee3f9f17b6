"""On 80 columns no word is cut off: what is said goes on in further lines; only values end in …"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from prefect_sluice.diff.column_stats import ColumnStats, ColumnStatsPair
from prefect_sluice.diff.relation import Cell, ChangedColumn, ChangedRow, RelationDiff
from prefect_sluice.diff.text import render_text
from prefect_sluice.domain.adoption import Adopted
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.verdict import Evidence
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.promotions.work import Work
from prefect_sluice.reporting.report.make_report import report
from prefect_sluice.reporting.styled_text import plain
from prefect_sluice.reporting.terminal.findings import evidence_lines
from prefect_sluice.reporting.terminal.plan import plan_lines
from prefect_sluice.reporting.terminal.promotion import promotion_lines
from prefect_sluice.reporting.terminal.publishing import adopted_lines
from prefect_sluice.reporting.terminal.show import dossier_lines
from prefect_sluice.reporting.terminal.stages import stage_lines
from prefect_sluice.reporting.terminal.status import EnvironmentStanding, status_lines
from prefect_sluice.warehouse.base import Column
from tests.reporting.reported import CHANGE, FULL, NOW, NOWHERE, PLAN, PROMOTION, RELEASE
from tests.reporting.test_rendered_pages import G2, LEASE

WORDS = tuple(f"word{n}" for n in range(30))
SUBJECT = replace(CHANGE, subject=" ".join(WORDS))
RELEASED = replace(RELEASE, change=SUBJECT)
START = Work(ReleaseRequest(Path(), "prod"), LEASE, workspace=NOWHERE)
ADOPTED = Adopted(Name("marts", "orders"), Name("store", "orders"), False, "", loses=WORDS)
COLUMNS = tuple(Column(word, "INTEGER") for word in WORDS[:20])
TEXTS: dict[str, Callable[[], str]] = {
    "stage": lambda: plain(stage_lines("source", 0.1, START, replace(START, change=SUBJECT), width=80)),
    "plan": lambda: plain(plan_lines(PLAN, RELEASED, width=80)),
    "adopted": lambda: plain(adopted_lines([ADOPTED], width=80)),
    "promotion": lambda: plain(promotion_lines(PROMOTION, RELEASED, RELEASED, width=80)),
    "show": lambda: plain(dossier_lines(report(replace(FULL, release=RELEASED)), width=80)),
    "status": lambda: plain(
        status_lines([EnvironmentStanding("prod", G2, RELEASED, "prod.duckdb", 1)], NOW, width=80)
    ),
    "diff": lambda: render_text(RelationDiff("t", 1, 1, columns_added=COLUMNS), 80),
}


@pytest.mark.parametrize("name", TEXTS)
def test_no_word_is_cut_off(name: str) -> None:
    text = TEXTS[name]()
    assert "…" not in text
    assert [line for line in text.splitlines() if len(line) > 80 and RELEASED.id not in line] == []
    assert set(WORDS[:20]) <= set(text.replace(",", " ").split())


LONG = "average_basket_by_month"
VALUES = ("2024-02-01 00:00:00", LONG, "70.3754666667", "69.528952381")
CHANGED = Evidence(("month", "column", "before", "after"), (VALUES,), 1, numbers=(LONG,))
STATS = ColumnStats(0, 6, mean=60.0)
DIFFERS = RelationDiff(
    "takings",
    6,
    6,
    key=("month",),
    rows_changed=1,
    columns_changed=(ChangedColumn(LONG, 1),),
    changed=(ChangedRow(VALUES[:1], (Cell(*VALUES[1:]),)),),
    numbers=(ColumnStatsPair(LONG, "DOUBLE", STATS, STATS),),
)
ROWS: dict[str, Callable[[int], str]] = {
    "finding": lambda width: plain(evidence_lines(CHANGED, width=width)),
    "diff": lambda width: render_text(DIFFERS, width),
}


@pytest.mark.parametrize("name", ROWS)
def test_by_how_much_a_number_changed_is_said_on_any_width(name: str) -> None:
    narrow, wide = (ROWS[name](width).splitlines() for width in (80, 120))
    assert "change -0.8465142857, -1.2 %" in [text.strip() for text in narrow]
    assert "more column" not in "".join(narrow)
    assert "not shown" not in "".join(narrow)
    assert [text for text in wide if "69.528952381" in text and "-1.2 %" in text]
