"""What two commits differ in, on real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.source.divergence import Divergence, ancestry, diverged
from tests.source.test_git import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository whose `main` has a hotfix and a commit more than `feature`, which has two of its own."""
    found = Repository(tmp_path / "repo")
    found.write("a.sql", "1")
    found.commit("first")
    found("branch", "feature")
    for name in ("hotfix", "later"):
        found.write(f"{name}.sql", name)
        found.commit(name)
    found("checkout", "-q", "feature")
    for name in ("wider", "deeper"):
        found.write(f"{name}.sql", name)
        found.commit(name)
    return found


def range_of(repository: Repository, old: str, new: str, *paths: str) -> tuple[list[str], list[str], int]:
    """Return the subjects that come and go, and how many go and come again."""
    found = diverged(repository.folder, old, new, paths)
    return [item.subject for item in found.comes], [item.subject for item in found.goes], found.again


def test_commits_of_either_side_are_told_newest_first(repository: Repository) -> None:
    assert range_of(repository, "main", "feature") == (["deeper", "wider"], ["later", "hotfix"], 0)
    assert range_of(repository, "main~2", "main") == (["later", "hotfix"], [], 0)
    assert range_of(repository, "main", "main~1") == ([], ["later"], 0)
    assert diverged(repository.folder, "main", "main") == Divergence((), ())


def test_of_some_files_only_their_commits_count(repository: Repository) -> None:
    assert range_of(repository, "main", "feature", "hotfix.sql", "wider.sql") == (["wider"], ["hotfix"], 0)
    many = [f"{'x' * 200}{number}.sql" for number in range(20_000)]
    assert range_of(repository, "main", "feature", *many, "later.sql") == ([], ["later"], 0)


def test_what_was_picked_or_rebased_comes_again_and_does_not_go(repository: Repository) -> None:
    repository("cherry-pick", "main~1")
    assert range_of(repository, "main", "feature") == (["hotfix", "deeper", "wider"], ["later"], 1)
    repository("checkout", "-q", "-b", "rebased", "main")
    repository("rebase", "-q", "feature")
    comes, goes, again = range_of(repository, "main", "rebased")
    assert (len(comes), goes, again) == (4, [], 2)


def test_a_merge_brings_what_it_merges_and_one_that_adds_nothing_does_not_go(repository: Repository) -> None:
    repository("merge", "-q", "--no-ff", "-m", "merged", "main")
    comes, goes, _ = range_of(repository, "main", "feature")
    assert (comes[0], set(comes), goes) == ("merged", {"merged", "deeper", "wider"}, [])
    assert range_of(repository, "feature", "main") == ([], ["deeper", "wider"], 0)


def test_a_merge_that_adds_something_goes_too(repository: Repository) -> None:
    repository("merge", "-q", "--no-ff", "--no-commit", "main")
    repository.write("a.sql", "2")
    repository.commit("merged and mended")
    assert range_of(repository, "feature", "main")[1] == ["merged and mended", "deeper", "wider"]


def test_a_commit_that_is_not_here_is_told(repository: Repository) -> None:
    with pytest.raises(BadInput):
        diverged(repository.folder, "0" * 40, "main")


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "a", "b", "c"])), max_size=7))
def test_each_commit_of_either_side_is_told_once_on_its_own_side(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, str]]
) -> None:
    """However branches were merged into each other: the ancestors of the one without those of the other."""
    repository = Repository(tmp_path_factory.mktemp("grown"))
    first = repository.commit("first")
    for branch in "abc":
        repository("branch", branch, first)
    for number, (branch, other) in enumerate(moves):
        repository("checkout", "-q", branch)
        if other and other != branch:
            repository("merge", "-q", "--no-ff", "-m", f"merge {number}", other)
        else:
            repository.write(f"{number}.sql", str(number))
            repository.commit(f"change {number}")
    above = {branch: ancestry(repository.folder, branch, f"{first}") | {first} for branch in "abc"}
    for old, new in (("a", "b"), ("b", "a"), ("b", "c")):
        found = diverged(repository.folder, old, new)
        assert {item.id for item in found.comes} == above[new] - above[old]
        left = {item.id: item.subject for item in found.goes}
        assert left.keys() <= above[old] - above[new]
        dropped = (above[old] - above[new]) - left.keys()
        assert all(repository("show", "-s", "--format=%s", item).startswith("merge") for item in dropped)
