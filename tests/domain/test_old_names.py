"""Old public names: which are served, how long, and what ends them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from prefect_sluice.domain import old_names
from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.domain.old_names import OldName

DAYS = timedelta(days=30)
DAY = date(2026, 12, 1)


def name(identifier: str) -> Name:
    return Name("main", identifier)


def pointer(public: str) -> Pointer:
    return Pointer(name(public), Name("store", f"{public}__1"), f"m.s.{public}", NodeKind.TABLE, "f", "i")


A = OldName(name("a"), name("b"), "2026-12-31")


@pytest.mark.parametrize(
    ("known", "renamed", "today", "expected"),
    [
        ([], [("a", "b")], "b", ["a of b +30"]),
        ([A], [], "b", ["a of b 2026-12-31"]),
        ([A], [], "c", []),
        ([A], [], "ab", []),
        ([A], [("b", "c")], "c", ["a of c 2026-12-31", "b of c +30"]),
        ([A], [("b", "a")], "a", ["b of a +30"]),
        ([], [("a", "b"), ("b", "a")], "ab", []),
    ],
    ids=[
        "renamed",
        "goes on",
        "its new name left",
        "its name is taken",
        "renamed again",
        "and back",
        "swapped",
    ],
)
def test_which_old_names_are_served(
    known: list[OldName], renamed: list[tuple[str, str]], today: str, expected: list[str]
) -> None:
    pairs = [(name(old), name(new)) for old, new in renamed]
    taken = {name(each) for each in today}
    found = old_names.following(known, pairs, taken, DAYS)
    assert [f"{item.name.identifier} of {item.new.identifier} {item.until}" for item in found] == expected
    assert old_names.following(known, pairs, taken, timedelta(0)) == ()


def test_its_day_is_given_by_the_publish_and_it_ends_with_the_first_one_after_it() -> None:
    served = (pointer("b"),)
    new = old_names.fresh(name("a"), name("b"), DAYS)
    planned = old_names.pointers([new], served)
    assert [item.address for item in planned] == [served[0].address], (
        "it is the very relation of the new name"
    )
    published = old_names.dated((*served, *planned), DAY)
    assert [old_names.of_pointer(item) for item in published if item.is_old_name] == [A]
    assert old_names.dated(published, date(2026, 12, 30)) == published, (
        "its day is not moved by another publish"
    )
    assert old_names.dated(published, date(2026, 12, 31)) == served
    assert not old_names.pointers([new], (*served, pointer("A"))), "a name that something else has"
    assert not old_names.pointers([new], ())


def test_nothing_goes_on_from_an_old_name() -> None:
    """A model that takes the name of one begins with nothing: it is no history of its own."""
    served = old_names.pointers([A], [pointer("b")])
    at = datetime(2026, 12, 1, tzinfo=UTC)
    live = Generation("prod", 1, "r", "p", 1, Cause.RELEASE, 1, at, (pointer("b"), *served))
    assert old_names.of(live) == (A,)
    assert live.relations == (pointer("b"),)
    ids = {name("a"): "m.s.a", name("b"): "m.s.other"}
    assert live.known_as(ids).by_node().keys() == {"m.s.other"}
    assert live.new_ids(ids) == {"m.s.b": "m.s.other"}


def test_it_is_written_down_and_read() -> None:
    odd = replace(A, new=Name("a.b", "c"), until="+30")
    assert old_names.read([A.document(), odd.document()]) == (A, odd)
    assert old_names.of_pointer(old_names.pointers([odd], [replace(pointer("c"), name=odd.new)])[0]) == odd
    assert "2026-12-31" in A.words
    assert "30 days" in odd.words
