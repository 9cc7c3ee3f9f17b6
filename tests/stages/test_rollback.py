"""Where a rollback goes: by number, by release, or to the release that served before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.stages.rollback_target import choose, given_up, is_done

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


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (["aaa", "bbb", "ccc", "bbb rollback 2", "bbb refresh"], 1),
        (["aaa", "bbb", "aaa rollback 1", "aaa refresh"], 3),
        (["aaa", "bbb", "bbb refresh", "aaa rollback 1", "ccc"], 4),
        (["aaa", "bbb", "aaa rollback 1", "bbb", "ccc"], 4),
        (["aaa", "bbb", "aaa rollback 1", "bbb rollback 2", "ccc"], 4),
    ],
)
def test_nobody_goes_back_to_what_was_gone_back_from(written: list[str], number: int) -> None:
    """Unless it is named, or was released again since."""
    assert chosen("", *written) == number


@st.composite
def histories_with_rollbacks(draw: st.DrawFn) -> tuple[Generation, ...]:
    """Up to twelve generations; some go back to any one before."""
    written: list[str] = []
    for number in range(1, draw(st.integers(1, 12)) + 1):
        back = draw(st.integers(0, number - 1))
        written.append(f"{written[back - 1].split()[0]} rollback {back}" if back else f"r{number}")
    return history(*written)


@given(histories_with_rollbacks())
def test_what_was_gone_back_from_is_all_between_a_rollback_and_where_it_went(
    generations: tuple[Generation, ...],
) -> None:
    """Each rollback against each generation, as the rule says it."""
    assert given_up(generations) == {
        item.number
        for back in generations
        for item in generations
        if back.cause.goes_back and back.origin < item.number < back.number and item.origin != back.origin
    }


@pytest.mark.parametrize(
    ("to", "back_from", "further", "done"),
    [
        ("", 0, False, True),
        ("", 0, True, False),
        ("", 3, True, True),
        ("2", 3, False, True),
        ("2", 0, True, True),
        ("bbb", 0, False, True),
        ("1", 0, False, False),
        ("1", 3, False, False),
        ("", 4, False, False),
        ("", 2, False, False),
    ],
)
def test_a_rollback_asked_for_again_is_done_already(
    to: str, back_from: int, further: bool, done: bool
) -> None:
    """The same way back, from generation 3 to 2; one more step is asked for by its number, or from what serves now."""
    written = history("aaa", "bbb", "ccc", "bbb rollback 2")
    assert is_done(written[0], written, to, back_from, further=further) is done


def test_what_was_before_belongs_to_another_state_store() -> None:
    """Eight generations stand before it, and it is not called the first."""
    with pytest.raises(Refused, match="what was before generation 9 was released by another state store"):
        choose(replace(history("aaa")[0], number=9, origin=9), (), "", unknown=8)


def test_forward_again_after_a_rollback_is_by_name() -> None:
    assert chosen("bbb", "aaa", "bbb", "aaa rollback 1") == 2


@pytest.mark.parametrize(
    ("written", "to", "why"),
    [
        (["aaa"], "", "generation 1 is the first, there is nothing before it; .*sluice history"),
        (
            ["aaa", "bbb", "aaa rollback 1"],
            "",
            "generation 3 serves generation 1 again, and generation 1 is the first",
        ),
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
