"""Which of Sluice's own files may go."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from prefect_sluice.maintenance.leftovers import NeededFiles, of_project


def test_what_plan_and_coverage_keep_of_an_environment_stays_as_long_as_it_is_one(tmp_path: Path) -> None:
    for name in ("dev", "dev.plan", "dev.tree", "gone.plan", "gone.tree", "gone"):
        folder = tmp_path / "work" / name
        folder.mkdir(parents=True)
        os.utime(folder, (0, 0))
    found = of_project(tmp_path, NeededFiles((), ("dev",), (), None), None, datetime.now(UTC))
    assert [item.path.name for item in found] == ["gone", "gone.plan", "gone.tree"]


def test_a_report_goes_when_its_promotion_is_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    for name in ("kept.html", "old.html", ".half"):
        (folder / name).write_text("a page", encoding="utf-8")
        os.utime(folder / name, (0, 0))
    (folder / "fresh.html").write_text("of a promotion that began just now", encoding="utf-8")
    needed = NeededFiles((), (), (), None, pages=frozenset({"kept"}))
    found = of_project(tmp_path, needed, None, datetime.now(UTC))
    assert [(item.path.name, item.kind) for item in found] == [(".half", "report"), ("old.html", "report")]
