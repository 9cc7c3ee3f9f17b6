"""Previews: a check shown under names of its own, beside what serves; never in its place; and their end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.domain.generation import Generation
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import VARIABLE, FaultPoint
from prefect_sluice.source import git
from prefect_sluice.warehouse.inventory import Inventory
from prefect_sluice.workspace.workspace import Workspace
from tests.cli.forge_jobs import closing_job as github_closing_job
from tests.cli.forge_jobs import gitlab_closing_job
from tests.warm_commands import Commands

Run = Callable[..., Any]
Commit = Callable[..., None]
MENDED = "select range as id, range * 11 as amount from range(30)\n"

pytestmark = pytest.mark.slow


@pytest.fixture
def with_pattern(released: Path) -> Path:
    """Return the project, with a pattern of previews in its sluice.yml."""
    file = released / "sluice.yml"
    file.write_text(file.read_text().replace("warehouse:", "  'pr-*': {like: dev, ttl: 2d}\nwarehouse:"))
    return released


def generation(folder: Path, environment: str) -> Generation:
    workspace = Workspace.at(folder)
    return workspace.warehouse(workspace.environment("dev")).generation(environment)


def inventory(folder: Path) -> Inventory:
    workspace = Workspace.at(folder)
    return workspace.warehouse(workspace.environment("dev")).inventory()


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    (file,) = Workspace.at(folder).environment("dev").database.files
    with duckdb.connect(file, read_only=True) as reader:
        return reader.execute(sql).fetchall()


def document(run: Run, *arguments: object) -> Any:
    return json.loads(run(*arguments, "--json").out)


def names(folder: Path, schema: str) -> list[str]:
    sql = f"select table_name from information_schema.tables where table_schema like '{schema}%' order by all"
    return [str(row[0]) for row in rows(folder, sql)]


def test_a_preview_shows_what_a_check_built_and_never_stands_in_the_place_of_what_serves(
    run: Run, with_pattern: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The story of a branch: refused and not shown, shown, shown anew, ended, collected; the environment is as it was."""
    folder, before = with_pattern, generation(with_pattern, "dev")
    assert run("previews", "-C", folder).out.strip() == "there is no preview: sluice check --serve"
    refused = document(run, "check", "-C", folder, "--serve", "pr-12", "--as", "Ada")
    assert (refused["status"], "preview" in refused) == ("refused", False)
    assert names(folder, "pr") == []

    commit(folder, "Mended", orders=MENDED)
    shown = document(run, "check", "-C", folder, "--serve", "pr-12", "--as", "Ada")
    assert shown["exit_code"] == 0
    assert "preview pr-12 shows it in schema pr_12, until " in shown["message"]
    preview = shown["preview"]
    assert (preview["name"], preview["like"], preview["beside"], preview["branch"]) == (
        "pr-12",
        "dev",
        2,
        "main",
    )
    assert preview["promotion"] == shown["promotion"]["id"]
    assert rows(folder, "select sum(amount) from pr_12.orders") == [(4785,)]
    assert rows(folder, "select amount from pr_12.totals") == [(4785,)]
    assert names(folder, "pr_12") == ["customers", "orders", "totals"]
    assert generation(folder, "dev") == before
    reused = {pointer.node: pointer.address for pointer in before.pointers}["model.shop.customers"]
    addresses = {pointer.node: pointer.address for pointer in generation(folder, "pr-12").pointers}
    assert addresses["model.shop.customers"] == reused, "what did not change is no copy"

    again = document(run, "check", "-C", folder, "--serve", "pr-12", "--as", "Ada")
    assert "as found before" in again["message"]
    assert again["preview"]["generation"] == preview["generation"]
    commit(folder, "Dearer still", orders=MENDED.replace("11", "12"))
    assert run("check", "-C", folder, "--serve", "pr-12", "--as", "Ada").code == 0
    assert rows(folder, "select sum(amount) from pr_12.orders") == [(5220,)]
    assert "pr-12    pr_12" in run("status", "-C", folder).out
    assert (
        document(run, "status", "-C", folder)["previews"]
        == document(run, "previews", "-C", folder)["previews"]
    )
    assert run("doctor", "-C", folder).code == 0

    assert run("collect", "-C", folder, "--as", "Ada").code == 0
    assert rows(folder, "select sum(amount) from pr_12.orders") == [(5220,)], (
        "the collector leaves what is shown"
    )
    assert generation(folder, "dev") == before
    ended = run("end-preview", "pr-12", "-C", folder, "--as", "Ada")
    assert ended.out.strip() == "preview pr-12 has ended: Ada ended it"
    assert run("end-preview", "pr-12", "-C", folder, "--as", "Bob").out == ended.out, "again is no change"
    assert document(run, "previews", "-C", folder)["previews"] == []
    assert rows(folder, "select 1 from information_schema.schemata where schema_name = 'pr_12'") == []
    built = addresses["model.shop.orders"].schema
    count = len(names(folder, built))
    assert run("collect", "-C", folder, "--as", "Ada").code == 0
    assert len(names(folder, built)) == count - 2, "orders and totals of the last check"
    assert inventory(folder).environments == ("dev",)
    assert Workspace.at(folder).store.previews(ended=True) == ()
    forgotten = run("end-preview", "pr-12", "-C", folder, "--as", "Bob")
    assert (forgotten.code, forgotten.out) == (0, ended.out), "the ledger knows of it"
    assert document(run, "end-preview", "pr-12", "-C", folder)["preview"]["reason"] == "Ada ended it"
    assert generation(folder, "dev") == before

    assert run("release", "-C", folder, "--as", "Ada").code == 0
    same = document(run, "check", "-C", folder, "--serve", "pr-13", "--as", "Ada")
    assert (same["status"], same["preview"]["promotion"]) == ("unchanged", None)
    assert rows(folder, "select sum(amount) from pr_13.orders") == [(5220,)], (
        "a branch that is merged can be looked at"
    )


