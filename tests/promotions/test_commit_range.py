"""The commits that come and go with a release, by a real repository and a real state store, and what Stage says of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.release import DIRTY, Change, Commit, CommitRange, Composed, Release
from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.planning.expectations import from_message
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.promotions.commits import commit_range
from prefect_sluice.reporting.part import goes_line, old_line, titled
from prefect_sluice.reporting.styled_text import plain
from prefect_sluice.reporting.terminal.commits import range_lines
from prefect_sluice.reporting.terminal.plan import files_lines
from prefect_sluice.source import git
from prefect_sluice.stages.commits_that_go import CommitLoss, judge
from prefect_sluice.workspace.workspace import Workspace
from tests.approvals.test_decide import FILES
from tests.repository import repository

AT = datetime(2026, 12, 1, tzinfo=UTC)
Ranged = Callable[[Release, Release], CommitRange | None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with `main` (Ada's first, Bob's hotfix) and `feature`, which has two commits of Cyd's and no hotfix."""
    repository(tmp_path, FILES)
    run(tmp_path, "branch", "feature")
    written(tmp_path, "Bob", "hotfix")
    run(tmp_path, "checkout", "-q", "feature")
    written(tmp_path, "Cyd", "wider")
    written(tmp_path, "Cyd", "deeper")
    return tmp_path


