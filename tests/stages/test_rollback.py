"""Where a rollback goes: by number, by release, or to the release that served before."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from prefect_sluice.errors import BadInput, Refused
from prefect_sluice.generation import Cause, Generation
from prefect_sluice.stages.rollback import choose

AT = datetime(2026, 3, 1, tzinfo=UTC)


def history(*written: str) -> tuple[Generation, ...]:
    """Return generations, newest first, from texts like `aaa`, `aaa refresh` and `aaa rollback 1`."""
    made: list[Generation] = []
    for number, text in enumerate(written, start=1):
        words = text.split()
        release, cause, origin = [*words, *["release", str(number)][len(words) - 1 :]]
        made.append(
            Generation("prod", number, release, f"p{number}", number, Cause(cause), int(origin), AT, ())
        )
    return tuple(reversed(made))


def chosen(to: str, *written: str) -> int:
    generations = history(*written)
    return choose(generations[0], generations, to).number


@pytest.mark.parametrize(
    ("written", "to", "number"),
    [
        (["aaa", "bbb"], "", 1),
        (["aaa", "bbb", "ccc"], "", 2),
        (["aaa", "aaa refresh", "bbb"], "", 2),
        (["aaa", "bbb", "bbb refresh"], "", 1),
        (["aaa", "aaa refresh"], "", 1),
        (["aaa", "bbb", "ccc", "bbb rollback 2"], "", 1),
        (["aaa", "bbb", "aaa rollback 1", "ccc"], "", 3),
        (["aaa", "bbb", "ccc"], "1", 1),
        (["aaa", "bbb", "ccc"], "aaa", 1),
        (["abc1", "abd2", "ccc"], "abc", 1),
        (["aaa", "aaa refresh", "bbb"], "aaa", 2),
        (["aaa", "bbb", "aaa rollback 1"], "2", 2),
        (["123aaa", "bbb"], "123", 1),
    ],
)
def test_where_a_rollback_goes(written: list[str], to: str, number: int) -> None:
    assert chosen(to, *written) == number


def test_forward_again_after_a_rollback_is_by_name() -> None:
    assert chosen("bbb", "aaa", "bbb", "aaa rollback 1") == 2


@pytest.mark.parametrize(
    ("written", "to", "why"),
    [
        (["aaa"], "", "generation 1 is the first, there is nothing before it; .*sluice history"),
        (["aaa", "bbb", "aaa rollback 1"], "", "generation 3 is the first"),
        (["aaa", "bbb"], "2", "generation 2 is what is served now; .*sluice history"),
        (["aaa", "bbb"], "bbb", "generation 2 is what is served now"),
    ],
)
def test_where_it_cannot_go(written: list[str], to: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        chosen(to, *written)


@pytest.mark.parametrize("to", ["7", "zzz", "-1", "aaa "])
def test_what_never_served(to: str) -> None:
    with pytest.raises(BadInput, match=f"no generation or release {to!r} ever served here; .*sluice history"):
        chosen(to, "aaa", "bbb")


def test_an_environment_that_serves_nothing() -> None:
    empty = Generation("prod", 0, "", "", 0, Cause.RELEASE, 0, AT, ())
    with pytest.raises(
        Refused, match=r"nothing is served, so there is nothing to go back to; .*sluice release"
    ):
        choose(empty, (), "")
