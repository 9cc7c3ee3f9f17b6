"""Rows of the state store against the ledger: whatever somebody writes into a row, the entry says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from prefect_sluice.audit.attestation import APPROVAL_GIVEN, contradiction, is_attested
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.ledger import GENERATION_WRITTEN, LedgerEntry, chain
from prefect_sluice.domain.promotion import Approval, Decision, Promotion, State

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
YES = Approval("a1", "p1", "b" * 64, Decision.APPROVE, "Ada", "fine", AT, AT + timedelta(days=1))
ROW = Promotion(
    "p1", "prod", "r1", Cause.RELEASE, 3, "r0", State.APPROVED, "Bob", AT, AT, plan="d1", evidence="e1"
)
FACTS: Mapping[str, Json] = {"promotion": "p1", "release": "r1", "from": 3, "plan": "d1", "evidence": "e1"}


def given(approval: Approval) -> LedgerEntry:
    facts = {
        "promotion": approval.promotion,
        "decision": approval.decision.value,
        "binding": approval.binding,
        "comment": approval.comment,
        "channel": "cli",
        "expires": approval.expires_at.isoformat(),
    }
    return chain(
        None, event=APPROVAL_GIVEN, actor=approval.by, at=approval.at, environment="prod", facts=facts
    )


def entries(*events: tuple[str, Mapping[str, Json]]) -> list[LedgerEntry]:
    made: list[LedgerEntry] = []
    for event, facts in events:
        made.append(
            chain(
                made[-1] if made else None, event=event, actor="Bob", at=AT, environment="prod", facts=facts
            )
        )
    return made


def test_an_approval_that_was_given_is_attested_used_or_not() -> None:
    assert is_attested(YES, [given(YES)])
    assert is_attested(replace(YES, used_at=AT), [given(YES)])


@pytest.mark.parametrize(
    "other",
    [
        replace(YES, promotion="p2"),
        replace(YES, binding="c" * 64),
        replace(YES, decision=Decision.REJECT),
        replace(YES, by="Eve"),
        replace(YES, comment="not at all"),
        replace(YES, at=AT + timedelta(microseconds=1)),
        replace(YES, expires_at=AT + timedelta(days=99)),
    ],
)
def test_a_row_that_says_anything_else_is_not(other: Approval) -> None:
    assert not is_attested(other, [given(YES)])
    assert not is_attested(YES, [])


def test_a_promotion_stands_where_its_last_entry_says() -> None:
    so_far = entries(("promotion.staged", FACTS), ("promotion.approved", FACTS))
    assert contradiction(ROW, so_far) == ""
    assert contradiction(replace(ROW, message="another one"), so_far) == ""
    written = entries((GENERATION_WRITTEN, {"promotion": "p1", "release": "r1", "generation": 4}))
    assert contradiction(replace(ROW, state=State.DEPLOYED, generation=4), [*so_far, *written]) == ""
    reduced = entries(("promotion.reduced", {"promotion": "p1", "release": "r1", "plan": "d2"}))
    assert contradiction(replace(ROW, state=State.STARTED, plan="d2", evidence=""), reduced) == ""


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (replace(ROW, id="p2"), "the ledger has no entry of it"),
        (replace(ROW, state=State.DEPLOYING), "it is deploying, and approved by ledger entry 2"),
        (replace(ROW, release="r2"), "its release is not that of ledger entry 2"),
        (replace(ROW, plan="d2"), "its plan is not that of ledger entry 2"),
        (replace(ROW, evidence="e2"), "its evidence is not that of ledger entry 2"),
        (replace(ROW, base=4), "its from is not that of ledger entry 2"),
    ],
)
def test_a_promotion_written_past_sluice_is_named(row: Promotion, why: str) -> None:
    assert contradiction(row, entries(("promotion.staged", FACTS), ("promotion.approved", FACTS))) == why