def run(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def written(folder: Path, by: str, name: str) -> None:
    (folder / f"{name}.sql").write_text(name, encoding="utf-8")
    run(folder, "add", "--all")
    run(folder, "commit", "-q", "--author", f"{by} <{by.lower()}@example.com>", "-m", name)


def release_of(folder: Path, ref: str) -> Release:
    """Return the release of a commit, recorded; of its files only the names count here."""
    return recorded(folder, Release(git.resolve(folder, ref, "."), {}, {}))


def recorded(folder: Path, release: Release) -> Release:
    with Workspace.at(folder).store.transaction() as transaction:
        transaction.put_release(release)
    return release


def part_of(folder: Path, source: Release, onto: Release, *files: str) -> Release:
    composed = Composed("prod", source.id, onto.id, "some")
    return recorded(folder, Release(replace(source.change, files=files), {}, {}, composed))


@pytest.fixture
def between(folder: Path) -> Ranged:
    """Return what comes and goes where one release takes the place of another in prod."""

    def ask(new: Release, served: Release) -> CommitRange | None:
        plan = Plan("prod", Cause.RELEASE, new.id, 1, served.id, (), (), (), NotesBefore({}, {}))
        return commit_range(Workspace.at(folder), plan, new)

    return ask


def subjects(commits: CommitRange | None) -> tuple[list[str], list[str]]:
    assert commits is not None
    assert not commits.untold
    return [commit.subject for commit in commits.comes], [commit.subject for commit in commits.goes]


def test_what_serves_and_a_branch_without_it(folder: Path, between: Ranged) -> None:
    served, new = release_of(folder, "main"), release_of(folder, "feature")
    found = between(new, served)
    assert subjects(found) == (["deeper", "wider"], ["hotfix"])
    assert found == CommitRange.read(found.document() if found else {})
    assert subjects(between(served, new)) == (["hotfix"], ["deeper", "wider"])


def test_the_files_are_those_of_all_commits_that_come(folder: Path, between: Ranged) -> None:
    """And by whom; of an old commit none; of a part its own; of what an older Sluice wrote those of the newest commit."""
    served, new = release_of(folder, "main"), release_of(folder, "feature")
    found = between(new, served)
    assert found is not None
    assert (
        plain(files_lines(new, found)) == "2 files changed by 2 commits of Cyd:\n  deeper.sql\n  wider.sql\n"
    )
    written(folder, "Ada", "later")
    (folder / "later.sql").unlink()
    run(folder, "commit", "-qam", "Not later")
    newest = release_of(folder, "feature")
    both = plain(files_lines(newest, between(newest, served)))
    assert both == "2 files changed by 4 commits of Ada, Cyd:\n  deeper.sql\n  wider.sql\n"
    assert files_lines(newest, between(newest, release_of(folder, "feature~2"))) == []
    assert files_lines(release_of(folder, "main~1"), between(release_of(folder, "main~1"), served)) == []
    part = part_of(folder, new, served, "wider.sql")
    assert plain(files_lines(part, between(part, served))).endswith(":\n  wider.sql\n")
    document = found.document()
    del document["files"], document["changed"]
    older = CommitRange.read(document)
    assert plain(files_lines(new, older)).endswith(":\n  deeper.sql\n")


def test_a_commit_forward_comes_and_nothing_goes_after_a_rollback_too(folder: Path, between: Ranged) -> None:
    first, later = release_of(folder, "main~1"), release_of(folder, "main")
    found = between(later, first)
    assert subjects(found) == (["hotfix"], [])
    assert found is not None
    assert found.is_plain
    assert range_lines(found, "prod") == []


def test_one_commit_that_comes_in_place_of_the_same_change_is_told_as_that(
    folder: Path, between: Ranged
) -> None:
    served = release_of(folder, "main")
    run(folder, "checkout", "-q", "-b", "picked", "main~1")
    run(folder, "cherry-pick", "main")
    run(folder, "commit", "-q", "--amend", "--no-edit", "--author", "Cyd <cyd@example.com>")
    found = between(release_of(folder, "picked"), served)
    assert subjects(found) == (["hotfix"], [])
    assert "1 commit that serves comes again" in plain(range_lines(found, "prod"))


def test_an_old_commit_is_told_as_one(folder: Path, between: Ranged) -> None:
    found = between(release_of(folder, "main~1"), release_of(folder, "main"))
    assert found is not None
    assert found.is_old
    assert subjects(found) == ([], ["hotfix"])
    (finding,) = judge(CommitLoss(replace(found, generation=3), {}, strict=True), "prod")
    assert finding.summary.endswith("is an old commit: 1 commit that came after it would go: "
                                    f"{found.goes[0].id[:7]} hotfix (Bob)")  # fmt: skip
    assert "sluice rollback --env prod --to 3" in finding.fix
    assert "--to 3" in old_line(replace(found, generation=3), "prod")
    assert old_line(found, "prod").endswith("what serves has all of it")


def test_of_the_same_commit_and_of_a_first_one_there_is_nothing_to_tell(
    folder: Path, between: Ranged
) -> None:
    served = release_of(folder, "main")
    again = recorded(folder, replace(served, tools={"dbt-core": "2"}))
    dirty = recorded(folder, replace(served, change=replace(served.change, commit=DIRTY)))
    unknown = replace(served, tools={"dbt-core": "3"})
    assert [between(served, base) for base in (served, again, dirty, unknown)] == [None] * 4


def test_of_a_working_tree_that_serves_its_files_go_where_the_release_has_others(
    folder: Path, between: Ranged
) -> None:
    new = release_of(folder, "main")
    change = replace(new.change, commit=DIRTY, author="Ada <ada@example.com>", files=())
    served = recorded(folder, replace(new, change=change, files={**new.files, "mine.sql": "644:1"}))
    commits = between(new, served)
    assert commits is not None
    assert (commits.uncommitted, commits.is_plain, commits.comes, commits.goes) == ("Ada", False, (), ())
    assert CommitRange.read(commits.document()) == commits
    [finding] = judge(CommitLoss(commits, {}, True), "prod")
    assert (finding.verdict, "uncommitted files (Ada)" in finding.summary) == (Verdict.WARNED, True)
    gone, whole = "hotfix.sql", recorded(folder, replace(new, files={"hotfix.sql": "644:3"}))
    deleted = recorded(folder, replace(served, change=replace(change, files=(gone,)), files={}))
    back = between(whole, deleted)
    assert back is not None
    assert (CommitRange.read(back.document()), back.back) == (back, (gone,))
    unrecorded = recorded(folder, replace(served, files={}))
    assert between(whole, unrecorded) is None, "an older Sluice recorded no deletions"
    another = replace(served, files={**served.files, "mine.sql": "644:2"})
    assert between(another, served) is None, "one working tree takes the place of another"
    part = part_of(folder, release_of(folder, "feature"), served, "wider.sql")
    assert between(part, served) is None, "the rest stays"


def test_a_part_brings_and_takes_away_only_what_touches_its_files(folder: Path, between: Ranged) -> None:
    served, source = release_of(folder, "main"), release_of(folder, "feature")
    assert subjects(between(part_of(folder, source, served, "wider.sql"), served)) == (["wider"], [])
    assert subjects(between(part_of(folder, source, served, "hotfix.sql"), served)) == ([], ["hotfix"])


def test_a_part_that_serves_goes_where_the_next_release_has_it_not(folder: Path, between: Ranged) -> None:
    """It was put on an older commit: what is asked of git is not only what that commit has."""
    first, source = release_of(folder, "main~1"), release_of(folder, "feature")
    served = part_of(folder, source, first, "wider.sql")
    assert subjects(between(release_of(folder, "main"), served)) == (["hotfix"], ["wider"])
    assert subjects(between(first, served)) == ([], ["wider"])
    assert subjects(between(source, served)) == (["deeper", "wider"], [])
    other = part_of(folder, release_of(folder, "main"), served, "hotfix.sql")
    assert subjects(between(other, served)) == (["hotfix"], [])
    assert subjects(between(first, other))[1] == ["hotfix", "wider"]


def test_where_git_has_not_all_commits_nobody_can_tell(
    folder: Path, between: Ranged, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What serves was forced out of the branch, or the clone is shallow: then it holds where approvals are asked for."""
    served, new = release_of(folder, "main"), release_of(folder, "feature")
    gone = recorded(folder, replace(served, change=replace(served.change, commit="0" * 40)))
    found = between(new, gone)
    assert found is not None
    assert (found.untold, found.comes, found.goes) == ("commit 0000000 is not in this clone", (), ())
    words = from_message("a" * 40, "x\n\nExpect: 0000000 goes (rewritten)").lost
    verdicts = [
        finding.verdict
        for strict, said in ((True, ()), (False, ()), (True, words))
        for finding in judge(CommitLoss(found, dict.fromkeys(said, frozenset[str]()), strict), "prod")
    ]
    assert verdicts == [Verdict.INCONCLUSIVE, Verdict.WARNED, Verdict.WARNED]
    assert goes_line(found) == "nobody can tell: commit 0000000 is not in this clone"
    shallow = tmp_path_factory.mktemp("shallow") / "clone"
    run(folder, "clone", "-q", "--depth", "1", "--no-single-branch", f"file://{folder}", str(shallow))
    for release in (served, new):
        recorded(shallow, release)
    plan = Plan("prod", Cause.RELEASE, new.id, 1, served.id, (), (), (), NotesBefore({}, {}))
    cut = commit_range(Workspace.at(shallow), plan, new)
    assert cut is not None
    assert cut.untold.startswith("this clone is shallow")


def some(number: int) -> tuple[Commit, ...]:
    return tuple(Commit(f"{place:07d}{'a' * 33}", "Bob <b@x>", f"fix {place}", AT) for place in range(number))


def test_what_goes_is_a_no_only_where_approvals_are_asked_for_and_no_commit_says_so() -> None:
    commits = CommitRange.of("b" * 40, "c" * 40, some(1), some(5))
    message = "Without it\n\nExpect: 0000001 goes (too early)\nExpect: 0000009 goes (a slip)"
    right, slip = from_message("d" * 40, message, "Cyd <c@x>").lost
    all_of_it = {right: frozenset(commit.id for commit in commits.goes)}
    strict = CommitLoss(commits, {}, strict=True, heads=("0000000",))
    (refused,) = judge(strict, "prod")
    assert (refused.verdict, refused.observed, refused.limit) == (Verdict.FAILED, 5, 0)
    assert refused.summary == (
        "5 commits of what serves are not in ccccccc, and would go: 0000000 fix 0 (Bob); 0000001 fix 1 (Bob);"
        " 0000002 fix 2 (Bob); and 2 more, and no commit says so"
    )
    assert refused.fix.startswith("take them along: git merge 0000000; ")
    assert refused.fix.endswith("in a commit message: Expect: 0000000 goes (why)")
    assert refused.evidence is not None
    assert (len(refused.evidence.rows), refused.evidence.total) == (5, 5)
    assert [item.verdict for item in judge(replace(strict, strict=False), "prod")] == [Verdict.WARNED]
    (declared,) = judge(replace(strict, words=all_of_it), "prod")
    assert declared.verdict is Verdict.WARNED
    assert declared.summary.endswith("as commit ddddddd:3 of Cyd <c@x> (too early) declares")
    some_of_it = {right: frozenset({commits.goes[1].id}), slip: frozenset[str]()}
    rest, nothing = judge(replace(strict, words=some_of_it), "prod")
    assert (rest.verdict, rest.observed) == (Verdict.FAILED, 4)
    assert nothing.summary.startswith("commit ddddddd:4 says that commit 0000009 goes: it does not")


def test_a_line_that_is_none_is_not_taken_for_one() -> None:
    said = from_message(
        "d" * 40, "x\n\nExpect: 0000001 goes\nExpect: hotfix goes (why)\nexpect: ABCDEF1 goes (x)"
    )
    assert ([word.commit for word in said.lost], len(said.unreadable)) == (["abcdef1"], 2)


def test_long_ranges_are_cut_and_counted() -> None:
    commits = CommitRange.of("b" * 40, "0" * 40, some(70), some(12), again=1)
    kept = CommitRange.read(commits.document())
    assert (len(kept.comes), kept.coming, kept.going) == (50, 70, 12)
    text = plain(range_lines(kept, "prod"))
    assert text.splitlines()[0] == "comes  0000000 fix 0 (Bob)"
    assert "       and 60 more commits\ngoes   0000000 fix 0 (Bob)\n" in text
    assert "       and 2 more commits\n" in text
    assert text.endswith("  1 commit that serves comes again as another, with the same change\n")
    change = Change("0" * 40, "1" * 40, ".", "Bob <b@x>", AT, "Fix")
    assert titled(Release(change, {}, {}), "prod", kept) == "Fix, and 69 more commits"
