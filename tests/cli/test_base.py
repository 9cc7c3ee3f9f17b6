"""`--base main`: of what a plan moves, what is of the branch, what main has and nobody serves, and what is new data alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.planning.against_base import AgainstBase, Origin, Standing
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.reporting.plan_preview import planned
from tests.cli.conftest import FILES, git
from tests.repository import repository

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("base")]

BRANCH, BASE, DATA = Origin.BRANCH, Origin.BASE, Origin.DATA


def add_event(folder: Path) -> None:
    """Put a row into the source."""
    with duckdb.connect(str(folder / "dev.duckdb")) as connection:
        connection.execute("create schema if not exists raw")
        connection.execute("create table if not exists raw.events (id int)")
        connection.execute("insert into raw.events values (1)")


def commit(folder: Path, message: str, **models: str) -> None:
    """Write models, by name, and commit."""
    for name, text in models.items():
        (folder / "models" / f"{name}.sql").write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", message)


def orders(price: int) -> str:
    return f"select range as id, range * {price} as amount from range(30)\n"


@pytest.fixture(scope="module")
def history(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose first commit serves; since then `main` made orders dearer (M1) and counts twice (M2), and data came.

    From M1 come the branches `names` (one model) and `both` (the model of M1 again, and one removed); `merged` is `names` with
    main merged into it, `early` comes from the first commit, `mended` from a commit of main that dbt cannot parse.
    """
    folder = repository(
        tmp_path_factory.mktemp("base"),
        {
            **FILES,
            "models/events.sql": "select * from raw.events\n",
            "models/clock.sql": "select now() as at_that_time\n",
        },
    )
    add_event(folder)
    assert run("release", "-C", folder, "--as", "Ada").code == 0
    git(folder, "checkout", "-qb", "early")
    commit(folder, "Early", customers="select 2 as id, 'Eve' as name\n")
    git(folder, "checkout", "-q", "main")
    commit(folder, "M1", orders=orders(11))
    git(folder, "checkout", "-qb", "names")
    commit(folder, "Names", customers="select 1 as id, 'Bob' as name\n")
    git(folder, "checkout", "-qb", "both", "main")
    (folder / "models" / "customers.sql").unlink()
    commit(folder, "Both", orders=orders(12))
    git(folder, "checkout", "-q", "main")
    commit(folder, "M2", totals="select 2 * count(*) as orders from {{ ref('orders') }}\n")
    git(folder, "checkout", "-qb", "merged", "names")
    git(folder, "merge", "-q", "--no-ff", "-m", "Merge main", "main")
    git(folder, "checkout", "-qb", "broken", "main")
    commit(folder, "Broken", totals="select {{ nothing(\n")
    git(folder, "checkout", "-qb", "mended")
    commit(folder, "Mended", totals="select 3 as orders from {{ ref('orders') }}\n")
    git(folder, "checkout", "-q", "--orphan", "alone")
    git(folder, "commit", "-qm", "Alone")
    git(folder, "checkout", "-q", "names")
    add_event(folder)
    return folder


@pytest.fixture
def shop(history: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(history, tmp_path / "copy", symlinks=True))


def beside(folder: Path, ref: str, base: str = "main") -> AgainstBase:
    """Return what is told of the plan of a ref."""
    preview = planned(ReleaseRequest(folder, "dev", ref), base=base)
    assert preview.base is not None
    assert preview.base.origins.keys() == {str(step.name) for step in preview.plan.steps if step.moves} or (
        preview.base.untold
    )
    return preview.base


def subjects(folder: Path, ref: str) -> tuple[Standing, list[str], list[str], int]:
    commits = beside(folder, ref).commits
    own, waiting = ([commit.subject for commit in some] for some in (commits.own, commits.waiting))
    assert (commits.written, commits.unserved) == (len(own), len(waiting))
    return commits.standing, own, waiting, commits.ahead


def test_a_branch_of_a_main_that_is_ahead_of_what_serves(history: Path) -> None:
    request = ReleaseRequest(history, "dev", "names")
    assert planned(request, base="main").plan == planned(request).plan, "it is told, and changes nothing"
    assert beside(history, "names").origins == {
        "main.customers": BRANCH, "main.orders": BASE, "main.totals": BASE, "main.events": DATA,
    }  # fmt: skip
    assert subjects(history, "names") == (Standing.NEWER, ["Names"], ["M1"], 1)


def test_what_both_changed_and_what_the_branch_removed_is_of_the_branch(history: Path) -> None:
    assert beside(history, "both").origins == {
        "main.customers": BRANCH, "main.orders": BRANCH, "main.totals": BRANCH, "main.events": DATA,
    }  # fmt: skip


def test_a_merge_of_main_moves_the_base(history: Path) -> None:
    assert beside(history, "merged").origins == {
        "main.customers": BRANCH, "main.orders": BASE, "main.totals": BASE, "main.events": DATA,
    }  # fmt: skip
    assert subjects(history, "merged") == (Standing.NEWER, ["Merge main", "Names"], ["M2", "M1"], 0)


