"""Whether what a branch points at is news."""

from __future__ import annotations

import pytest

from prefect_sluice.domain.poll_rules import PollAttempt, PollBase, why_not_new

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
