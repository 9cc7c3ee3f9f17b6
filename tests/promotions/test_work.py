"""How stages are walked, and who hears of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prefect_sluice.domain.promotion import Lease
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.promotions.work import Outcome, Stage, Status, Work, listening, tell, walk
from tests.reporting.reported import NOWHERE

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WORK = Work(ReleaseRequest(Path(), "prod"), Lease("prod", 1, "ada", NOW, NOW), workspace=NOWHERE)


def stage(name: str, seen: list[str], *, ends: bool = False) -> Stage:
    """Return a stage that notes its name."""

    def run(work: Work) -> Work:
        seen.append(name)
        tell(name)
        return work.ends(Status.REFUSED, f"{name} said no", "sluice show") if ends else work

    return run


def test_stages_run_in_order_until_one_ends_the_work() -> None:
    seen: list[str] = []
    ended = walk(WORK, stage("a", seen), stage("b", seen, ends=True), stage("c", seen))
    assert seen == ["a", "b"]
    assert ended.outcome == Outcome(Status.REFUSED, "b said no", "sluice show")
    assert WORK.outcome is None


def test_without_an_end_all_run() -> None:
    seen: list[str] = []
    assert walk(WORK, stage("a", seen), stage("b", seen)).outcome is None
    assert seen == ["a", "b"]
    assert walk(WORK) == WORK


def test_who_listens_hears_and_only_then() -> None:
    heard: list[str] = []
    inner: list[str] = []
    tell("before")
    with listening(heard.append):
        tell("one")
        with listening(inner.append):
            tell("two")
        tell("three")
    tell("after")
    assert (heard, inner) == (["one", "two", "three"], ["two"])