def test_a_base_that_serves_and_a_commit_of_main_itself(run: Run, history: Path) -> None:
    assert beside(history, "early").origins == {"main.customers": BRANCH, "main.events": DATA}
    assert subjects(history, "early") == (Standing.SAME, ["Early"], [], 2)
    out = run("plan", "early", "-C", history, "--base", "main").out
    assert "which serves; main is 2 commits ahead of the branch" in out
    assert "not served" not in out
    assert out.count("Early") == 2  # the commit, and the one commit of the branch

    assert beside(history, "main").origins == {
        "main.orders": BASE, "main.totals": BASE, "main.events": DATA,
    }  # fmt: skip
    assert subjects(history, "main") == (Standing.NEWER, [], ["M2", "M1"], 0)


def test_a_branch_that_is_behind_what_serves_takes_nothing_of_main_for_its_own(run: Run, shop: Path) -> None:
    assert run("release", "main", "-C", shop, "--as", "Ada").code == 0
    assert beside(shop, "names").origins == {"main.customers": BRANCH, "main.totals": BASE}
    assert subjects(shop, "names")[0] is Standing.OLDER
    out = run("plan", "names", "-C", shop, "--base", "main").out
    assert "as main had it when the branch was made; what serves is newer (1)" in out
    assert "M2" in out  # it goes


def test_new_data_alone(run: Run, history: Path) -> None:
    answer = json.loads(run("plan", "early~1", "-C", history, "--base", "main", "--json").out)["against_base"]
    assert answer["relations"] == {"branch": [], "base": [], "data": ["main.events"]}
    assert answer["commits"]["own"] == []


def test_merged_both_ways_it_says_so(run: Run, shop: Path) -> None:
    """Two merge bases: what the one brought that is not compared with counts as the branch's, and the line says so."""
    git(shop, "checkout", "-q", "-B", "left", "main")
    commit(shop, "Left", orders=orders(21))
    left = head(shop)
    git(shop, "checkout", "-q", "-b", "right", "main")
    commit(shop, "Right", customers="select 9 as id, 'Ida' as name\n")
    right = head(shop)
    git(shop, "merge", "-q", "--no-ff", "-m", "Right merges left", left)
    git(shop, "checkout", "-q", "left")
    git(shop, "merge", "-q", "--no-ff", "-m", "Left merges right", right)
    commits = beside(shop, "right", "left").commits
    assert {commits.commit, *commits.others} == {left, right}
    other = commits.others[0][:7]
    out = " ".join(run("plan", "right", "-C", shop, "--base", "left").out.split())
    assert f"merged both ways, so what {other} brought counts as of this branch" in out
    assert beside(shop, "names").commits.others == ()


def head(folder: Path) -> str:
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_plan_and_the_check_say_it(run: Run, shop: Path) -> None:
    """In text, as JSON, on the page and in Markdown, now and from the record; what a check comes to is what it was."""
    lines = [line.strip() for line in run("plan", "-C", shop, "--base", "main").out.splitlines()]
    headings = ["of this branch (1)", "already on main, not served (2)", "new data (1)"]
    assert [line for line in lines if line in headings] == headings
    assert "1 commit on main, not served:" in lines
    answer = json.loads(run("plan", "-C", shop, "--base", "main", "--json").out)
    assert answer["against_base"]["counts"] == {"branch": 1, "base": 2, "data": 1}
    assert answer["against_base"]["relations"]["branch"] == ["main.customers"]
    assert set(answer["against_base"]["commits"]) == {
        "ref", "commit", "head", "standing", "own", "waiting", "written", "unserved", "ahead", "others",
    }  # fmt: skip
    assert "against_base" not in json.loads(run("plan", "-C", shop, "--json").out)

    plain = json.loads(run("check", "-C", shop, "--as", "Ada", "--json").out)
    page = shop / "page.html"
    beside_main = run("check", "-C", shop, "--as", "Bob", "--base", "main", "--json", "--output", page)
    told = json.loads(beside_main.out)
    assert told["against_base"] == answer["against_base"]
    assert (told["status"], told["promotion"]["id"]) == (plain["status"], plain["promotion"]["id"]), (
        "the check of the same plan answers: the base decides nothing"
    )
    assert "against_base" not in plain
    assert "already on main, not served: 2" in page.read_text()
    text = " ".join(run("check", "-C", shop, "--as", "Eve", "--base", "main").out.split())
    assert "1 commit on main, not served:" in text, "a release of the branch brings it along"

    git(shop, "commit", "-q", "--allow-empty", "-m", "Again")
    checked = run("check", "-C", shop, "--as", "Ada", "--base", "main")
    assert checked.code == 0
    assert "of this branch (1): main.customers" in checked.out
    report = run("report", "-C", shop).out
    [line] = [line for line in report.splitlines() if line.startswith("* **beside**")]
    assert "Of this branch: 1; already on main, not served: 2; new data: 1" in line
    assert "| main.customers | table | its own code changed |  | of this branch |" in report
    assert report.index("| main.customers |") < report.index("| main.orders |")


