"""The ledger as a pure value: what its chain proves, and that the dead change nothing."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.errors import LedgerBroken
from prefect_sluice.domain.ledger import FIRST, GENERATION_WRITTEN, LedgerEntry, chain, fold, verify

NOW = datetime(2026, 3, 1, 12, 30, 5, 123456, tzinfo=UTC)

Event = tuple[str, str, Mapping[str, Json]]

ENVIRONMENTS = st.sampled_from(["dev", "staging", "prod"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
FACTS = st.dictionaries(
    st.text(), st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
)
OTHER = st.tuples(
    st.sampled_from(
        ["promotion.started", "promotion.staged", "promotion.deploying", "promotion.failed", "hold.put"]
    ),
    ENVIRONMENTS,
    FACTS,
)


def written(environment: str, generation: int, release: str) -> Event:
    facts = {"generation": generation, "release": release, "promotion": f"p-{release}", "cause": "release"}
    return GENERATION_WRITTEN, environment, facts


RELEASES = st.text("0123456789abcdef", min_size=7, max_size=7)
WRITTEN = st.builds(written, ENVIRONMENTS, st.integers(1, 99), RELEASES)
HISTORY = st.lists(OTHER | WRITTEN, max_size=8)


def ledger(history: list[Event]) -> list[LedgerEntry]:
    entries: list[LedgerEntry] = []
    for event, environment, facts in history:
        previous = entries[-1] if entries else None
        entries.append(
            chain(previous, event=event, environment=environment, actor="ada", facts=facts, at=NOW)
        )
    return entries


@given(HISTORY)
def test_a_chained_ledger_verifies(history: list[Event]) -> None:
    entries = ledger(history)
    verify(entries)
    verify(entries, head=entries[-1].digest if entries else FIRST)


@given(HISTORY, st.lists(OTHER, max_size=4))
def test_a_promotion_that_died_never_changes_the_present(history: list[Event], died: list[Event]) -> None:
    assert fold(ledger([*history, *died])) == fold(ledger(history))


@given(HISTORY)
def test_the_present_is_the_last_generation_written_per_environment(history: list[Event]) -> None:
    last = {environment: facts for event, environment, facts in history if event == GENERATION_WRITTEN}
    present = fold(ledger(history))
    assert {name: value["generation"] for name, value in present.items()} == {
        name: facts["generation"] for name, facts in last.items()
    }


def _changed(text: str, at: int) -> str:
    position = at % len(text)
    return text[:position] + chr(ord(text[position]) ^ 1) + text[position + 1 :]


@given(
    st.lists(OTHER | WRITTEN, min_size=1, max_size=6),
    st.integers(0, 5),
    st.sampled_from(["number", "at", "event", "environment", "actor", "facts", "before"]),
    st.integers(0, 100),
)
def test_any_changed_byte_of_any_entry_is_found(
    history: list[Event], which: int, field: str, at: int
) -> None:
    entries = ledger(history)
    head = entries[-1].digest
    victim = entries[which % len(entries)]
    old: Any = getattr(victim, field)
    match old:
        case int():
            new: Any = old ^ (1 << at % 8)
        case datetime():
            new = old + timedelta(microseconds=10 ** (at % 12))
        case str():
            new = _changed(old, at)
        case _:
            key = next(iter(old), None)
            assume(key is not None)
            new = {f"{name}x" if name == key else name: value for name, value in old.items()}
    broken = [replace(entry, **{field: new}) if entry is victim else entry for entry in entries]
    with pytest.raises(LedgerBroken):
        verify(broken, head=head)
    if victim is not entries[-1]:
        with pytest.raises(LedgerBroken):
            verify(broken)


def test_a_cut_off_tail_is_seen_only_with_a_checkpoint() -> None:
    entries = ledger([("a", "prod", {}), ("b", "prod", {}), ("c", "prod", {})])
    verify(entries[:2])
    with pytest.raises(LedgerBroken, match="the checkpoint says"):
        verify(entries[:2], head=entries[2].digest)


@pytest.mark.parametrize("wrong", [[1], [0, 2], [1, 0], [0, 0]])
def test_a_gap_and_a_wrong_order_are_found(wrong: list[int]) -> None:
    entries = ledger([("a", "prod", {}), ("b", "prod", {}), ("c", "prod", {})])
    with pytest.raises(LedgerBroken):
        verify(entries[number] for number in wrong)


def test_the_message_names_the_entry_and_the_next_step() -> None:
    entries = ledger([("a", "prod", {}), ("b", "prod", {})])
    entries[0] = replace(entries[0], actor="eve")
    with pytest.raises(LedgerBroken) as caught:
        verify(entries)
    assert caught.value.number == 2
    assert "restore the state store from a backup" in str(caught.value)


def test_a_generation_without_its_facts_is_no_present() -> None:
    with pytest.raises(LedgerBroken, match="which generation"):
        fold(ledger([(GENERATION_WRITTEN, "prod", {"generation": "four"})]))


def test_the_digest_does_not_depend_on_the_zone_it_was_written_in() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    here, far = (chain(None, event="a", actor="ada", at=at) for at in (NOW, there))
    assert here == far
    assert here.digest == far.digest
    assert far.at.tzinfo is UTC


def test_facts_are_copied_as_plain_json() -> None:
    facts: dict[str, Json] = {"rows": (1, 2)}
    entry = chain(None, event="a", actor="ada", at=NOW, facts=facts)
    facts["rows"] = 3
    assert entry.facts == {"rows": [1, 2]}
    assert pickle.loads(pickle.dumps(entry)) == entry


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        chain(None, event="a", actor="ada", at=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="JSON compliant"):
        chain(None, event="a", actor="ada", at=NOW, facts={"rows": float("nan")})
