"""What the ledger confirms of the state store's rows: that a yes was given, and where a promotion stands. Pure.

A row can be written by anybody who can write to the database; an entry of a verified chain cannot be put in unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prefect_sluice.domain.ledger import GENERATION_WRITTEN, LedgerEntry
from prefect_sluice.domain.promotion import Approval, Promotion, State

APPROVAL_GIVEN = "approval.given"
"""The event of a yes or no. Its facts: promotion, decision, binding, comment, channel, expires."""

_STATES: Mapping[str, State] = {
    **{f"promotion.{state.value}": state for state in State},
    "promotion.reduced": State.STARTED,
    GENERATION_WRITTEN: State.DEPLOYED,
}
"""In which state a promotion is after an event that is about it."""


def is_attested(approval: Approval, entries: Iterable[LedgerEntry]) -> bool:
    """Say whether a ledger entry confirms the row of an approval. Whether it was used, other entries say."""
    facts = {
        "promotion": approval.promotion,
        "decision": approval.decision.value,
        "binding": approval.binding,
        "comment": approval.comment,
        "expires": approval.expires_at.isoformat(),
    }
    return any(
        entry.event == APPROVAL_GIVEN
        and (entry.actor, entry.at) == (approval.by, approval.at)
        and facts.items() <= entry.facts.items()
        for entry in entries
    )


def contradiction(promotion: Promotion, entries: Iterable[LedgerEntry]) -> str:
    """Return in which point the last ledger entry about a promotion contradicts its row; "" for none."""
    about = [
        entry for entry in entries if entry.event in _STATES and entry.facts.get("promotion") == promotion.id
    ]
    if not about:
        return "the ledger has no entry of it"
    last = about[-1]
    row: dict[str, Any] = {
        "release": promotion.release,
        "plan": promotion.plan,
        "evidence": promotion.evidence,
        "policy_digest": promotion.policy,
        "from": promotion.base,
        "generation": promotion.generation,
    }
    state = _STATES[last.event]
    if state is not promotion.state:
        return f"it is {promotion.state.value}, and {state.value} by ledger entry {last.number}"
    wrong = sorted(name for name in row.keys() & last.facts.keys() if row[name] != last.facts[name])
    return f"its {wrong[0]} is not that of ledger entry {last.number}" if wrong else ""
