"""Whether what a branch points at is news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from prefect_sluice.domain.poll_rules import BranchHead, PollAttempt, PollBase, next_to_check, why_not_new

NOW = PollBase(5, "release five")
COMMIT = "a1b2c3d4e5"


def tried(state: str, base: PollBase = NOW, *, decided: bool = False) -> PollAttempt:
    return PollAttempt(COMMIT, state, base, "why", decided)


@pytest.mark.parametrize(
    ("tries", "why"),
    [
        ([], ""),
        ([PollAttempt("another", "stable", NOW)], ""),
        ([tried("stable")], "a1b2c3d was released here before"),
        (
            [PollAttempt("another", "stable", NOW), tried("stable", PollBase(2, "two"))],
            "a1b2c3d was released here before",
        ),
        ([tried("superseded"), tried("stable", PollBase(2, "two"))], "a1b2c3d was released here before"),
        ([tried("staged")], "a1b2c3d waits for an approval"),
        ([tried("staged", decided=True)], ""),
        ([tried("staged", PollBase(4, "four"))], ""),
        ([tried("refused")], "a1b2c3d was tried and refused: why"),
        ([tried("refused", PollBase(4, "release five"))], ""),
        ([tried("failed")], "a1b2c3d was tried and failed: why"),
        ([tried("rejected", PollBase(4, "release five"))], "a1b2c3d was rejected: why"),
        ([tried("expired", PollBase(4, "release five"))], "a1b2c3d was expired: why"),
        ([tried("rejected", PollBase(4, "four"))], ""),
        ([tried("superseded")], ""),
        ([tried("started")], ""),
        ([tried("approved")], ""),
    ],
)
def test_what_becomes_of_a_commit(tries: list[PollAttempt], why: str) -> None:
    assert why_not_new(COMMIT, tries, NOW) == why


AT = datetime(2026, 12, 2, 12, tzinfo=UTC)
HEADS = (
    BranchHead("main", "m", AT - timedelta(hours=3)),
    BranchHead("feature/a", "a", AT - timedelta(hours=1)),
    BranchHead("feature/b", "b", AT - timedelta(hours=2)),
    BranchHead("feature/old", "o", AT - timedelta(days=8)),
)


@pytest.mark.parametrize(
    ("patterns", "done", "commit"),
    [
        (["*"], "", "a"),
        (["*"], "a", "b"),
        (["main", "feature/b"], "b", "m"),
        (["feature/?"], "ab", None),
        (["feature/old"], "", None),
        (["*"], "abm", None),
    ],
)
def test_the_newest_head_of_a_branch_that_matches_is_checked_once(
    patterns: list[str], done: str, commit: str | None
) -> None:
    for heads in (HEADS, HEADS[::-1]):
        head = next_to_check(heads, patterns, set(done), AT)
        assert (head.commit if head else None) == commit
