"""On 80 columns no word is cut off: what is said goes on in further lines; only values end in …"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from prefect_sluice.diff.relation import RelationDiff
from prefect_sluice.diff.text import render_text
from prefect_sluice.domain.adoption import Adopted
from prefect_sluice.domain.node import Name
from prefect_sluice.promotions.work import Request, Work
from prefect_sluice.reporting.report.build import report
from prefect_sluice.reporting.styled_text import plain
from prefect_sluice.reporting.terminal.plan import plan_lines
from prefect_sluice.reporting.terminal.promotion import promotion_lines
from prefect_sluice.reporting.terminal.publishing import adopted_lines
from prefect_sluice.reporting.terminal.show import dossier_lines
from prefect_sluice.reporting.terminal.stages import stage_lines
from prefect_sluice.reporting.terminal.status import EnvironmentStanding, status_lines
from prefect_sluice.warehouse.base import Column
from tests.reporting.reported import CHANGE, FULL, NOW, PLAN, PROMOTION, RELEASE
from tests.reporting.test_rendered_pages import G2, LEASE

WORDS = tuple(f"word{n}" for n in range(30))
SUBJECT = replace(CHANGE, subject=" ".join(WORDS))
RELEASED = replace(RELEASE, change=SUBJECT)
START = Work(Request(Path(), "prod"), LEASE)
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