UNCOMMITTED = "uncommitted files (Ada), of which the release that serves was made"


def test_uncommitted_files_that_serve_do_not_go_without_a_word(run: Run, shop: Path) -> None:
    """Plan and check say whose they are, with a base and without, as JSON too; a release that has them all says nothing."""
    (shop / "models" / "totals.sql").write_text("select 7 as orders\n")
    assert run("release", "-C", shop, "--as", "Ada", "--dirty").code == 0
    git(shop, "checkout", "-q", "--", "models")
    for base in ((), ("--base", "main")):
        planned_text = " ".join(run("plan", "-C", shop, *base).out.split())
        assert f"goes {UNCOMMITTED}" in planned_text
        commits = json.loads(run("plan", "-C", shop, *base, "--json").out)["commits"]
        assert (commits["uncommitted"], commits["comes"], commits["goes"]) == ("Ada", [], [])
        checked = " ".join(run("check", "-C", shop, "--as", "Bob", *base).out.split())
        assert "what serves was made of uncommitted files (Ada), and" in checked
        answer = json.loads(run("check", "-C", shop, "--as", "Bob", *base, "--json").out)
        assert (answer["exit_code"], answer["commits"]["uncommitted"]) == (0, "Ada")
    assert f"* **goes:** {UNCOMMITTED}" in run("report", "-C", shop).out

    commit(shop, "Seven", totals="select 7 as orders\n")
    assert "uncommitted" not in run("plan", "-C", shop).out
    assert json.loads(run("plan", "-C", shop, "--json").out)["commits"] is None


def test_a_file_that_was_deleted_uncommitted_does_not_come_back_without_a_word(run: Run, shop: Path) -> None:
    """Also where nothing else of the working tree goes; a commit that deletes it, too, says nothing."""
    commit(shop, "More", more="select 7 as more")
    (shop / "models" / "more.sql").unlink()
    dirty = run("plan", "-C", shop, "--dirty").out
    assert "1 file changed by the working tree:\n  models/more.sql\n" in dirty
    assert run("release", "-C", shop, "--as", "Ada", "--dirty").code == 0
    git(shop, "checkout", "-q", "--", "models")
    back = "back, deleted there: models/more.sql"
    assert f"goes {UNCOMMITTED}; {back}" in " ".join(run("plan", "-C", shop).out.split())
    commits = json.loads(run("plan", "-C", shop, "--json").out)["commits"]
    assert (commits["uncommitted"], commits["back"]) == ("Ada", ["models/more.sql"])
    checked = " ".join(run("check", "-C", shop, "--as", "Bob").out.split())
    assert "deleted there, and would be back: models/more.sql" in checked
    assert f"{UNCOMMITTED}; {back}" in run("report", "-C", shop).out

    git(shop, "rm", "-q", "models/more.sql")
    git(shop, "commit", "-q", "-m", "No more")
    assert "uncommitted" not in run("plan", "-C", shop).out


def test_a_first_release_is_told_too_and_the_clock_is_the_same_for_both(history: Path) -> None:
    preview = planned(ReleaseRequest(history, "prod", "names"), base="main")
    assert preview.base is not None
    assert preview.base.counts == {BRANCH: 1, BASE: 4, DATA: 0}
    assert preview.base.commits.standing is Standing.NEWER
    assert preview.base.commits.waiting == ()


def test_a_base_that_cannot_be_planned_stops_nothing(run: Run, history: Path) -> None:
    told = beside(history, "mended", "broken")
    assert (told.origins, [commit.subject for commit in told.commits.own]) == ({}, ["Mended"])
    answer = run("plan", "mended", "-C", history, "--base", "broken")
    assert answer.code == 0
    assert "what is of this branch is not known: broken at" in " ".join(answer.out.split())


def test_what_git_cannot_tell_is_bad_input(run: Run, history: Path, tmp_path: Path) -> None:
    shallow, detached = tmp_path / "shallow", tmp_path / "detached"
    git(tmp_path, "clone", "-q", "--depth", "1", "--no-single-branch", f"file://{history}", str(shallow))
    git(tmp_path, "clone", "-q", str(history), str(detached))
    git(detached, "checkout", "-q", "--detach")
    cases = [
        (history, "nowhere", "'nowhere' is not a commit, branch or tag"),
        (history, "alone", "have no common ancestor"),
        (shallow, "main", "fetch-depth: 0"),
        (shallow, "nowhere", "fetch-depth: 0"),
    ]
    for command in ("plan", "check"):
        for folder, base, problem in cases:
            answer = run(command, "-C", folder, "--base", base)
            assert (answer.code, answer.out) == (2, "")
            [line] = answer.err.strip().splitlines()
            assert problem in line

    heads = subprocess.run(["git", "branch"], cwd=detached, capture_output=True, text=True, check=True)
    assert " main" not in heads.stdout, "a job's checkout has no branch of that name"
    assert beside(detached, "HEAD").commits.commit == beside(history, "names").commits.commit
