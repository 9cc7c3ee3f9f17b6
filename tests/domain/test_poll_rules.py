"""Whether what a branch points at is news."""

from __future__ import annotations

import pytest

from prefect_sluice.domain.poll_rules import Base, Try, known

NOW = Base(5, "release five")
COMMIT = "a1b2c3d4e5"


def tried(state: str, base: Base = NOW, *, decided: bool = False) -> Try:
    return Try(COMMIT, state, base, "why", decided)


@pytest.mark.parametrize(
    ("tries", "why"),
    [
        ([], ""),
        ([Try("another", "stable", NOW)], ""),
        ([tried("stable")], "a1b2c3d was released here before"),
        (
            [Try("another", "stable", NOW), tried("stable", Base(2, "two"))],
            "a1b2c3d was released here before",
        ),
        ([tried("superseded"), tried("stable", Base(2, "two"))], "a1b2c3d was released here before"),
        ([tried("staged")], "a1b2c3d waits for an approval"),
        ([tried("staged", decided=True)], ""),
        ([tried("staged", Base(4, "four"))], ""),
        ([tried("refused")], "a1b2c3d was tried and refused: why"),
        ([tried("refused", Base(4, "release five"))], ""),
        ([tried("failed")], "a1b2c3d was tried and failed: why"),
        ([tried("rejected", Base(4, "release five"))], "a1b2c3d was rejected: why"),
        ([tried("expired", Base(4, "release five"))], "a1b2c3d was expired: why"),
        ([tried("rejected", Base(4, "four"))], ""),
        ([tried("superseded")], ""),
        ([tried("started")], ""),
        ([tried("approved")], ""),
    ],
)
def test_what_becomes_of_a_commit(tries: list[Try], why: str) -> None:
    assert known(COMMIT, tries, NOW) == why
