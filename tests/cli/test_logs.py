"""`sluice logs`: what a run told is found again, by environment and by promotion, with where an error came from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefect_sluice.cli.commands.logs import _follow  # pyright: ignore[reportPrivateUsage]
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.promotions.request import RefreshRequest
from prefect_sluice.promotions.run_log import Tail, files_of, logged, runs
from prefect_sluice.promotions.work import tell
from prefect_sluice.reporting.styled_text import plain
from prefect_sluice.workspace.workspace import Workspace

Run = Callable[..., Any]


@pytest.mark.slow
def test_the_log_of_a_refused_release_has_the_gate_and_what_it_found(run: Run, shared: Path) -> None:
    history = json.loads(run("history", "-C", shared, "--json").out)
    refused = next(event["promotion"] for event in history["events"] if event["generation"] is None)
    answer = run("logs", "-C", shared, refused["id"])
    assert answer.code == 0
    assert "begins: release of HEAD to dev" in answer.out
    assert "model orders: built in" in answer.out
    assert "ERROR   gate data_tests: FAILED" in answer.out
    assert "unique_orders_id" in answer.out
    assert "ended: refused" in answer.out.splitlines()[-1]
    [document] = json.loads(run("logs", "-C", shared, refused["id"], "--json").out)
    assert (document["promotion"], document["ended"]) == (refused["id"], True)


@pytest.mark.slow
def test_the_last_runs_of_an_environment_are_shown_and_followed_to_their_end(run: Run, shared: Path) -> None:
    last, both = run("logs", "-C", shared).out, run("logs", "-C", shared, "-n", 2).out
    assert both.endswith(last)
    assert (last.count("begins:"), both.count("begins:")) == (1, 2)
    assert run("logs", "-C", shared, "--follow").out == last
    unknown = run("logs", "-C", shared, "0000")
    assert unknown.code == 2
    assert "no log of promotion '0000'" in unknown.err


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace that needs no project."""
    (tmp_path / "sluice.yml").write_text("project: .\n", encoding="utf-8")
    return Workspace.at(tmp_path)


def _logged(workspace: Workspace, error: Exception) -> str:
    def break_off() -> None:
        with logged(workspace, RefreshRequest(workspace.root, "prod", actor="ada")):
            tell("a line\nand another")
            raise error

    with pytest.raises(type(error)):
        break_off()
    return files_of(workspace, "prod")[-1].read_text(encoding="utf-8")


def test_an_error_that_nobody_foresaw_is_there_with_its_traceback(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter22")
    text = _logged(workspace, ValueError("no hunter22 here"))
    [run] = runs(text)
    assert run.ended
    assert "raise error" in text
    assert "ValueError: no ***** here" in text
    assert "hunter22" not in text
    assert "  and another" in run.lines


def test_an_error_of_ours_is_a_line(workspace: Workspace) -> None:
    assert "Traceback" not in _logged(workspace, BadInput("that is not there"))


def test_a_log_that_cannot_be_written_stops_nothing(workspace: Workspace) -> None:
    files_of(workspace, "prod")[-1].mkdir(parents=True)
    with logged(workspace, RefreshRequest(workspace.root, "prod")):
        tell("a line")


def test_runs_are_told_apart_and_their_beginning_may_be_cut_off() -> None:
    text = "  rest of a line\n2026-12-01T02:00:00Z aa INFO  one\n  more\n2026-12-01T02:00:00Z bb INFO  promotion p2\n"
    first, second = runs(text)
    assert (first.id, len(first.lines), first.ended, second.promotion) == ("aa", 2, False, "p2")


def test_a_line_that_a_full_disk_cut_off_goes_with_the_run_before_it() -> None:
    [run] = runs(
        "2026-12-01T02:00:00Z aa INFO  one\n2026-12-01T0\n2026-12-01T02:00:01Z aa INFO  ended: done: x\n"
    )
    assert (len(run.lines), run.ended) == (3, True)


def test_a_log_that_grows_is_read_on_and_one_begun_anew_or_cut_short_from_its_beginning(
    tmp_path: Path,
) -> None:
    path = tmp_path / "prod.log"
    tail = Tail(path)
    assert tail.more() == []
    path.write_text("one\ntw", encoding="utf-8")
    assert tail.more() == ["one"]
    with path.open("a", encoding="utf-8") as file:
        file.write("o\nthree\n")
    assert tail.more() == ["two", "three"]
    with path.open("a", encoding="utf-8") as file:
        file.write("four\n")
    path.rename(tmp_path / "prod.log.1")
    assert tail.more() == ["four"]
    path.write_text("five, a long one\n", encoding="utf-8")
    assert (tail.more(), tail.more()) == (["five, a long one"], [])
    path.write_text("six\n", encoding="utf-8")
    assert tail.more() == ["six"]
    tail.close()


def test_following_shows_each_line_of_the_run_once_also_over_a_file_that_is_begun_anew(
    workspace: Workspace,
) -> None:
    before, now = files_of(workspace, "prod")
    now.parent.mkdir(parents=True)
    head = "2026-12-01T02:00:00Z"
    now.write_text(f"{head} aa INFO  ended: done: x\n{head} bb INFO  one\n", encoding="utf-8")
    then = [
        lambda: now.rename(before),
        lambda: now.write_text(f"{head} bb ERROR two\n  more of it\n", encoding="utf-8"),
        lambda: now.write_text(now.read_text() + f"{head} bb INFO  ended: done: y\n{head} cc INFO  three\n"),
    ]
    shown: list[str] = []
    code = _follow((before, now), "bb", lambda lines: shown.append(plain(lines)), lambda _: then.pop(0)())
    assert (code, then) == (0, [])
    assert [line.split("bb ")[-1].split()[-1] for line in "".join(shown).splitlines()] == [
        "one",
        "two",
        "it",
        "y",
    ]
