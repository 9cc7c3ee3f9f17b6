"""`sluice report` on a project that was really released: the newest promotion, old ones, each format, limits, bad input."""

from __future__ import annotations

import json
import re
import webbrowser
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.slow


def test_the_newest_promotion_is_told_as_markdown(shared: Path, run: Run) -> None:
    told = run("report", "-C", shared)
    assert told.code == 0
    assert "**REFUSED.**" in told.out
    assert "unique_orders_id" in told.out
    assert "dev still serves generation 2" in told.out


def test_what_waits_names_the_command_that_approves_it(shared: Path, run: Run) -> None:
    told = run("report", "-C", shared, "--env", "prod").out
    assert "**WAITING.**" in told
    assert re.search(r"^sluice approve [0-9a-f]{10}$", told, re.MULTILINE)


def test_every_stage_has_its_time(shared: Path, run: Run) -> None:
    told = json.loads(run("report", "2", "-C", shared, "--env", "dev", "--format", "json").out)
    assert told["verdict"] == "SERVING"
    assert [stage["stage"] for stage in told["stages"] if stage["seconds"] is None] == []
    assert all(stage["state"] == "done" for stage in told["stages"])
    assert told["recorded"]["promotion"]["generation"] == 2
    assert [node["part"] for node in told["lineage"]["nodes"]].count("build") == 2


def test_a_folder_of_our_own_is_made_for_a_report_and_git_ignores_it(
    shared: Path, run: Run, tmp_path: Path
) -> None:
    """As a job of a forge writes it where no sluice.yml lies beside."""
    assert run("report", "-C", shared, "--output", tmp_path / ".sluice" / "r.html").code == 0
    assert (tmp_path / ".sluice" / ".gitignore").read_text() == "*\n"
    assert (tmp_path / ".sluice").stat().st_mode & 0o077 == 0


def test_the_page_is_one_file(shared: Path, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a report.html"
    told = run("report", "-C", shared, "--output", file)
    assert (told.code, told.out) == (0, f"written: {file}\n")
    text = file.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert not re.search(r"(src|href)=\"(?!#|https?://)", text)
    assert "<link" not in text


def test_open_writes_the_page_and_gives_it_to_the_browser(
    shared: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >"{tmp_path}/seen"\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    monkeypatch.setattr(webbrowser, "_tryorder", None)  # it looks for browsers once in a process
    told = json.loads(run("open", "-C", shared, "--json").out)
    assert told["opened"]
    assert (tmp_path / "seen").read_text().strip() == Path(told["written"]).as_uri()
    assert Path(told["written"]).read_text("utf-8").startswith("<!doctype html>")


def test_open_names_the_file_where_there_is_no_browser(
    shared: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", f"{tmp_path / 'none'} %s")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    told = run("open", "-C", shared)
    assert (told.code, told.out) == (
        0,
        f"no browser answers here; the report is {shared / '.sluice/opened.html'}\n",
    )


def test_the_outcome_of_a_refusal_names_the_report(released: Path, run: Run) -> None:
    again = run("release", "-C", released, "--env", "prod")
    command = re.search(
        r"^all of it on one page: sluice (report \S+ --output) report\.html$", again.out, re.MULTILINE
    )
    assert command is not None
    assert run(*command[1].split(), released / "r.html", "-C", released).code == 0


def test_a_rollback_has_a_report(released: Path, run: Run) -> None:
    assert run("rollback", "-C", released, "--env", "dev").code == 0
    told = run("report", "-C", released)
    assert (told.code, "Rollback: " in told.out, "**SERVING.**" in told.out) == (0, True, True)


def test_it_fits_the_limit(shared: Path, run: Run) -> None:
    assert len(run("report", "-C", shared, "--limit", "700").out) <= 700
    assert len(run("report", "-C", shared, "--limit", "gitlab").out) > 700


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("report nothing-like-it", "no release, promotion, commit or generation"),
        ("report --limit many", "neither github nor gitlab"),
        ("report --limit 0", "neither github nor gitlab"),
        ("report --output no/such/folder/r.html", "the report cannot be written"),
    ],
)
def test_bad_input_is_said_in_one_line(words: str, told: str, shared: Path, run: Run) -> None:
    answer = run(*words.split(), "-C", shared)
    assert (answer.code, told in answer.err, answer.err.count("\n")) == (2, True, 1)


def test_where_nothing_was_released_there_is_no_report(project: Path, run: Run) -> None:
    answer = run("report", "-C", project)
    assert (answer.code, "nothing was released here yet" in answer.err) == (2, True)
