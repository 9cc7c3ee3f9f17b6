"""Build order: parents first, whatever order they come in, and a circle of found parents is opened the same way each time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.dbt.core.build_order import CycleError, Edges, acyclic, ordered

NAMES = st.sampled_from("abcdefgh")


def edges(pairs: set[tuple[str, str]]) -> Edges:
    return {name: frozenset(above for below, above in pairs if below == name) for name in "abcdefgh"}


@given(st.sets(st.tuples(NAMES, NAMES)), st.sets(st.tuples(NAMES, NAMES)))
def test_every_declared_parent_stays_and_no_circle_does(
    declared: set[tuple[str, str]], found: set[tuple[str, str]]
) -> None:
    known = edges({(low, high) for low, high in declared if high < low})
    kept, dropped = acyclic(known, edges({pair for pair in found if pair[0] != pair[1]}))
    order = ordered(kept)
    assert sorted(order) == sorted(known)
    assert all(order.index(parent) < order.index(uid) for uid, parents in kept.items() for parent in parents)
    assert all(known[uid] <= kept[uid] for uid in known)
    for uid, gone in dropped.items():
        assert gone <= edges(found)[uid]
        for parent in gone:
            with pytest.raises(CycleError):
                ordered({**kept, uid: kept[uid] | {parent}})


@given(st.sets(st.tuples(NAMES, NAMES)))
def test_the_order_they_come_in_does_not_count(found: set[tuple[str, str]]) -> None:
    none, some = edges(set()), edges({pair for pair in found if pair[0] != pair[1]})
    back = dict(reversed(list(some.items())))
    assert acyclic(none, some) == acyclic(dict(reversed(list(none.items()))), back)


def test_ten_thousand_nodes_take_no_time() -> None:
    chain = {
        f"n{number}": frozenset({f"n{number - 1}"} if number else set[str]()) for number in range(10_000)
    }
    before = time.process_time()
    kept, dropped = acyclic({uid: frozenset[str]() for uid in chain}, chain)
    assert len(ordered(kept)) == 10_000
    assert not dropped
    assert time.process_time() - before < 5