def test_a_preview_ends_with_its_time_and_with_its_branch(
    run: Run, with_pattern: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two previews: one whose branch is deleted, one whose time is over; the collector ends both, each for its reason."""
    folder = with_pattern
    git.output(folder, "switch", "--quiet", "--create", "Feature/Dearer")
    commit(folder, "Mended", orders=MENDED)
    assert (
        document(run, "check", "-C", folder, "--serve", "--as", "Ada")["preview"]["name"]
        == "pr-feature-dearer"
    )
    assert (
        document(run, "check", "HEAD~0", "-C", folder, "--serve", "pr-9", "--as", "Ada")["preview"]["branch"]
        == ""
    )
    git.output(folder, "switch", "--quiet", "main")
    assert run("collect", "-C", folder, "--as", "Ada").code == 0
    assert [item.name for item in Workspace.at(folder).store.previews()] == ["pr-9", "pr-feature-dearer"]
    git.output(folder, "branch", "--quiet", "--delete", "--force", "Feature/Dearer")
    assert run("collect", "-C", folder, "--as", "Ada").code == 0
    assert [item.name for item in Workspace.at(folder).store.previews()] == ["pr-9"]
    later = datetime.now(UTC) + timedelta(days=2, minutes=1)
    monkeypatch.setattr(process, "now", lambda: later)
    assert run("collect", "-C", folder, "--as", "Ada").code == 0
    assert names(folder, "pr") == []
    ends = [entry for entry in Workspace.at(folder).store.entries() if entry.event == "preview.ended"]
    reasons = [str(entry.facts["reason"]) for entry in ends]
    assert reasons[0] == "branch Feature/Dearer is gone"
    assert reasons[1].startswith("its time was over on ")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("qa", "'qa' is no name of a preview of dev (patterns: pr-*)"),
        ("pr-1; drop", "is no name of a preview of dev"),
        ("pr-ä", "is no name of a preview of dev"),
    ],
)
def test_a_name_that_no_pattern_has_is_refused_before_anything_is_built(
    run: Run, with_pattern: Path, name: str, says: str
) -> None:
    """Exit code 2, one line, no check on record."""
    answer = run("check", "-C", with_pattern, "--serve", name)
    assert (answer.code, says in answer.err) == (2, True), answer.err
    assert Workspace.at(with_pattern).store.checks() == ()


def test_a_project_without_a_pattern_is_told_what_to_write(run: Run, released: Path) -> None:
    """And an unknown preview cannot be ended."""
    answer = run("check", "-C", released, "--serve", "pr-1")
    assert answer.code == 2
    assert "dev has no previews: no pattern of sluice.yml is like it" in answer.err
    assert "'pr-*': {like: dev}" in answer.err
    for name, says in (
        ("pr-1", "there is no preview 'pr-1' (there are: none)"),
        ("prod", "'prod' is an environment, and no preview"),
    ):
        ended = run("end-preview", name, "-C", released)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == f"sluice: {says}; see which there are: sluice previews\n"


@pytest.mark.parametrize("closing_job", [github_closing_job, gitlab_closing_job])
def test_the_job_of_a_pull_request_that_is_closed_is_green_with_a_preview_and_without(
    run: Run, with_pattern: Path, commit: Commit, closing_job: Callable[[int, Path], tuple[int, str]]
) -> None:
    """Its step as it stands in deployments/ci: first for one whose check was refused, then for one that is shown; and again."""
    folder = with_pattern
    assert document(run, "check", "-C", folder, "--serve", "pr-7", "--as", "Ada")["status"] == "refused"
    assert closing_job(7, folder) == (0, "there is no preview 'pr-7': nothing to end\n")
    commit(folder, "Mended", orders=MENDED)
    assert document(run, "check", "-C", folder, "--serve", "pr-7", "--as", "Ada")["status"] == "checked"
    code, text = closing_job(7, folder)
    assert (code, text.startswith("preview pr-7 has ended: ")) == (0, True), text
    assert names(folder, "pr_7") == []
    assert closing_job(7, folder) == (0, text)


def test_where_there_may_be_none_to_end_that_is_said_and_no_error(run: Run, with_pattern: Path) -> None:
    """`--if-exists` is for jobs. What is no preview at all is refused all the same, and nothing is recorded."""
    folder, entries = with_pattern, len(list(Workspace.at(with_pattern).store.entries()))
    none = run("end-preview", "pr-7", "--if-exists", "-C", folder)
    assert (none.code, none.out, none.err) == (0, "there is no preview 'pr-7': nothing to end\n", "")
    assert document(run, "end-preview", "pr-7", "--if-exists", "-C", folder)["preview"] is None
    refused = run("end-preview", "dev", "--if-exists", "-C", folder)
    assert (refused.code, "'dev' is an environment, and no preview" in refused.err) == (2, True)
    assert len(list(Workspace.at(folder).store.entries())) == entries


def test_to_end_a_preview_makes_no_state_store(run: Run, project: Path) -> None:
    """Nothing was checked there yet."""
    assert run("end-preview", "pr-1", "-C", project).code == 2
    assert run("end-preview", "pr-1", "--if-exists", "-C", project).code == 0
    assert not (project / ".sluice" / "state.db").exists()


def test_where_the_names_are_taken_the_check_stands_and_says_that_nothing_is_shown(
    run: Run, with_pattern: Path, commit: Commit
) -> None:
    """Exit code 1 although every gate said yes: whoever goes on to look at the preview must not look at nothing."""
    (file,) = Workspace.at(with_pattern).environment("dev").database.files
    with duckdb.connect(file) as owner:
        owner.execute("create schema pr_12; create table pr_12.orders as select 1 as mine")
    commit(with_pattern, "Mended", orders=MENDED)
    answer = document(run, "check", "-C", with_pattern, "--serve", "pr-12", "--as", "Ada")
    assert (answer["status"], answer["exit_code"]) == ("checked", 1)
    assert (
        "no preview: these public names hold relations that Sluice did not make: pr_12.orders"
        in answer["message"]
    )
    assert rows(with_pattern, "select mine from pr_12.orders") == [(1,)]
    assert document(run, "end-preview", "pr-12", "-C", with_pattern)["preview"]["generation"] == 0
    assert rows(with_pattern, "select mine from pr_12.orders") == [(1,)]


@pytest.mark.crash
@pytest.mark.parametrize(
    "point", [FaultPoint.PREVIEW_INTENT, FaultPoint.DEPLOY_VIEWS, FaultPoint.PREVIEW_SHOWN]
)
def test_killed_while_it_is_shown_and_run_again(
    run: Run, with_pattern: Path, commit: Commit, warm_commands: Commands, point: FaultPoint
) -> None:
    """What serves is untouched, the preview is on record in time to be ended, and the same command ends as undisturbed."""
    folder, before = with_pattern, generation(with_pattern, "dev")
    commit(folder, "Mended", orders=MENDED)
    killed(warm_commands, folder, point, "check", "--serve", "pr-12", "--as", "Ada")
    assert generation(folder, "dev") == before
    assert [item.name for item in Workspace.at(folder).store.previews()] == ["pr-12"]
    again = document(run, "check", "-C", folder, "--serve", "pr-12", "--as", "Ada")
    assert again["preview"]["generation"] == 1
    assert rows(folder, "select sum(amount) from pr_12.orders") == [(4785,)]
    killed(warm_commands, folder, FaultPoint.PREVIEW_GONE, "end-preview", "pr-12", "--as", "Ada")
    assert names(folder, "pr_12") == []
    assert run("end-preview", "pr-12", "-C", folder, "--as", "Ada").code == 0
    assert Workspace.at(folder).store.previews() == ()
    assert generation(folder, "dev") == before


def killed(commands: Commands, folder: Path, point: FaultPoint, *words: str) -> None:
    """Run a command that dies at a point."""
    done = commands.sluice(*words, "-C", folder, folder=folder, environ={VARIABLE: point.value})
    assert done.code == -signal.SIGKILL, done.err
